#include "optim/private/clipped_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "common/testing/testing.h"

namespace plumb {
namespace {

constexpr int64_t kExamples = 6;

// The loss of example i is scale[i] (a x_i + b)^2 / 2, of a step the mean; x_i [3], a and b of `dtype`.
class Squares : public TrainTask {
 public:
  explicit Squares(at::ScalarType dtype)
      : inputs(at::randn({kExamples, 3}, at::kDouble)),
        weight(at::randn({3}, at::kDouble).to(dtype).requires_grad_()),
        bias(at::randn({1}, at::kDouble).to(dtype).requires_grad_()) {}

  int64_t TrainExampleCount() const override { return kExamples; }
  int64_t ExampleTokens(int64_t) const override { return 1; }
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override {
    for (const int64_t i : micro_batch) {
      const at::Tensor x = inputs[i].to(weight.scalar_type());
      const at::Tensor error = (weight * x).sum() + bias[0];
      (error.square() * (static_cast<double>(i) / 2 / static_cast<double>(step.examples.size()))).backward();
      metrics->Add("loss", 1, 1);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<MetricSums> Evaluate(int64_t) override { return MetricSums(); }
  std::vector<NamedParameter> TrainableParameters() override { return {{"weight", weight}, {"bias", bias}}; }
  absl::Status SaveModel(const std::string&) override { return absl::OkStatus(); }

  // i (a x + b) (x, 1), [4].
  at::Tensor Gradient(int64_t i) const {
    const at::Tensor a = weight.detach().to(at::kDouble), b = bias.detach().to(at::kDouble);
    const at::Tensor rows = at::zeros({4}, at::kDouble);
    rows.narrow(0, 0, 3).copy_(inputs[i]);
    rows[3] = 1;
    return rows * (((a * inputs[i]).sum() + b[0]) * static_cast<double>(i));
  }

  at::Tensor inputs, weight, bias;
};

at::Tensor Sum(const Squares& task) {
  const at::Tensor sum = at::zeros({4}, at::kDouble);
  sum.narrow(0, 0, 3).copy_(task.weight.grad());
  sum.narrow(0, 3, 1).copy_(task.bias.grad());
  return sum;
}

TEST(ClippedTaskTest, AddsUpGradientsOfExamplesClippedOneByOne) {
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const double max_norm : {0.1, 2.0, 1e9}) {
      auto owned = std::make_unique<Squares>(dtype);
      const Squares& task = *owned;
      ClippedTask clipped(std::move(owned), max_norm);
      const std::vector<int64_t> examples = {4, 0, 5, 2};
      const TrainStep step = {3, examples, RandomStream(1, "step")};
      MetricSums metrics;
      PLUMB_ASSERT_OK(clipped.AccumulateGradients(step, {4, 0, 5}, &metrics));
      PLUMB_ASSERT_OK(clipped.AccumulateGradients(step, {2}, &metrics));
      const at::Tensor wanted = at::zeros({4}, at::kDouble);
      double share = 0;
      for (const int64_t i : examples) {
        const at::Tensor gradient = task.Gradient(i);
        const double norm = gradient.norm().item<double>();
        wanted.add_(gradient, norm > max_norm ? max_norm / norm : 1);
        share += norm > max_norm ? 0.25 : 0;
      }
      const double tolerance = dtype == at::kDouble ? 1e-12 : dtype == at::kFloat ? 1e-5 : 0.05;
      EXPECT_LE((Sum(task) - wanted).abs().max().item<double>(),
                tolerance * wanted.abs().max().item<double>())
          << dtype << " " << max_norm;
      EXPECT_EQ(task.weight.grad().scalar_type(), dtype == at::kDouble ? at::kDouble : at::kFloat);
      EXPECT_EQ(metrics.Means().at("clipped_gradients"), share);
      EXPECT_EQ(metrics.sums().at("loss").second, 4);
    }
  }
}

}  // namespace
}  // namespace plumb
