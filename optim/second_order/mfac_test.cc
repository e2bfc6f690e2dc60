#include "optim/second_order/mfac.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "common/kernels/gradient_testing.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

using testing::HasSubstr;

std::unique_ptr<Optimizer> NewMFac(const std::string& text, const std::vector<NamedParameter>& parameters) {
  MFacConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return MFac::Create(config, parameters).value();
}

// With one gradient in a window of m: F^-1 g = g / (damp + |g|^2 / m), over all parameters together.
TEST(MFacTest, TheFirstStepHasAClosedForm) {
  at::Tensor a = at::full({2, 3}, 1.0, at::kDouble), b = at::full({4}, 1.0, at::kDouble);
  auto optimizer = NewMFac("ngrads: 5 damp: 0.1 weight_decay: 0.5", {{"a", a}, {"b.bias", b}});
  a.mutable_grad() = Numbers({2, 3}, 0.1);
  b.mutable_grad() = Numbers({4}, 0.2);
  const at::Tensor g = at::cat({(a.grad() + 0.5).flatten(), b.grad()});  // no decay of biases
  const at::Tensor expected = 1 - 0.3 * g / (0.1 + g.square().sum() / 5);
  optimizer->Step(0.3);
  EXPECT_LT(Difference(at::cat({a.flatten(), b}), expected), 1e-14);
}

TEST(MFacTest, MomentumAveragesTheProducts) {
  at::Tensor weights = at::zeros({6}, at::kDouble);
  auto optimizer = NewMFac("ngrads: 3 damp: 0.1 momentum: 0.8", {{"a", weights}});
  SlidingInverseFisher fisher(3, 6, 0.1, at::kDouble);
  at::Tensor velocity = at::zeros({6}, at::kDouble), expected = at::zeros({6}, at::kDouble);
  for (int step = 0; step < 7; ++step) {
    weights.mutable_grad() = Numbers({6}, step);
    fisher.Push(weights.grad());
    velocity = 0.8 * velocity + 0.2 * fisher.MultiplyNewest();
    expected = expected - 0.1 * velocity;
    optimizer->Step(0.1);
  }
  EXPECT_LT(Difference(weights, expected), 1e-13);
}

// Gradients whose covariance is the Hessian, as those of a well-specified likelihood: one rate suits all
// directions, where a plain step at its largest stable rate stands still in the flat ones.
TEST(MFacTest, DescendsAnIllConditionedQuadratic) {
  const RandomStream random(1, "x");
  const at::Tensor scales = at::cat({at::full({5}, 1e4, at::kDouble), at::full({5}, 1.0, at::kDouble)});
  at::Tensor weights = scales.rsqrt(), plain = weights.clone();
  auto optimizer = NewMFac("ngrads: 64 damp: 1e-3", {{"a", weights}});
  for (int step = 0; step < 300; ++step) {
    const at::Tensor noise = scales.sqrt() * random.Child(step).NormalTensor({10}, at::kDouble);
    weights.mutable_grad() = scales * weights + noise;
    optimizer->Step(0.1);
    plain -= 1e-4 * (scales * plain + noise);
  }
  const auto loss = [&](const at::Tensor& w) { return (scales * w.square()).sum().item<double>(); };
  EXPECT_LT(loss(weights), 0.5 * loss(plain));
}

TEST(MFacTest, AParameterWithoutAGradientStays) {
  at::Tensor a = at::zeros({3}), b = at::full({2}, 7.0);
  auto optimizer = NewMFac("ngrads: 4", {{"a", a}, {"b", b}});
  for (int step = 0; step < 3; ++step) {
    a.mutable_grad() = at::full({3}, 1.0);
    if (step == 0) b.mutable_grad() = at::full({2}, 1.0);
    const at::Tensor before = b.clone();
    if (step > 0) b.mutable_grad() = at::Tensor();
    optimizer->Step(0.1);
    EXPECT_EQ(at::equal(b, before), step > 0);
  }
}

TEST(MFacTest, SixteenBitParametersAreRoundedMasters) {
  at::Tensor half = at::full({8}, 1.0, at::kBFloat16), single = at::full({8}, 1.0);
  auto for_half = NewMFac("ngrads: 4 damp: 10", {{"a", half}});
  auto for_single = NewMFac("ngrads: 4 damp: 10", {{"a", single}});
  for (int step = 0; step < 50; ++step) {
    half.mutable_grad() = Numbers({8}, step).to(at::kBFloat16);
    single.mutable_grad() = half.grad().to(at::kFloat);
    for_half->Step(1e-3);
    for_single->Step(1e-3);
  }
  EXPECT_TRUE(at::equal(half, single.to(at::kBFloat16)));
  EXPECT_EQ(for_half->State().count("master.a"), 1);
}

TEST(MFacTest, SaysWhatDoesNotFit) {
  const at::Tensor weights = at::zeros({4});
  auto optimizer = NewMFac("ngrads: 2", {{"a", weights}});
  auto state = optimizer->State();
  state["gradients"] = at::zeros({3, 4});
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("gradients has [3, 4] Float"));
  state.erase("gradients");
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("no optimizer state gradients"));
  MFacConfig config;
  config.set_ngrads(2000000000);
  EXPECT_THAT(MFac::Create(config, {{"a", weights}}).status().message(), HasSubstr("lower ngrads"));
}

}  // namespace
}  // namespace plumb
