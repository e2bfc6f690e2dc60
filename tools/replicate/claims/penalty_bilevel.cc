// Shen and Chen 2023; Kwon et al. 2024: a bilevel problem as a penalty of its lower level.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/bilevel/penalty_gradient_descent.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

using Penalty = PenaltyOptions::Penalty;

constexpr int64_t kTrain = 200, kValidation = 50, kTest = 2000, kDimension = 20;
constexpr double kFlipped = 0.4, kRidge = 0.1;

// Binary labels of a linear rule, of which training has many flipped.
struct Cleaning {
  explicit Cleaning(uint64_t seed) {
    const RandomStream random(seed, "penalty_bilevel");
    const at::Tensor truth = random.Child("truth").NormalTensor({kDimension}, at::kDouble);
    const auto draw = [&](const char* name, int64_t count, at::Tensor& inputs, at::Tensor& labels) {
      inputs = random.Child(name).NormalTensor({count, kDimension}, at::kDouble);
      labels = inputs.matmul(truth).sign();
    };
    draw("train", kTrain, train, train_labels);
    draw("validation", kValidation, validation, validation_labels);
    draw("test", kTest, test, test_labels);
    const at::Tensor flip = random.Child("flip").UniformTensor({kTrain}, at::kDouble) < kFlipped;
    train_labels = train_labels * (1 - 2 * flip.to(at::kDouble));
  }

  static at::Tensor Losses(const at::Tensor& inputs, const at::Tensor& labels, const at::Tensor& y) {
    return at::softplus(-labels * inputs.matmul(y));
  }
  // Of the weights sigmoid(x) of the training examples.
  at::Tensor TrainingLoss(const at::Tensor& x, const at::Tensor& y) const {
    return (at::sigmoid(x) * Losses(train, train_labels, y)).mean() + kRidge / 2 * y.square().sum();
  }
  at::Tensor ValidationLoss(const at::Tensor& y) const {
    return Losses(validation, validation_labels, y).mean();
  }
  double Accuracy(const at::Tensor& y) const {
    return (test.matmul(y) * test_labels > 0).to(at::kDouble).mean().item<double>();
  }

  at::Tensor train, train_labels, validation, validation_labels, test, test_labels;
};

// The classifier of the weights that make the validation loss least.
absl::StatusOr<double> Clean(const Cleaning& data, Penalty penalty) {
  BilevelProblem problem;
  problem.upper = [&](const at::Tensor&, const at::Tensor& y) { return data.ValidationLoss(y); };
  problem.lower = [&](const at::Tensor& x, const at::Tensor& y) { return data.TrainingLoss(x, y); };
  PenaltyOptions options;
  options.penalty = penalty;
  // The gradient of one example's weight is of the order of 1 / kTrain.
  options.step_x = 0.5 * kTrain;
  options.step_y = options.step_lower = 0.5;
  options.stop.set_max_iterations(3000);
  PLUMB_ASSIGN_OR_RETURN(const BilevelResult result,
                         MinimizeByPenalty(problem, at::zeros({kTrain}, at::kDouble),
                                           at::zeros({kDimension}, at::kDouble), options));
  return data.Accuracy(result.y);
}

// Plain gradient descent on a loss of y.
double Train(const Cleaning& data, const std::function<at::Tensor(const at::Tensor&)>& loss) {
  OracleCalls calls;
  at::Tensor y = at::zeros({kDimension}, at::kDouble);
  const at::Tensor none = at::zeros({1}, at::kDouble);
  for (int step = 0; step < 3000; ++step) {
    const auto function = [&](const at::Tensor&, const at::Tensor& at) { return loss(at); };
    y = y - 0.5 * GradientsOf(function, none, y, &calls).y;
  }
  return data.Accuracy(y);
}

absl::StatusOr<Comparison> RunCleaning(Penalty penalty, uint64_t seed) {
  const Cleaning data(seed);
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Clean(data, penalty));
  const at::Tensor all = at::zeros({kTrain}, at::kDouble) + 40;  // weights of 1
  const double polluted = Train(data, [&](const at::Tensor& y) { return data.TrainingLoss(all, y); });
  const double clean = Train(
      data, [&](const at::Tensor& y) { return data.ValidationLoss(y) + kRidge / 2 * y.square().sum(); });
  comparison.baseline = std::max(polluted, clean);
  return comparison;
}

