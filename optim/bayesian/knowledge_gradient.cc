#include "optim/bayesian/knowledge_gradient.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "optim/bayesian/normal_distribution.h"
#include "optim/bayesian/row_product.h"

namespace plumb {

double LogExpectedMaximumGain(const std::vector<double>& a, const std::vector<double>& b,
                              std::vector<double>* d_a, std::vector<double>* d_b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const int64_t size = a.size();
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t i, int64_t j) { return b[i] != b[j] ? b[i] < b[j] : a[i] < a[j]; });
  // The lines that are highest somewhere, by slope; kept[i] is from breaks[i] to breaks[i + 1].
  std::vector<int64_t> kept;
  std::vector<double> breaks;
  for (const int64_t line : order) {
    if (!kept.empty() && b[kept.back()] == b[line]) {
      kept.pop_back();
      breaks.pop_back();
    }
    double from = -kInfinity;
    while (!kept.empty()) {
      from = (a[kept.back()] - a[line]) / (b[line] - b[kept.back()]);
      if (from > breaks.back()) break;
      kept.pop_back();
      breaks.pop_back();
      from = -kInfinity;
    }
    kept.push_back(line);
    breaks.push_back(from);
  }
  if (d_a != nullptr) d_a->assign(size, 0);
  if (d_b != nullptr) d_b->assign(size, 0);
  if (kept.size() < 2) return -kInfinity;
  breaks.push_back(kInfinity);
  // The gain is the sum of (b_{i+1} - b_i) h(-|c_i|) over the breaks c_i between lines.
  std::vector<double> logs;
  double most = -kInfinity, sum = 0;
  for (size_t i = 1; i < kept.size(); ++i) {
    logs.push_back(std::log(b[kept[i]] - b[kept[i - 1]]) + LogExpectedPositivePart(-std::abs(breaks[i])));
    most = std::max(most, logs.back());
  }
  for (const double log : logs) sum += std::exp(log - most);
  const double value = most + std::log(sum);
  if (d_a == nullptr || d_b == nullptr) return value;
  // Of each term: h' = Phi, and the break moves with a and b of both lines. Relative to the gain, so that
  // nothing underflows.
  for (size_t i = 1; i < kept.size(); ++i) {
    const int64_t low = kept[i - 1], high = kept[i];
    const double c = breaks[i], share = std::exp(logs[i - 1] - most) / sum, difference = b[high] - b[low];
    double slope;
    LogExpectedPositivePart(-std::abs(c), &slope);
    // d log h(-|c|) = -sign(c) slope dc, c = (a_low - a_high) / (b_high - b_low).
    const double d_c = (c > 0 ? -1 : 1) * slope * share / difference;
    (*d_a)[low] += d_c;
    (*d_a)[high] -= d_c;
    (*d_b)[high] += share / difference - d_c * c;
    (*d_b)[low] -= share / difference - d_c * c;
  }
  return value;
}

KnowledgeGradient::KnowledgeGradient(std::shared_ptr<const GaussianProcess> model, at::Tensor candidates)
    : KnowledgeGradient(std::move(model), candidates.unsqueeze(1), at::ones({1}, at::kDouble),
                        /*counts_itself=*/true) {}

KnowledgeGradient::KnowledgeGradient(std::shared_ptr<const GaussianProcess> model, at::Tensor candidates,
                                     at::Tensor weights)
    : KnowledgeGradient(std::move(model), candidates, std::move(weights), /*counts_itself=*/false) {}

KnowledgeGradient::KnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                     const at::Tensor& candidates, at::Tensor weights, bool counts_itself)
    : model_(std::move(model)), weights_(std::move(weights)), counts_itself_(counts_itself) {
  const int64_t dimension = candidates.size(2), count = candidates.size(0) * candidates.size(1);
  candidates_ = candidates.reshape({count, dimension}).contiguous();
  const GroupPosterior posterior =
      model_->Posterior(candidates_.view({count, 1, dimension}), /*with_gradients=*/true);
  const at::Tensor means = Weighted(posterior.means.view({1, count})).contiguous();
  means_.assign(means.const_data_ptr<double>(), means.const_data_ptr<double>() + means.numel());
  projections_ = Weighted(posterior.projections.t()).t().contiguous();
}

at::Tensor KnowledgeGradient::Weighted(const at::Tensor& of_points) const {
  const int64_t rows = of_points.size(0), conditions = weights_.numel();
  if (conditions == 1) return of_points * weights_;
  return RowProduct(of_points.reshape({-1, conditions}), weights_.unsqueeze(1)).view({rows, -1});
}

Evaluation KnowledgeGradient::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), dimension = groups.size(1), others = means_.size();
  const int64_t lines = others + (counts_itself_ ? 1 : 0);
  const GroupPosterior posterior = model_->Posterior(groups.view({count, 1, dimension}), with_gradients);
  at::Tensor slopes;
  const at::Tensor covariances =
      (Weighted(model_->Covariances(groups, candidates_, with_gradients ? &slopes : nullptr)) -
       RowProduct(posterior.covariance, projections_.t()))
          .contiguous();
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::zeros({count, 1}, at::kDouble), d_variances = at::zeros({count, 1}, at::kDouble),
             d_covariances = at::zeros({count, others}, at::kDouble);
  const double *covariance = covariances.const_data_ptr<double>(),
               *mean = posterior.means.const_data_ptr<double>(),
               *variance = posterior.covariances.const_data_ptr<double>();
  double *value = result.values.mutable_data_ptr<double>(), *d_mean = d_means.mutable_data_ptr<double>(),
         *d_variance = d_variances.mutable_data_ptr<double>(),
         *d_covariance = d_covariances.mutable_data_ptr<double>();
  at::parallel_for(0, count, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> a(lines), b(lines), d_a, d_b;
    for (int64_t g = begin; g < end; ++g) {
      const double sigma = StandardDeviation(variance[g], *model_);
      const double scale = std::sqrt(sigma * sigma + model_->parameters().noise);
      // The minimum is the maximum of what is negated.
      for (int64_t i = 0; i < others; ++i) {
        a[i] = -means_[i];
        b[i] = -covariance[g * others + i] / scale;
      }
      if (counts_itself_) {
        a[others] = -mean[g];
        b[others] = -sigma * sigma / scale;
      }
      value[g] =
          LogExpectedMaximumGain(a, b, with_gradients ? &d_a : nullptr, with_gradients ? &d_b : nullptr);
      if (!with_gradients) continue;
      double d_scale = 0;
      for (int64_t i = 0; i < lines; ++i) d_scale -= d_b[i] * b[i] / scale;
      for (int64_t i = 0; i < others; ++i) d_covariance[g * others + i] = -d_b[i] / scale;
      d_variance[g] = d_scale / (2 * scale);
      if (!counts_itself_) continue;
      d_mean[g] = -d_a[others];
      d_variance[g] -= d_b[others] / scale;
    }
  });
  if (with_gradients) {
    const at::Tensor weights = d_means * model_->weights() - RowProduct(d_covariances, projections_) -
                               2 * d_variances * posterior.projections;
    const at::Tensor spread = (d_covariances.unsqueeze(2) * weights_).reshape({count, candidates_.size(0)});
    result.gradients = model_->CovarianceGradient(groups, model_->points(), posterior.slopes, weights) +
                       model_->CovarianceGradient(groups, candidates_, slopes, spread);
  }
  return result;
}

}  // namespace plumb
