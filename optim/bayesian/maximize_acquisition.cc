#include "optim/bayesian/maximize_acquisition.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/core/lbfgsb.h"
#include "optim/core/sobol.h"

namespace plumb {

std::vector<int64_t> BoltzmannSample(const std::vector<double>& values, int64_t count, double eta,
                                     const RandomStream& stream) {
  double sum = 0, squares = 0, finite = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    sum += value;
    ++finite;
  }
  const double mean = sum / finite;
  for (const double value : values) {
    if (std::isfinite(value)) squares += (value - mean) * (value - mean);
  }
  const double deviation = finite > 1 && squares > 0 ? std::sqrt(squares / (finite - 1)) : 1;
  // The largest of eta z + Gumbel noise are draws without replacement.
  std::vector<double> keys(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    keys[i] = std::isfinite(values[i])
                  ? eta * (values[i] - mean) / deviation - std::log(-std::log1p(-stream.Uniform(i)))
                  : -std::numeric_limits<double>::infinity();
  }
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return keys[a] > keys[b]; });
  order.resize(std::min<size_t>(order.size(), count));
  int64_t best = order[0];
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] > values[best] || std::isnan(values[best])) best = i;
  }
  if (std::find(order.begin(), order.end(), best) == order.end()) order.back() = best;
  return order;
}

absl::StatusOr<AcquisitionMaximum> MaximizeAcquisition(const Acquisition& acquisition,
                                                       const at::Tensor& lower, const at::Tensor& upper,
                                                       const AcquisitionSearchOptions& options,
                                                       const RandomStream& stream) {
  const int64_t q = acquisition.group_size(), dimension = lower.numel(), size = q * dimension;
  const at::Tensor low = lower.repeat({q}), high = upper.repeat({q});
  at::Tensor raw = stream.Child("raw").UniformTensor({options.raw_samples(), size}, at::kDouble);
  if (size <= SobolSequence::kMaxDimension) {
    PLUMB_ASSIGN_OR_RETURN(const SobolSequence sequence, SobolSequence::Scrambled(size, stream.Child("raw")));
    raw = sequence.Points(0, options.raw_samples());
  }
  raw = (raw * (high - low) + low).clamp(low, high);
  const at::Tensor values = acquisition.Evaluate(raw, /*with_gradients=*/false).values.contiguous();
  const double* numbers = values.const_data_ptr<double>();
  const std::vector<int64_t> chosen =
      BoltzmannSample(std::vector<double>(numbers, numbers + values.numel()), options.num_restarts(),
                      options.eta(), stream.Child("restarts"));
  at::Tensor starts = at::empty({static_cast<int64_t>(chosen.size()), size}, at::kDouble);
  for (size_t i = 0; i < chosen.size(); ++i) starts[i].copy_(raw[chosen[i]]);

  const Objective negative = [&](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    Evaluation result = acquisition.Evaluate(points, /*with_gradients=*/true);
    return Evaluation{-result.values, -result.gradients};
  };
  LbfgsbOptions lbfgsb = options.lbfgsb();
  if (!lbfgsb.stop().has_max_iterations()) lbfgsb.mutable_stop()->set_max_iterations(2000);
  PLUMB_ASSIGN_OR_RETURN(LbfgsbResult found, MinimizeLbfgsb(negative, starts, low, high, lbfgsb));
  if (found.best < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the acquisition has no value at any of ", options.raw_samples(), " points"));
  }
  return AcquisitionMaximum{found.points[found.best].reshape({q, dimension}).clone(),
                            -found.values.const_data_ptr<double>()[found.best], std::move(found.summary)};
}

}  // namespace plumb
