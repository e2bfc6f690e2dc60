#include "alignment/accelerated.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <vector>

namespace plumb {
namespace {

at::Tensor F64(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

void Set(const std::vector<double>& values, at::Tensor weight) { weight.detach().copy_(F64(values)); }

void ExpectNear(const at::Tensor& actual, const std::vector<double>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i].item<double>(), expected[i], 1e-12) << i;
}

TEST(AcceleratedIterates, GoOnInTheDirectionOfTheLastStep) {
  at::Tensor weight = F64({1, 2}).set_requires_grad(true);
  const std::vector<NamedParameter> parameters = {{"weight", weight}};
  AcceleratedIterates iterates;
  iterates.Start(parameters);
  Set({3, 2.5}, weight);  // trained
  iterates.Start(parameters);
  iterates.Extrapolate(0.5, parameters);
  ExpectNear(weight, {3 + 0.5 * 2, 2.5 + 0.5 * 0.5});
  Set({5, 2},
      weight);  // trained from there; the step is from the last trained weights, not from where it began
  iterates.Extrapolate(0.3, parameters);
  ExpectNear(weight, {5 + 0.3 * (5 - 3), 2 + 0.3 * (2 - 2.5)});
  iterates.Clear();
  iterates.Start(parameters);
  iterates.Extrapolate(0.3, parameters);
  ExpectNear(weight, {5.6, 1.85});
  EXPECT_TRUE(weight.requires_grad());
}

// Of a softmax policy: pi_{t+1} is proportional to pi^_{t+1} (pi^_{t+1} / pi^_t)^alpha.
TEST(AcceleratedIterates, IsThePapersUpdateOfDistributions) {
  const std::vector<double> before = {0.2, -1, 0.5, 2}, after = {0.7, -1.5, 0.1, 2.2};
  at::Tensor weight = F64(before);
  const std::vector<NamedParameter> parameters = {{"weight", weight}};
  AcceleratedIterates iterates;
  iterates.Start(parameters);
  Set(after, weight);
  iterates.Extrapolate(0.3, parameters);
  const at::Tensor p = at::log_softmax(F64(after), 0), q = at::log_softmax(F64(before), 0);
  const at::Tensor expected = at::log_softmax(p + 0.3 * (p - q), 0), actual = at::log_softmax(weight, 0);
  for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(actual[i].item<double>(), expected[i].item<double>(), 1e-12);
}

TEST(AcceleratedIterates, ARoundingOfBf16IsOne) {
  at::Tensor weight = F64({1}).to(at::kBFloat16);
  const std::vector<NamedParameter> parameters = {{"weight", weight}};
  AcceleratedIterates iterates;
  iterates.Start(parameters);
  weight.fill_(1.0078125);
  iterates.Extrapolate(0.6, parameters);
  EXPECT_EQ(weight[0].item<double>(), 1.015625);  // the nearest to 1.0125
}

}  // namespace
}  // namespace plumb
