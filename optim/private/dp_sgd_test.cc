#include "optim/private/dp_sgd.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/private/ghost_norm.h"

namespace plumb {
namespace {

using testing::HasSubstr;

// weight -= rate * gradient, counting steps.
class PlainSgd : public Optimizer {
 public:
  explicit PlainSgd(std::vector<NamedParameter> parameters) : parameters_(std::move(parameters)) {}
  double learning_rate() const override { return 0.5; }
  void Step(double learning_rate) override {
    for (NamedParameter& parameter : parameters_) {
      parameter.tensor.sub_(learning_rate * parameter.tensor.grad());
      parameter.tensor.mutable_grad() = at::Tensor();
    }
    steps_.add_(1);
  }
  std::map<std::string, at::Tensor> State() const override { return {{"sgd.steps", steps_}}; }
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override {
    if (state.size() != 1) return absl::InvalidArgumentError("one tensor was expected");
    steps_.copy_(state.at("sgd.steps"));
    return absl::OkStatus();
  }

 private:
  std::vector<NamedParameter> parameters_;
  at::Tensor steps_ = at::scalar_tensor(0, at::kLong);
};

std::unique_ptr<DpSgd> NewDpSgd(const DpSgdOptions& options, const std::vector<NamedParameter>& parameters) {
  return DpSgd::Create(options, parameters, std::make_unique<PlainSgd>(parameters), RandomStream(1, "noise"))
      .value();
}

TEST(ClippingTest, FactorsLeaveShortGradientsAlone) {
  const at::Tensor factors = ClippingFactors(at::tensor({0.0, 0.25, 1.0, 16.0}, at::kDouble), 1);
  EXPECT_TRUE(at::equal(factors, at::tensor({1.0, 1.0, 1.0, 0.25}, at::kDouble)));
}

// A linear layer with a bias under the squared error: the clipped sum by ghost norms and scaled output
// gradients, whole and in micro-batches, is that of explicit gradients.
TEST(ClippingTest, GhostClippedSumIsThatOfExplicitGradients) {
  constexpr double kMaxNorm = 0.7;
  const std::vector<int64_t> offsets = {0, 3, 4, 9, 11};
  const at::Tensor a = Numbers({11, 3}, 0.1), d = Numbers({11, 2}, 0.2);

  at::Tensor weight = at::zeros({2, 3}, at::kDouble), bias = at::zeros({2}, at::kDouble);
  int clipped = 0;
  for (int b = 0; b < 4; ++b) {
    const at::Tensor own = d.slice(0, offsets[b], offsets[b + 1]);
    const at::Tensor weight_gradient = at::mm(own.t(), a.slice(0, offsets[b], offsets[b + 1]));
    const at::Tensor bias_gradient = own.sum(0);
    const double norm =
        std::sqrt((weight_gradient.square().sum() + bias_gradient.square().sum()).item<double>());
    clipped += norm > kMaxNorm;
    const double factor = std::min(1.0, kMaxNorm / norm);
    weight += factor * weight_gradient;
    bias += factor * bias_gradient;
  }
  ASSERT_GT(clipped, 0);

  for (const std::vector<int>& borders : {std::vector<int>{0, 4}, {0, 1, 4}, {0, 2, 3, 4}}) {
    at::Tensor weight_sum = at::zeros_like(weight), bias_sum = at::zeros_like(bias);
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      const int64_t begin = offsets[borders[i]], end = offsets[borders[i + 1]];
      std::vector<int64_t> own_offsets;
      for (int b = borders[i]; b <= borders[i + 1]; ++b) own_offsets.push_back(offsets[b] - begin);
      const at::Tensor own_a = a.slice(0, begin, end), own_d = d.slice(0, begin, end);
      const at::Tensor factors = ClippingFactors(
          LinearSquaredNorms(own_a, {own_d}, own_offsets) + BiasSquaredNorms(own_d, own_offsets), kMaxNorm);
      const at::Tensor scaled = ScaleByExample(own_d, factors, own_offsets);
      weight_sum += at::mm(scaled.t(), own_a);
      bias_sum += scaled.sum(0);
    }
    EXPECT_LT(Difference(weight_sum, weight), 1e-12);
    EXPECT_LT(Difference(bias_sum, bias), 1e-12);
  }
}

TEST(DpSgdTest, AStepIsTheNoisySumOverTheExpectedBatch) {
  at::Tensor a = at::zeros({40000}, at::kDouble), b = at::zeros({3}, at::kDouble);
  auto optimizer = NewDpSgd({/*noise_multiplier=*/2, /*max_grad_norm=*/0.5, /*sampling_rate=*/0.1,
                             /*examples=*/50},
                            {{"a", a}, {"b", b}});
  a.mutable_grad() = at::full({40000}, 3.0, at::kDouble);
  optimizer->Step(1);
  // The gradient is (3 + N(0, 1)) / 5; b had none and moves by noise alone.
  EXPECT_NEAR(a.mean().item<double>(), -0.6, 5 * 0.2 / 200);
  EXPECT_NEAR(a.std().item<double>(), 0.2, 5 * 0.2 / 280);
  EXPECT_GT(b.abs().min().item<double>(), 0);
  EXPECT_EQ(optimizer->Spent().steps, 1);
  // Fresh noise each step.
  const at::Tensor before = b.clone();
  optimizer->Step(1);
  EXPECT_GT((b - 2 * before).abs().min().item<double>(), 1e-6);
}

TEST(DpSgdTest, StateContinuesBitForBit) {
  const DpSgdOptions options = {1, 1, 0.1, 50};
  const auto train = [&](int steps_before, int steps_after) {
    at::Tensor weight = at::zeros({100});
    auto optimizer = NewDpSgd(options, {{"a", weight}});
    for (int i = 0; i < steps_before; ++i) optimizer->Step(0.5);
    auto resumed = NewDpSgd(options, {{"a", weight}});
    PLUMB_EXPECT_OK(resumed->LoadState(optimizer->State()));
    for (int i = 0; i < steps_after; ++i) resumed->Step(0.5);
    EXPECT_EQ(resumed->Spent().steps, 4);
    EXPECT_EQ(resumed->State().at("sgd.steps").item<int64_t>(), 4);
    return weight;
  };
  EXPECT_TRUE(at::equal(train(4, 0), train(1, 3)));
}

TEST(DpSgdTest, ThreadsDoNotChangeTheNoise) {
  std::vector<at::Tensor> results;
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    results.push_back(at::zeros({70001}));
    NewDpSgd({1, 1, 0.1, 50}, {{"a", results.back()}})->Step(1);
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST(DpSgdTest, SaysWhatIsWrong) {
  const auto message = [](const DpSgdOptions& options) {
    return std::string(DpSgd::Create(options, {}, nullptr, RandomStream(1, "")).status().message());
  };
  EXPECT_THAT(message({0, 1, 0.1, 5}), HasSubstr("noise multiplier 0"));
  EXPECT_THAT(message({1, 0, 0.1, 5}), HasSubstr("max_grad_norm 0"));
  EXPECT_THAT(message({1, 1, 0, 5}), HasSubstr("sampling rate 0"));
  EXPECT_THAT(message({1, 1, 0.1, 0}), HasSubstr("examples 0"));
  auto optimizer = NewDpSgd({1, 1, 0.1, 5}, {{"a", at::zeros({1})}});
  auto state = optimizer->State();
  state["dp_sgd.steps"] = at::zeros({2});
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("must be one int64"));
  state.erase("dp_sgd.steps");
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("no optimizer state dp_sgd.steps"));
}

}  // namespace
}  // namespace plumb
