#ifndef PLUMB_OPTIM_IMPLICIT_NEWTON_H_
#define PLUMB_OPTIM_IMPLICIT_NEWTON_H_

#include "optim/implicit/implicit_differentiation.h"

namespace plumb {

// A root of G(x, theta) is the fixed point of Newton's step T = x - step (d1G)^-1 G (Blondel et al. 2022,
// table 1; for G = grad f it is Newton's method for argmin f). At a root the derivatives of (d1G)^-1 meet a
// factor G = 0, so the inverse counts as a constant: F = x - T = step (d1G)^-1 G has d1F = step I, and the
// linear system of every product is solved at once. Its price is the dense Jacobian, N passes through G: for
// small N, or for an ill-conditioned G.
OptimalityCondition NewtonCondition(OptimalityCondition g, double step = 1);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_NEWTON_H_
