#ifndef PLUMB_OPTIM_ZEROTH_ORDER_GRADIENT_ESTIMATES_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_GRADIENT_ESTIMATES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "common/train/optimizer.h"

namespace plumb {

// Gradients from values alone. `objective` maps a point [d] (f32 or f64) to a value.
using Objective = absl::FunctionRef<double(const at::Tensor&)>;

// Coordinate-wise: (f(x + mu e_i) - f(x)) / mu for the coordinates named, 0 elsewhere; all when none is
// named. One value each, and one for f(x).
at::Tensor CoordinateGradient(Objective objective, const at::Tensor& x, double mu,
                              absl::Span<const int64_t> coordinates = {});

// Randomised: the mean over `directions` standard normal z of (f(x + mu z) - f(x)) / mu * z (Nesterov and
// Spokoiny 2017): unbiased for the gradient of f smoothed by N(0, mu^2 I), with no factor d.
at::Tensor RandomizedGradient(Objective objective, const at::Tensor& x, double mu, int64_t directions,
                              const RandomStream& random);

// Two-point, with a seed in place of a stored perturbation: Malladi et al. 2023, "Fine-Tuning Language Models
// with Just Forward Passes" (MeZO, arXiv 2305.17333), Algorithm 1, after Spall's SPSA (1992). The parameters
// are moved in place and back; z, as large as the model, is drawn again each time and never kept whole.
// Estimate of the derivative along z: (f(theta + mu z) - f(theta - mu z)) / (2 mu).
struct ProjectedGradient {
  double derivative = 0;
  RandomStream direction;  // of z
};
// `objective` reads the parameters where they are. Its error, or a value that is not finite, is one here, and
// the parameters are put back. Going there and back rounds: parameters of f32 return to within their last
// bits.
absl::StatusOr<ProjectedGradient> TwoPointGradient(absl::Span<const NamedParameter> parameters, double mu,
                                                   const RandomStream& direction,
                                                   absl::FunctionRef<absl::StatusOr<double>()> objective);

// Adds scale * z to the parameters: an SGD step is MoveAlong(parameters, g.direction, -rate * g.derivative).
void MoveAlong(absl::Span<const NamedParameter> parameters, const RandomStream& direction, double scale);

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_GRADIENT_ESTIMATES_H_
