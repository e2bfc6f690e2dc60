#include "optim/surrogate/target_surrogate.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

// z = X w, an ill-conditioned logistic regression: l(z) = mean of log(1 + exp(-y z)), 1/(4 n)-smooth in z.
class Logistic : public TargetModel {
 public:
  Logistic() {
    inputs_.select(1, 0).mul_(10);
    const at::Tensor logits = at::mv(inputs_, Numbers({6}, 0.9)) + Numbers({40}, 0.8);
    labels_ = (logits > 0).to(at::kDouble) * 2 - 1;
  }
  at::Tensor Targets() override { return at::mv(inputs_, weights); }
  void Backward(const at::Tensor& cotangent) override {
    const at::Tensor gradient = at::mv(inputs_.t(), cotangent);
    weights.mutable_grad() = weights.grad().defined() ? weights.grad() + gradient : gradient;
  }
  absl::Span<const NamedParameter> Parameters() override { return parameters_; }

  double Loss(const at::Tensor& z) const { return at::softplus(-labels_ * z).mean().item<double>(); }
  at::Tensor TargetGradient(const at::Tensor& z) const {
    return -labels_ * at::sigmoid(-labels_ * z) / labels_.numel();
  }
  double Eta() const { return 4.0 * labels_.numel(); }

  at::Tensor weights = at::zeros({6}, at::kDouble);

 private:
  std::vector<NamedParameter> parameters_ = {{"w", weights}};
  at::Tensor inputs_ = Numbers({40, 6}, 0.1);
  at::Tensor labels_;
};

// One inner step is a step of gradient descent on the loss.
TEST(SurrogateStepTest, OneInnerStepIsGradientDescent) {
  Logistic model;
  model.weights.copy_(Numbers({6}, 0.4));
  const at::Tensor gradient = model.TargetGradient(model.Targets());
  model.Backward(gradient);
  const at::Tensor expected = model.weights - 0.7 * model.weights.grad();
  SurrogateOptions options;
  options.eta = 3, options.inner_steps = 1, options.step_size = 0.7, options.line_search = false;
  EXPECT_EQ(SurrogateStep(&model, gradient, options).value().inner_steps, 1);
  EXPECT_LT(Difference(model.weights, expected), 1e-14);
}

// The paper's lemma: with eta = 1 / smoothness the surrogate is above the loss and touches it.
TEST(SurrogateStepTest, TheSurrogateIsAboveTheLoss) {
  Logistic model;
  const at::Tensor z = Numbers({40}, 0.5, 3), gradient = model.TargetGradient(z);
  for (int i = 0; i < 50; ++i) {
    const at::Tensor difference = Numbers({40}, i, 0.1 * (i + 1));
    const double surrogate = model.Loss(z) + (gradient * difference).sum().item<double>() +
                             difference.square().sum().item<double>() / (2 * model.Eta());
    EXPECT_GE(surrogate, model.Loss(z + difference) - 1e-12);
  }
}

// Many inner steps reach the surrogate's minimum: z_t - eta dl/dz projected onto what the model can give.
TEST(SurrogateStepTest, ManyInnerStepsProject) {
  Logistic model;
  const at::Tensor start = model.Targets(), gradient = model.TargetGradient(start);
  SurrogateOptions options;
  options.eta = 5, options.inner_steps = 6000, options.step_size = 1e-3;
  ASSERT_TRUE(SurrogateStep(&model, gradient, options).ok());
  model.weights.mutable_grad() = at::Tensor();
  model.Backward(model.Targets() -
                 (start - options.eta * gradient));  // the residual has no component in reach
  EXPECT_LT(model.weights.grad().abs().max().item<double>(), 1e-3);
}

// Full batch: every step lowers the loss, and for the same number of expensive gradients more inner steps
// lower it further.
TEST(SurrogateStepTest, InnerStepsSaveExpensiveGradients) {
  std::vector<double> losses;
  for (const int64_t inner_steps : {1, 10, 100}) {
    Logistic model;
    SurrogateOptions options;
    options.eta = model.Eta(), options.inner_steps = inner_steps;
    double loss = model.Loss(model.Targets());
    for (int step = 0; step < 30; ++step) {
      const auto summary = SurrogateStep(&model, model.TargetGradient(model.Targets()), options).value();
      EXPECT_GE(summary.decrease, 0);
      const double next = model.Loss(model.Targets());
      // At least by what the surrogate promised.
      EXPECT_LE(next, loss - summary.decrease + 1e-12);
      loss = next;
    }
    losses.push_back(loss);
  }
  EXPECT_LT(losses[1], losses[0]);
  EXPECT_LT(losses[2], losses[1]);
}

TEST(SurrogateStepTest, EndsWhereNothingIsLeftToDo) {
  Logistic model;
  const auto summary = SurrogateStep(&model, at::zeros({40}, at::kDouble), {}).value();
  EXPECT_EQ(summary.inner_steps, 0);
  EXPECT_EQ(Difference(model.weights, at::zeros({6}, at::kDouble)), 0);
}

TEST(SurrogateStepTest, SaysWhatIsWrong) {
  Logistic model;
  SurrogateOptions options;
  options.eta = 0;
  EXPECT_THAT(SurrogateStep(&model, at::zeros({40}, at::kDouble), options).status().message(),
              HasSubstr("eta 0"));
  EXPECT_THAT(SurrogateStep(&model, Numbers({40}, 0.1) / 0.0, {}).status().message(),
              HasSubstr("not finite"));
}

}  // namespace
}  // namespace plumb
