#include "optim/causal/sort_n_regress.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diagonal.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <numeric>

namespace plumb {

std::vector<int64_t> VarianceOrder(const at::Tensor& second_moments) {
  const at::Tensor variances = second_moments.diagonal().to(at::kDouble).contiguous();
  const double* variance = variances.const_data_ptr<double>();
  std::vector<int64_t> order(variances.numel());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return variance[i] < variance[j]; });
  return order;
}

double Varsortability(const at::Tensor& second_moments, const at::Tensor& weights) {
  constexpr double kEqual = 1e-9;  // relative
  const at::Tensor variance = second_moments.diagonal().to(at::kDouble);
  const at::Tensor ratio = variance.unsqueeze(0) / variance.unsqueeze(1);  // (i, j): of j to i
  const at::Tensor worth =
      (ratio > 1 + kEqual).to(at::kDouble) + ((ratio - 1).abs() <= kEqual).to(at::kDouble) / 2;
  const at::Tensor edges = (weights != 0).to(at::kDouble);
  at::Tensor paths = edges;  // 1 where a path of the present length leads from i to j
  double all = 0, sorted = 0;
  for (int64_t length = 1; length < weights.size(0); ++length) {
    all += paths.sum().item<double>();
    sorted += (paths * worth).sum().item<double>();
    paths = (at::mm(paths, edges) > 0).to(at::kDouble);
  }
  return sorted / all;
}

}  // namespace plumb
