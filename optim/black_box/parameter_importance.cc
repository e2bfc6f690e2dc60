#include "optim/black_box/parameter_importance.h"

#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <limits>

namespace plumb {
namespace {

constexpr int64_t kFewest = 8;
constexpr int64_t kDegree = 3;

// [N, D] -> [N, D * kDegree], coordinate by coordinate.
at::Tensor LegendreTerms(const at::Tensor& points) {
  const at::Tensor t = 2 * points - 1;
  const at::Tensor terms = at::stack({std::sqrt(3.0) * t, std::sqrt(5.0) * (3 * t * t - 1) / 2,
                                      std::sqrt(7.0) * (5 * t * t * t - 3 * t) / 2},
                                     2);
  return terms.reshape({points.size(0), points.size(1) * kDegree});
}

}  // namespace

std::optional<ParameterImportance> MainEffects(const at::Tensor& points, const at::Tensor& values) {
  const at::Tensor finite = at::isfinite(values);
  const at::Tensor y = values.index({finite});
  const int64_t count = y.numel();
  if (count < kFewest) return std::nullopt;
  const at::Tensor centered = y - y.mean();
  const double variance = centered.square().sum().item<double>();
  if (!(variance > 0)) return std::nullopt;

  const at::Tensor terms = LegendreTerms(points.index({finite}));
  const at::Tensor x = terms - terms.mean(0, /*keepdim=*/true);
  const at::Tensor gram = x.t().mm(x);
  double least_error = std::numeric_limits<double>::infinity();
  at::Tensor coefficients;
  for (const double penalty : {1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0}) {
    const at::Tensor factor =
        at::linalg_cholesky(gram + at::diag(at::full({gram.size(0)}, penalty * count, gram.options())));
    const at::Tensor solved = at::cholesky_solve(x.t(), factor);  // [terms, N]
    const at::Tensor fit = solved.mv(centered);
    // Leaving a row out multiplies its residual by 1 / (1 - leverage); the mean is one term more.
    const at::Tensor leverage = (x * solved.t()).sum(1) + 1.0 / static_cast<double>(count);
    const double error =
        ((centered - x.mv(fit)) / (1 - leverage).clamp_min(1e-9)).square().sum().item<double>();
    if (error >= least_error) continue;
    least_error = error;
    coefficients = fit;
  }
  ParameterImportance importance;
  importance.explained = 1 - least_error / variance;
  const at::Tensor parts = coefficients.square().reshape({points.size(1), kDegree}).sum(1);
  const double sum = parts.sum().item<double>();
  if (!(importance.explained > 0) || !(sum > 0)) return std::nullopt;
  for (int64_t d = 0; d < points.size(1); ++d) {
    importance.shares.push_back(parts[d].item<double>() / sum);
  }
  return importance;
}

}  // namespace plumb
