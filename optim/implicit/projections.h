#ifndef PLUMB_OPTIM_IMPLICIT_PROJECTIONS_H_
#define PLUMB_OPTIM_IMPLICIT_PROJECTIONS_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// Euclidean projections that autograd differentiates where they are differentiable: argmin over a set of
// |z - y|. y: [N], or [B, N] by rows.

// z >= 0, sum of z = radius. The active set by sorting (Held, Wolfe and Crowder 1974); given it, the
// projection is affine, which is what is differentiated.
at::Tensor ProjectOntoSimplex(const at::Tensor& y, double radius = 1);

// lower <= z <= upper; both [], or of y's shape.
at::Tensor ProjectOntoBox(const at::Tensor& y, const at::Tensor& lower, const at::Tensor& upper);

// |z| <= radius, [].
at::Tensor ProjectOntoBall(const at::Tensor& y, const at::Tensor& radius);

// |(z_1 .. z_{N-1})| <= z_0, y: [N].
at::Tensor ProjectOntoSecondOrderCone(const at::Tensor& y);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_PROJECTIONS_H_
