#include "common/kernels/gradient_testing.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace plumb {

at::Tensor Numbers(at::IntArrayRef sizes, double phase, double scale) {
  const int64_t count = c10::multiply_integers(sizes);
  return (at::sin(at::arange(count, at::kDouble).square() * 0.37 + phase) * scale).view(sizes);
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

void ExpectGradientsAreFiniteDifferences(const std::vector<at::Tensor>& inputs,
                                         absl::FunctionRef<at::Tensor()> compute) {
  const auto value = [&] {
    const at::Tensor output = compute();
    return (output * Numbers(output.sizes(), 0.5)).sum();
  };
  const auto gradients = torch::autograd::grad({value()}, inputs);
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(inputs[i].is_contiguous());
    const at::Tensor gradient = gradients[i].contiguous();
    double* x = inputs[i].data_ptr<double>();
    for (int64_t j = 0; j < inputs[i].numel(); ++j) {
      const double original = x[j];
      x[j] = original + kStep;
      const double up = value().item<double>();
      x[j] = original - kStep;
      const double down = value().item<double>();
      x[j] = original;
      EXPECT_NEAR(gradient.const_data_ptr<double>()[j], (up - down) / (2 * kStep), 1e-8)
          << "input " << i << ", element " << j;
    }
  }
}

}  // namespace plumb
