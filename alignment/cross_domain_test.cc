#include "alignment/cross_domain.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <vector>

namespace plumb {
namespace {

std::vector<double> Values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<double>(), tensor.const_data_ptr<double>() + tensor.numel()};
}

class CrossDomain : public testing::Test {
 protected:
  void Set(const std::vector<double>& values) { weight_.copy_(at::tensor(values, at::kDouble)); }

  at::Tensor weight_ = at::tensor({1.0, -2.0}, at::kDouble);
  const std::vector<NamedParameter> parameters_ = {{"weight", weight_}};
};

TEST_F(CrossDomain, CombinesWhatTheMemoryLikesBest) {
  CrossDomainModules modules;
  modules.StartDomain(parameters_);
  Set({3, -2});
  int64_t asked = 0;
  const auto loss = [&](double x, double y) {
    return [&, x, y]() -> absl::StatusOr<double> {
      ++asked;
      const std::vector<double> w = Values(weight_);
      return (w[0] - x) * (w[0] - x) + (w[1] - y) * (w[1] - y);
    };
  };
  // The first domain is what it is.
  auto weights = modules.EndDomain(4, loss(100, 100), parameters_);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(Values(weight_), (std::vector<double>{3, -2}));
  // c_1 = (2, 0); the second begins where the first did.
  modules.StartDomain(parameters_);
  EXPECT_EQ(Values(weight_), (std::vector<double>{1, -2}));
  Set({1, 2});  // changes (0, 4)
  weights = modules.EndDomain(4, loss(1 + 2 * 0.5, -2 + 4 * 0.75), parameters_);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(weights->before, 0.5);
  EXPECT_EQ(weights->now, 0.75);
  EXPECT_EQ(asked, 25);
  EXPECT_EQ(Values(weight_), (std::vector<double>{2, 1}));
  // c_2 = (1, 3) goes on into the third.
  modules.StartDomain(parameters_);
  Set({1 - 8, -2});  // changes (-8, 0)
  weights = modules.EndDomain(2, loss(1 + 1 - 4, -2 + 3), parameters_);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(weights->before, 1);
  EXPECT_EQ(weights->now, 0.5);
  EXPECT_EQ(Values(weight_), (std::vector<double>{-2, 1}));

  modules.Clear();
  modules.StartDomain(parameters_);
  EXPECT_EQ(Values(weight_), (std::vector<double>{-2, 1}));
}

TEST_F(CrossDomain, OfEqualLossesTheLastDomainCountsMost) {
  CrossDomainModules modules;
  modules.StartDomain(parameters_);
  Set({2, 0});
  ASSERT_TRUE(modules
                  .EndDomain(
                      1, [] { return 0.0; }, parameters_)
                  .ok());
  modules.StartDomain(parameters_);
  Set({5, 5});
  const auto weights = modules.EndDomain(
      1, [] { return 7.0; }, parameters_);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(weights->before, 1);
  EXPECT_EQ(weights->now, 1);
  EXPECT_FALSE(
      modules
          .EndDomain(
              1, []() -> absl::StatusOr<double> { return absl::CancelledError("stop"); }, parameters_)
          .ok());
}

}  // namespace
}  // namespace plumb
