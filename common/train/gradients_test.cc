#include "common/train/gradients.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

NamedParameter WithGradient(const std::string& name, const at::Tensor& gradient) {
  NamedParameter parameter = {name, at::zeros(gradient.sizes(), gradient.scalar_type())};
  parameter.tensor.mutable_grad() = gradient;
  return parameter;
}

TEST(GradientsTest, NormAndClippingAreTorchs) {
  const auto golden =
      nlohmann::json::parse(ReadFile(Runfile("common/train/testdata/schedules.json")).value())["clipping"];
  for (const auto& test_case : golden["cases"]) {
    std::vector<NamedParameter> parameters;
    for (const std::vector<double> gradient : golden["gradients"]) {
      parameters.push_back(WithGradient("p", at::tensor(gradient, at::kFloat)));
    }
    parameters.push_back({"without a gradient", at::zeros({3})});
    const double norm = GlobalGradientNorm(parameters);
    EXPECT_NEAR(norm, test_case["norm"].get<double>(), 1e-6 * norm);
    ClipGradients(parameters, norm, test_case["max_norm"]);
    for (size_t i = 0; i < test_case["clipped"].size(); ++i) {
      const std::vector<double> expected = test_case["clipped"][i];
      for (size_t j = 0; j < expected.size(); ++j) {
        EXPECT_NEAR(parameters[i].tensor.grad()[j].item<double>(), expected[j], 1e-6) << i << " " << j;
      }
    }
  }
}

TEST(GradientsTest, TheNormDoesNotDependOnThreads) {
  const at::Tensor gradient = RandomStream(1, "g").NormalTensor({100003}, at::kFloat);
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    const std::vector<NamedParameter> parameters = {WithGradient("p", gradient.to(dtype))};
    at::set_num_threads(1);
    const double norm = GlobalGradientNorm(parameters);
    EXPECT_NEAR(norm, std::sqrt(100003), 3);
    for (const int threads : {2, 3, 5}) {
      at::set_num_threads(threads);
      EXPECT_EQ(GlobalGradientNorm(parameters), norm) << threads;
    }
  }
}

TEST(GradientsTest, NamesTheFirstThatIsNotFinite) {
  std::vector<NamedParameter> parameters = {
      WithGradient("a", at::tensor({1e38f, -1e38f, 1e38f})),  // their squares overflow f32
      {"none", at::zeros({2})},
      WithGradient("b", at::tensor({0.f, std::numeric_limits<float>::quiet_NaN()})),
      WithGradient("c", at::tensor({std::numeric_limits<float>::infinity()}))};
  EXPECT_EQ(FirstNonFiniteGradient(parameters), "b");
  EXPECT_FALSE(std::isfinite(GlobalGradientNorm(parameters)));
  parameters.erase(parameters.begin() + 2);
  EXPECT_EQ(FirstNonFiniteGradient(parameters), "c");
  parameters.pop_back();
  EXPECT_EQ(FirstNonFiniteGradient(parameters), "");
  EXPECT_TRUE(std::isfinite(GlobalGradientNorm(parameters)));
  ClearGradients(parameters);
  EXPECT_FALSE(parameters[0].tensor.grad().defined());
}

TEST(GradientsTest, SixteenBitParametersHaveWideSums) {
  // 256 + 1 + 1 in bf16 stays 256 when every sum is rounded.
  const auto accumulate = [](at::ScalarType dtype, bool widen) {
    at::Tensor weight = at::ones({1}, dtype).requires_grad_();
    if (widen) WidenGradients({{"p", weight}});
    for (const double part : {256., 1., 1.}) (weight * part).sum().backward();
    return weight.grad();
  };
  EXPECT_EQ(accumulate(at::kBFloat16, false).item<float>(), 256);
  EXPECT_EQ(accumulate(at::kBFloat16, true).item<float>(), 258);
  EXPECT_EQ(accumulate(at::kFloat, true).item<float>(), 258);
  EXPECT_EQ(accumulate(at::kBFloat16, true).scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace plumb
