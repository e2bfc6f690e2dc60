#include "optim/zeroth_order/zeroth_order_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/testing/testing.h"
#include "common/train/gradients.h"
#include "common/train/tiny_task.h"

namespace plumb {
namespace {

const std::vector<int64_t> kExamples = {0, 3, 5, 8, 9};

// 3 a - 2 b of a = 3e4, b = 0.5, in f64 of f32 weights.
class Linear : public TrainTask {
 public:
  int64_t TrainExampleCount() const override { return 1; }
  int64_t ExampleTokens(int64_t) const override { return 1; }
  absl::Status AccumulateGradients(const TrainStep&, absl::Span<const int64_t>,
                                   MetricSums* metrics) override {
    metrics->Add("loss", 3 * weight[0].item<double>() - 2 * weight[1].item<double>(), 1);
    return absl::OkStatus();
  }
  absl::StatusOr<MetricSums> Evaluate(int64_t) override { return MetricSums(); }
  std::vector<NamedParameter> TrainableParameters() override { return {{"weight", weight}}; }
  absl::Status SaveModel(const std::string&) override { return absl::OkStatus(); }

  at::Tensor weight = at::tensor({3e4f, 0.5f}).requires_grad_();
};

struct Estimate {
  at::Tensor gradient;  // of all parameters, [6] f64
  std::map<std::string, double> metrics;
  std::string weights;  // afterwards, their bytes
};

// Of step `index`, in two micro-batches; weights are 0 but for the first, 0.3.
template <typename Make>
Estimate EstimateOf(at::ScalarType dtype, int64_t index, Make make) {
  auto owned = std::make_unique<TinyTask>(dtype);
  TinyTask& tiny = *owned;
  tiny.TrainableParameters()[0].tensor.detach()[0] = 0.3;
  const std::unique_ptr<TrainTask> task = make(std::move(owned));
  const TrainStep step = {index, kExamples, RandomStream(7, "step").Child(index)};
  const std::vector<NamedParameter> parameters = task->TrainableParameters();
  WidenGradients(parameters);
  MetricSums metrics;
  PLUMB_EXPECT_OK(task->AccumulateGradients(step, absl::MakeConstSpan(kExamples).subspan(0, 2), &metrics));
  PLUMB_EXPECT_OK(task->AccumulateGradients(step, absl::MakeConstSpan(kExamples).subspan(2), &metrics));
  std::vector<at::Tensor> gradients;
  for (const NamedParameter& parameter : parameters)
    gradients.push_back(parameter.tensor.grad().to(at::kDouble));
  return {at::cat(gradients), metrics.Means(), tiny.Bytes()};
}

Estimate Exact(at::ScalarType dtype, int64_t index = 0) {
  return EstimateOf(dtype, index, [](std::unique_ptr<TrainTask> task) { return task; });
}

Estimate Estimated(const ZerothOrder& options, at::ScalarType dtype, int64_t index = 0) {
  return EstimateOf(dtype, index, [&](std::unique_ptr<TrainTask> task) -> std::unique_ptr<TrainTask> {
    return std::make_unique<ZerothOrderTask>(std::move(task), options, RandomStream(1, "zeroth order"));
  });
}

// The loss is quadratic with a curvature of about 2: a forward difference is off by mu.
TEST(ZerothOrderTaskTest, AllCoordinatesAreTheGradient) {
  ZerothOrder options;
  options.set_mu(1e-4);
  options.mutable_sparse_coordinates()->set_density(1);
  const Estimate exact = Exact(at::kDouble), estimate = Estimated(options, at::kDouble);
  EXPECT_LT((exact.gradient - estimate.gradient).abs().max().item<double>(), 1e-3);
  EXPECT_GT(exact.gradient.abs().min().item<double>(), 1e-2);
  EXPECT_EQ(estimate.metrics, exact.metrics);
  EXPECT_EQ(estimate.weights, exact.weights);
}

// Of 32 bits a weight of 3e4 moves by 1 / 512 where mu is 1e-3: its difference is divided by that.
TEST(ZerothOrderTaskTest, DividesByWhatAWeightMovedBy) {
  ZerothOrder options;
  options.mutable_sparse_coordinates()->set_density(1);
  auto owned = std::make_unique<Linear>();
  const at::Tensor weight = owned->weight;
  ZerothOrderTask task(std::move(owned), options, RandomStream(1, "zeroth order"));
  MetricSums metrics;
  const std::vector<int64_t> one = {0};
  PLUMB_ASSERT_OK(task.AccumulateGradients({0, one, RandomStream(7, "step")}, one, &metrics));
  EXPECT_NEAR(weight.grad()[0].item<double>(), 3, 1e-6);
  EXPECT_NEAR(weight.grad()[1].item<double>(), -2, 1e-2);
}

TEST(ZerothOrderTaskTest, RandomDirectionsAreUnbiased) {
  ZerothOrder options;
  options.mutable_random_directions()->set_count(4000);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const Estimate exact = Exact(dtype), estimate = Estimated(options, dtype);
    // A direction's estimate has the variance |g|^2 (6 + 1) in all.
    const double error = (exact.gradient - estimate.gradient).norm().item<double>();
    EXPECT_LT(error, 3 * exact.gradient.norm().item<double>() * std::sqrt(7.0 / 4000));
    EXPECT_EQ(estimate.metrics, exact.metrics);
    EXPECT_EQ(estimate.weights, exact.weights);
  }
  // Other steps, other directions.
  options.mutable_random_directions()->set_count(1);
  EXPECT_FALSE(
      Estimated(options, at::kDouble, 0).gradient.equal(Estimated(options, at::kDouble, 1).gradient));
}

TEST(ZerothOrderTaskTest, CoordinatesAreDrawnAnew) {
  ZerothOrder options;
  options.set_mu(1e-4);
  options.mutable_sparse_coordinates()->set_density(0.5);
  options.mutable_sparse_coordinates()->set_redraw_steps(2);
  std::vector<at::Tensor> chosen;
  for (const int64_t index : {0, 1, 2, 4}) {
    const Estimate exact = Exact(at::kDouble, index), estimate = Estimated(options, at::kDouble, index);
    const at::Tensor is_chosen = estimate.gradient != 0;
    EXPECT_EQ(is_chosen.sum().item<int64_t>(), 3 + 1);  // of five weights, and the bias
    EXPECT_LT(((exact.gradient - estimate.gradient) * is_chosen).abs().max().item<double>(), 1e-3);
    EXPECT_EQ(estimate.weights, exact.weights);
    chosen.push_back(is_chosen);
  }
  EXPECT_TRUE(chosen[0].equal(chosen[1]));
  EXPECT_FALSE(chosen[0].equal(chosen[2]) && chosen[2].equal(chosen[3]));
}

TEST(ZerothOrderTaskTest, ARunThatGoesOnKnowsTheDensities) {
  ZerothOrder options;
  const auto make = [&] {
    auto owned = std::make_unique<TinyTask>(at::kDouble);
    owned->TrainableParameters()[0].tensor.detach()[0] = 0.3;
    return ZerothOrderTask(std::move(owned), options, RandomStream(1, "zeroth order"));
  };
  const auto step = [](ZerothOrderTask* task) {
    MetricSums metrics;
    PLUMB_EXPECT_OK(task->AccumulateGradients({0, kExamples, RandomStream(7, "step")}, kExamples, &metrics));
  };
  EXPECT_TRUE(make().State().empty());
  options.mutable_sparse_coordinates()->set_density(0.4);
  ZerothOrderTask task = make();
  EXPECT_TRUE(task.State()[0].tensor.isnan().all().item<bool>());
  step(&task);
  // Of five weights two; the bias, which is zero, has no scores.
  EXPECT_NEAR(task.State()[0].tensor[0].item<double>(), 0.4, 1e-12);
  EXPECT_EQ(task.State()[0].tensor[1].item<double>(), 0.4);
  ZerothOrderTask resumed = make();
  resumed.State()[0].tensor.copy_(at::tensor({0.0, 1.0}, at::kDouble));
  step(&resumed);
  const std::vector<NamedParameter> parameters = resumed.TrainableParameters();
  EXPECT_EQ(parameters[0].tensor.grad().count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(parameters[1].tensor.grad().count_nonzero().item<int64_t>(), 1);
}

TEST(ZerothOrderTaskTest, SaysWhereALossIsNotFinite) {
  for (const bool sparse : {false, true}) {
    ZerothOrder options;
    options.set_mu(1e200);
    if (sparse) options.mutable_sparse_coordinates()->set_density(1);
    auto owned = std::make_unique<TinyTask>(at::kDouble);
    TinyTask& tiny = *owned;
    const std::string before = tiny.Bytes();
    ZerothOrderTask task(std::move(owned), options, RandomStream(1, "zeroth order"));
    MetricSums metrics;
    const absl::Status status =
        task.AccumulateGradients({0, kExamples, RandomStream(7, "step")}, kExamples, &metrics);
    EXPECT_TRUE(absl::StrContains(status.message(), "lower mu")) << status.message();
    EXPECT_EQ(tiny.Bytes(), before);
  }
}

}  // namespace
}  // namespace plumb
