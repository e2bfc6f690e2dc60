#ifndef PLUMB_OPTIM_IMPLICIT_CONIC_PROGRAM_H_
#define PLUMB_OPTIM_IMPLICIT_CONIC_PROGRAM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/implicit/implicit_differentiation.h"

namespace plumb {

// min c'z subject to E z + s = d, s in the cone K. theta = {c [D], E [M, D], d [M]}. K is a product, in the
// order of d's rows: s = 0, then s >= 0, then second-order cones |(s_1, ..)| <= s_0.
struct ConeSizes {
  int64_t zero = 0;
  int64_t nonnegative = 0;
  std::vector<int64_t> second_order;
};

// The residual map of the homogeneous self-dual embedding (Blondel et al. 2022, table 1; Busseti, Moursi and
// Boyd 2019) at the scale w = 1, where it is a square system without the embedding's null space: x = (z, v),
// v = y - s with y the dual solution, so that y = P(v) and s = P(v) - v with P the projection onto K's dual,
//   F = (E' P(v) + c,  d - E z + v - P(v)).
// Its root has a primal and a dual feasible point; y's = 0, and so no gap, is what a projection gives. The
// paper keeps w and the row of the gap, whose Jacobian is singular along x. F is differentiable where the
// solution is strictly complementary.
OptimalityCondition ConicProgramCondition(ConeSizes cones);

// The projection onto K's dual: free where s is zero; the other cones are their own. v: [M].
at::Tensor ProjectOntoDualCone(const ConeSizes& cones, const at::Tensor& v);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_CONIC_PROGRAM_H_
