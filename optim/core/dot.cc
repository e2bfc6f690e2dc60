#include "optim/core/dot.h"

#include <cmath>
#include <vector>

#include "common/kernels/blocks.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

template <typename T>
double TensorDot(const at::Tensor& a, const at::Tensor& b) {
  const T *x = a.const_data_ptr<T>(), *y = b.const_data_ptr<T>();
  std::vector<double> sums(BlockCount(a.numel()));
  ForEachBlock(a.numel(), [&](int64_t block, int64_t begin, int64_t end) {
    sums[block] = Dot(x + begin, y + begin, end - begin);
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace

PLUMB_VECTORIZED double Dot(const double* a, const double* b, int64_t size) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

PLUMB_VECTORIZED double Dot(const float* a, const float* b, int64_t size) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

double Dot(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.scalar_type() == at::kFloat ? TensorDot<float>(x, y) : TensorDot<double>(x, y);
}

double Norm(const at::Tensor& a) { return std::sqrt(Dot(a, a)); }

}  // namespace plumb
