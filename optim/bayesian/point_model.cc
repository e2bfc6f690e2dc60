#include "optim/bayesian/point_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <cmath>

namespace plumb {

Evaluation PointAcquisition::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0);
  const PointMoments moments = model_->At(groups, with_gradients);
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::empty({count, 1}, at::kDouble), d_variances = at::empty({count, 1}, at::kDouble);
  for (int64_t b = 0; b < count; ++b) {
    const double sigma = std::sqrt(moments.variances.const_data_ptr<double>()[b]);
    const MomentValue at_point = function_(moments.means.const_data_ptr<double>()[b], sigma);
    result.values.mutable_data_ptr<double>()[b] = at_point.value;
    d_means.mutable_data_ptr<double>()[b] = at_point.d_mean;
    d_variances.mutable_data_ptr<double>()[b] = at_point.d_sigma / (2 * sigma);
  }
  if (with_gradients) {
    result.gradients = d_means * moments.mean_gradients + d_variances * moments.variance_gradients;
  }
  return result;
}

}  // namespace plumb
