#include "optim/implicit/penalized_logistic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <gmock/gmock.h>

#include <utility>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/implicit/stationary.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Inputs() { return Numbers({20, 4}, 0.5, 2); }
at::Tensor Labels() {
  return (at::mv(Inputs(), Numbers({4}, 0.4)) + Numbers({20}, 0.7) > 0).to(at::kDouble) * 2 - 1;
}
at::Tensor Theta() { return Numbers({4}, 0.8) - 2; }

at::Tensor Objective(const at::Tensor& w, const Parameters& theta) {
  return at::softplus(-Labels() * at::mv(Inputs(), w)).mean() + (theta[0].exp() * w.square()).sum() / 2;
}

PenalizedLogistic Fit(const at::Tensor& theta) {
  return PenalizedLogistic::Fit(Inputs(), Labels(), theta, 1e-12).value();
}

TEST(PenalizedLogisticTest, TheGradientVanishes) {
  const PenalizedLogistic fit = Fit(Theta());
  const at::Tensor w = fit.weights(), wrong = at::sigmoid(-Labels() * at::mv(Inputs(), w));
  const at::Tensor gradient = at::mv(Inputs().t(), -Labels() * wrong) / 20 + Theta().exp() * w;
  EXPECT_TRUE(fit.summary().converged()) << fit.summary().FullReport();
  EXPECT_LT(gradient.abs().max().item<double>(), 1e-12);
  EXPECT_NEAR(fit.summary().value, Objective(w, {Theta()}).item<double>(), 1e-14);
}

TEST(PenalizedLogisticTest, ProductsAreFiniteDifferences) {
  const at::Tensor cotangent = Numbers({4}, 0.2), tangent = Numbers({4}, 0.6);
  const PenalizedLogistic fit = Fit(Theta());
  const at::Tensor moved =
      (Fit(Theta() + 1e-5 * tangent).weights() - Fit(Theta() - 1e-5 * tangent).weights()) / 2e-5;
  EXPECT_LT(Difference(fit.Jvp(tangent), moved), 1e-9);
  EXPECT_NEAR((fit.Vjp(cotangent) * tangent).sum().item<double>(), (cotangent * moved).sum().item<double>(),
              1e-9);
}

TEST(PenalizedLogisticTest, AgreesWithTheGeneralForm) {
  const PenalizedLogistic fit = Fit(Theta());
  ImplicitOptions options;
  options.linear.set_relative_tolerance(1e-12);
  const auto general =
      ImplicitVjp(StationaryCondition(Objective), fit.weights(), {Theta()}, Numbers({4}, 0.2), options);
  EXPECT_LT(Difference(fit.Vjp(Numbers({4}, 0.2)), general->gradients[0]), 1e-10);
}

// Rows and columns that fill neither vectors nor tiles; two tiles of columns, and enough for two threads.
TEST(PenalizedLogisticTest, AgreesWithTheGeneralFormAtOddSizes) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{21, 7}, {43, 9}, {500, 66}}) {
    const at::Tensor inputs = Numbers({rows, columns}, 0.5), theta = Numbers({columns}, 0.8) - 2;
    const at::Tensor labels = (Numbers({rows}, 0.7) > 0).to(at::kDouble) * 2 - 1;
    const auto fit = PenalizedLogistic::Fit(inputs, labels, theta, 1e-12);
    const auto objective = [&](const at::Tensor& w, const Parameters& parameters) {
      return at::softplus(-labels * at::mv(inputs, w)).mean() + (parameters[0].exp() * w.square()).sum() / 2;
    };
    ImplicitOptions options;
    options.linear.set_relative_tolerance(1e-12);
    const auto general = ImplicitVjp(StationaryCondition(objective), fit->weights(), {theta},
                                     Numbers({columns}, 0.2), options);
    EXPECT_LT(Difference(fit->Vjp(Numbers({columns}, 0.2)), general->gradients[0]), 1e-10);
  }
}

// Data that a plane separates, hardly any penalty, and a start where nearly all probabilities are 0 or 1:
// full Newton steps from there leave for infinity.
TEST(PenalizedLogisticTest, ConvergesFromAfar) {
  const at::Tensor theta = Theta() - 4;
  const auto far = PenalizedLogistic::Fit(Inputs(), Labels(), theta, 1e-10, {}, Numbers({4}, 0.3, 60));
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_TRUE(far->summary().converged()) << far->summary().FullReport();
  EXPECT_LT(Difference(far->weights(), Fit(theta).weights()), 1e-6);
}

TEST(PenalizedLogisticTest, SaysWhatIsWrong) {
  const auto message = [](const at::Tensor& inputs, const at::Tensor& labels, const at::Tensor& theta) {
    return std::string(PenalizedLogistic::Fit(inputs, labels, theta).status().message());
  };
  EXPECT_THAT(message(Inputs(), Labels() * 2, Theta()), HasSubstr("labels: expected 1 or -1"));
  EXPECT_THAT(message(Inputs(), Labels(), Numbers({3}, 0.1)), HasSubstr("theta: shape [3], expected [4]"));
  EXPECT_THAT(message(Inputs() / 0, Labels(), Theta()), HasSubstr("not finite"));
  StopOptions stop;
  stop.set_max_iterations(1);
  const auto stopped = PenalizedLogistic::Fit(Inputs(), Labels(), Theta(), 1e-12, stop);
  EXPECT_EQ(stopped->summary().termination, Termination::kMaxIterations);
}

}  // namespace
}  // namespace plumb
