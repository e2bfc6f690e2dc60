#include "optim/bayesian/recommend.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

namespace plumb {

Evaluation NegativePosteriorMean::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), dimension = groups.size(1);
  Evaluation result{at::zeros({count}, at::kDouble), {}};
  if (with_gradients) result.gradients = at::zeros({count, dimension}, at::kDouble);
  for (int64_t w = 0; w < weights_.numel(); ++w) {
    const double weight = weights_.const_data_ptr<double>()[w];
    const at::Tensor stays = overrides_[w].isnan(), points = at::where(stays, groups, overrides_[w]);
    const GroupPosterior posterior = model_->Posterior(points.view({count, 1, dimension}), with_gradients);
    result.values.sub_(weight * posterior.means.view({count}));
    if (!with_gradients) continue;
    const at::Tensor d_means = at::zeros({count, 1}, at::kDouble) - weight;
    const at::Tensor gradient =
        model_->Gradient(posterior, d_means, at::zeros({count, 1, 1}, at::kDouble)).view({count, dimension});
    result.gradients.add_(gradient * stays);
  }
  return result;
}

}  // namespace plumb
