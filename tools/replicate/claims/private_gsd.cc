// Liu, Tang, Vietri and Wu 2023: a genetic algorithm answers queries without derivatives better than descent
// on smoothed ones.

#include "optim/private/private_gsd.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/adamw.h"
#include "optim/optimizer.pb.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kPeople = 20000, kColumns = 6, kQueries = 200, kRows = 200;
constexpr double kEpsilon = 1, kDelta = 1e-6;

// Rows in [0, 1]: a mixture of three clusters, cut off at the sides.
at::Tensor Population(const RandomStream& random) {
  const at::Tensor centers = random.Child("centers").UniformTensor({3, kColumns}, at::kDouble);
  const at::Tensor cluster =
      (random.Child("cluster").UniformTensor({kPeople}, at::kDouble) * 3).to(at::kLong);
  return (centers.index_select(0, cluster) +
          0.15 * random.Child("spread").NormalTensor({kPeople, kColumns}, at::kDouble))
      .clamp(0, 1)
      .contiguous();
}

// Gradient descent on the rows through sigmoids for the half-spaces' steps, sharper and sharper: what RAP++
// (Vietri et al. 2022, arXiv 2209.07400) does to threshold queries. The best of both learning rates by its
// own noisy objective.
at::Tensor SmoothedDescent(const at::Tensor& weights, const at::Tensor& thresholds, const at::Tensor& targets,
                           const QueryFamily& queries, const RandomStream& random) {
  at::Tensor best;
  double best_error = INFINITY;
  for (const double learning_rate : {0.003, 0.03}) {
    at::Tensor rows = random.UniformTensor({kRows, kColumns}, at::kDouble).requires_grad_(true);
    AdamW adam(AdamWConfig(), {{"rows", rows}});
    for (double sharpness = 4; sharpness <= 256; sharpness *= 2) {
      for (int step = 0; step < 300; ++step) {
        const at::Tensor margins = thresholds - rows.matmul(weights.t());
        const at::Tensor answers = at::sigmoid(sharpness * margins).mean(0);
        rows.mutable_grad() = at::Tensor();
        (answers - targets).square().sum().backward();
        adam.Step(learning_rate);
        rows.detach().clamp_(0, 1);
      }
    }
    const at::Tensor found = rows.detach().contiguous();
    const double error =
        (at::tensor(Answers(queries, found), at::kDouble) - targets).square().sum().item<double>();
    if (error < best_error) best = found.clone(), best_error = error;
  }
  return best;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const RandomStream random(seed, "private gsd");
  const at::Tensor data = Population(random.Child("population"));
  const at::Tensor weights = random.Child("weights").NormalTensor({kQueries, kColumns}, at::kDouble);
  // Through a point of the unit cube each.
  const at::Tensor points = random.Child("points").UniformTensor({kQueries, kColumns}, at::kDouble);
  const at::Tensor thresholds = (weights * points).sum(1);
  const auto queries = HalfSpaceQueries(weights, thresholds);
  PLUMB_ASSIGN_OR_RETURN(const double rho, ZcdpRho(kEpsilon, kDelta));
  const std::vector<double> noisy = NoisyAnswers(*queries, data, rho, random.Child("noise"));
  const at::Tensor exact = at::tensor(Answers(*queries, data), at::kDouble);
  const auto error = [&](const at::Tensor& synthetic) {
    return (at::tensor(Answers(*queries, synthetic), at::kDouble) - exact).abs().mean().item<double>();
  };

  PrivateGsdOptions options;
  options.rows = kRows;
  const std::vector<Column> columns(kColumns);
  PLUMB_ASSIGN_OR_RETURN(const PrivateGsdResult genetic,
                         PrivateGsd(columns, *queries, noisy, options, random.Child("search")));
  const at::Tensor smoothed =
      SmoothedDescent(weights, thresholds, at::tensor(noisy, at::kDouble), *queries, random.Child("start"));
  return Comparison{error(genetic.dataset), error(smoothed)};
}

const bool kRegistered = RegisterClaim(
    {"private_gsd",
     "Liu, Tang, Vietri and Wu 2023, Generating Private Synthetic Data with Genetic Algorithms (arXiv "
     "2306.03257)",
     "From the same noisy answers to half-space queries, which have no derivative, a genetic algorithm makes "
     "data with smaller errors than gradient descent on smoothed queries.",
     "Private-GSD", "Adam through sharpening sigmoids",
     "mean absolute error of 200 half-space queries on 200 synthetic rows for 20000 people, epsilon 1, delta "
     "1e-6",
     /*lower_is_better=*/true, /*seeds=*/5,
     "synthetic people of six real columns instead of the American Community Survey; the baseline is the "
     "relaxation of RAP++ without its adaptive choice of queries. Errors of both are of the size of the "
     "noise, 0.003 in the mean, which the genetic algorithm fits the more closely; sigmoids smooth it away.",
     Run});

}  // namespace
}  // namespace plumb
