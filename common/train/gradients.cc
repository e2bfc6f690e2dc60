#include "common/train/gradients.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "common/kernels/blocks.h"

namespace plumb {
namespace {

template <typename Scalar>
double BlockSumOfSquares(const Scalar* values, int64_t size) {
  // Eight sums, so that the compiler can keep them in vector registers.
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= size; i += 8) {
    for (int lane = 0; lane < 8; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  double sum = 0;
  for (; i < size; ++i) {
    const double value = values[i];
    sum += value * value;
  }
  for (const double lane_sum : sums) sum += lane_sum;
  return sum;
}

double SumOfSquares(const at::Tensor& gradient) {
  const at::Tensor values = gradient.contiguous();
  std::vector<double> sums(BlockCount(values.numel()));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, values.scalar_type(), "SumOfSquares", [&] {
    const scalar_t* data = values.const_data_ptr<scalar_t>();
    ForEachBlock(values.numel(), [&](int64_t block, int64_t begin, int64_t end) {
      sums[block] = BlockSumOfSquares(data + begin, end - begin);
    });
  });
  double sum = 0;
  for (const double block_sum : sums) sum += block_sum;
  return sum;
}

}  // namespace

double GlobalGradientNorm(absl::Span<const NamedParameter> parameters) {
  double sum = 0;
  for (const NamedParameter& parameter : parameters) {
    if (parameter.tensor.grad().defined()) sum += SumOfSquares(parameter.tensor.grad());
  }
  return std::sqrt(sum);
}

void ClipGradients(absl::Span<const NamedParameter> parameters, double norm, double max_norm) {
  const double coefficient = max_norm / (norm + 1e-6);
  if (coefficient >= 1) return;
  const at::NoGradGuard no_grad;
  for (const NamedParameter& parameter : parameters) {
    if (parameter.tensor.grad().defined()) parameter.tensor.grad().mul_(coefficient);
  }
}

std::string FirstNonFiniteGradient(absl::Span<const NamedParameter> parameters) {
  for (const NamedParameter& parameter : parameters) {
    const at::Tensor& gradient = parameter.tensor.grad();
    if (gradient.defined() && !std::isfinite(SumOfSquares(gradient))) return parameter.name;
  }
  return "";
}

void WidenGradients(absl::Span<const NamedParameter> parameters) {
  for (const NamedParameter& parameter : parameters) {
    at::Tensor tensor = parameter.tensor;
    if (tensor.element_size() < 4) tensor.mutable_grad() = at::zeros(tensor.sizes(), at::kFloat);
  }
}

void Backward(const at::Tensor& loss) {
  if (at::GradMode::is_enabled()) loss.backward();
}

void ClearGradients(absl::Span<const NamedParameter> parameters) {
  for (const NamedParameter& parameter : parameters) {
    at::Tensor tensor = parameter.tensor;
    tensor.mutable_grad().reset();
  }
}

}  // namespace plumb