// f = |y - t|^2 / 2 + |x|^2 / 4, g = |y - A x - b|^2 / 2: the solution is that of a ridge regression.
absl::StatusOr<double> LogDistance(double gamma, uint64_t seed) {
  const RandomStream random(seed, "penalty_distance");
  const at::Tensor a = random.Child("a").NormalTensor({6, 4}, at::kDouble),
                   b = random.Child("b").NormalTensor({6}, at::kDouble),
                   t = random.Child("t").NormalTensor({6}, at::kDouble);
  BilevelProblem problem;
  problem.upper = [&](const at::Tensor& x, const at::Tensor& y) {
    return (y - t).square().sum() / 2 + x.square().sum() / 4;
  };
  problem.lower = [&](const at::Tensor& x, const at::Tensor& y) {
    return (y - a.matmul(x) - b).square().sum() / 2;
  };
  PenaltyOptions options;
  options.gamma = gamma;
  options.step_x = options.step_y = 0.05;
  options.step_lower = 0.5;
  options.tolerance = 1e-9;
  options.stop.set_max_iterations(200000);
  PLUMB_ASSIGN_OR_RETURN(const BilevelResult result, MinimizeByPenalty(problem, at::zeros({4}, at::kDouble),
                                                                       at::zeros({6}, at::kDouble), options));
  const at::Tensor solution =
      at::linalg_solve(a.t().matmul(a) + at::eye(4, at::kDouble) / 2, a.t().matmul(t - b));
  return std::log10((result.x - solution).norm().item<double>());
}

absl::StatusOr<Comparison> RunDistance(uint64_t seed) {
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, LogDistance(100, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, LogDistance(10, seed));
  return comparison;
}

const char* const kShen =
    "Shen and Chen 2023, On Penalty-based Bilevel Gradient Descent Method (arXiv 2302.05185)";
const char* const kCleaningFigure =
    "accuracy on 2000 test examples, after training on 200 of which 40 % are mislabelled";
const char* const kCleaningBaseline = "the better of training on all examples and on the 50 clean ones";

const bool kRegistered =
    RegisterClaim(
        {"penalty_value_function", kShen,
         "Weights of training examples that a bilevel problem finds by first derivatives alone "
         "clean mislabelled data.",
         "V-PBGD", kCleaningBaseline, kCleaningFigure, /*lower_is_better=*/false, /*seeds=*/10,
         "200 weights are fitted to 50 clean examples of 20 features, from which they learn about as much "
         "as a classifier does; the paper compares with unrolling and with no cleaning, on MNIST.",
         [](uint64_t seed) { return RunCleaning(Penalty::kValueFunction, seed); }}) &&
    RegisterClaim({"penalty_lower_gradient", kShen,
                   "So do those found with the lower level's squared gradient as the penalty.", "G-PBGD",
                   kCleaningBaseline, kCleaningFigure, /*lower_is_better=*/false, /*seeds=*/10,
                   "as penalty_value_function.",
                   [](uint64_t seed) { return RunCleaning(Penalty::kLowerGradient, seed); }}) &&
    RegisterClaim(
        {"penalty_distance",
         "Kwon, Kwon, Wright and Nowak 2024, On Penalty Methods for Nonconvex Bilevel Optimization and "
         "First-Order Stochastic Approximation (arXiv 2309.01753)",
         "The penalised problem's solution is within O(sigma) of the bilevel one's: a tenth of sigma, a "
         "tenth "
         "of the distance.",
         "sigma = 1/100", "sigma = 1/10", "log10 of the distance to the solution; the claim is about -1",
         /*lower_is_better=*/true, /*seeds=*/5,
         "quadratic levels without noise; neither the stochastic form nor a lower level of several "
         "solutions.",
         RunDistance});

}  // namespace
}  // namespace plumb
