#ifndef PLUMB_OPTIM_IMPLICIT_QUADRATIC_PROGRAM_H_
#define PLUMB_OPTIM_IMPLICIT_QUADRATIC_PROGRAM_H_

#include "optim/implicit/implicit_differentiation.h"

namespace plumb {

// min z'Qz / 2 + c'z subject to E z = d and M z <= h: the KKT conditions of kkt.h written out, as OptNet
// (Amos and Kolter 2017) differentiates them. theta = {Q [D, D] symmetric, c [D],
// E [P, D], d [P], M [M, D], h [M]}; P or M may be 0. x = (z, nu, lambda):
//   F = (Q z + c + E' nu + M' lambda,  E z - d,  lambda * (M z - h)).
// Gradients by Q are those of a Q that need not be symmetric: of z'Qz's first factor alone.
OptimalityCondition QuadraticProgramCondition();

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_QUADRATIC_PROGRAM_H_
