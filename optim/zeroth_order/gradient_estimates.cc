#include "optim/zeroth_order/gradient_estimates.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {

at::Tensor CoordinateGradient(Objective objective, const at::Tensor& x, double mu,
                              absl::Span<const int64_t> coordinates) {
  TORCH_CHECK(x.dim() == 1, "CoordinateGradient: x must be a vector");
  std::vector<int64_t> all;
  if (coordinates.empty()) {
    all.resize(x.size(0));
    std::iota(all.begin(), all.end(), 0);
    coordinates = all;
  }
  const double base = objective(x);
  at::Tensor point = x.clone(), gradient = at::zeros_like(x);
  for (const int64_t i : coordinates) {
    point[i] += mu;
    gradient[i] = (objective(point) - base) / mu;
    point[i] = x[i];
  }
  return gradient;
}

at::Tensor RandomizedGradient(Objective objective, const at::Tensor& x, double mu, int64_t directions,
                              const RandomStream& random) {
  const double base = objective(x);
  at::Tensor gradient = at::zeros_like(x);
  for (int64_t i = 0; i < directions; ++i) {
    const at::Tensor z = random.Child(i).NormalTensor(x.sizes(), x.scalar_type());
    gradient.add_(z, (objective(x + mu * z) - base) / (mu * directions));
  }
  return gradient;
}

void MoveAlong(absl::Span<const NamedParameter> parameters, const RandomStream& direction, double scale) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : parameters) {
    // 16-bit weights too: the noise is drawn in f32, the sum rounded once.
    const at::ScalarType dtype = tensor.element_size() < 4 ? at::kFloat : tensor.scalar_type();
    tensor.detach().add_(direction.Child(name).NormalTensor(tensor.sizes(), dtype), scale);
  }
}

absl::StatusOr<ProjectedGradient> TwoPointGradient(absl::Span<const NamedParameter> parameters, double mu,
                                                   const RandomStream& direction,
                                                   absl::FunctionRef<absl::StatusOr<double>()> objective) {
  MoveAlong(parameters, direction, mu);
  const absl::StatusOr<double> above = objective();
  MoveAlong(parameters, direction, -2 * mu);
  const absl::StatusOr<double> below = objective();
  MoveAlong(parameters, direction, mu);
  PLUMB_RETURN_IF_ERROR(above.status());
  PLUMB_RETURN_IF_ERROR(below.status());
  if (!std::isfinite(*above) || !std::isfinite(*below)) {
    return absl::FailedPreconditionError(absl::StrCat("the objective is ", *above, " at theta + mu z and ",
                                                      *below,
                                                      " at theta - mu z: lower mu or the learning rate"));
  }
  return ProjectedGradient{(*above - *below) / (2 * mu), direction};
}

}  // namespace plumb
