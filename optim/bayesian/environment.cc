#include "optim/bayesian/environment.h"

#include <utility>

#include "optim/bayesian/knowledge_gradient.h"

namespace plumb {

at::Tensor Environment::Under(const at::Tensor& points) const {
  const int64_t count = points.size(0), size = conditions.size(0);
  at::Tensor under = points.unsqueeze(1).expand({count, size, points.size(1)}).clone();
  for (size_t c = 0; c < coordinates.size(); ++c) {
    under.select(2, coordinates[c]).copy_(conditions.select(1, c).unsqueeze(0).expand({count, size}));
  }
  return under;
}

std::unique_ptr<Acquisition> EnvironmentalKnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                                            const at::Tensor& candidates,
                                                            const Environment& environment) {
  return std::make_unique<KnowledgeGradient>(std::move(model), environment.Under(candidates),
                                             environment.probabilities);
}

}  // namespace plumb
