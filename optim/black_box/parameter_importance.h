#ifndef PLUMB_OPTIM_BLACK_BOX_PARAMETER_IMPORTANCE_H_
#define PLUMB_OPTIM_BLACK_BOX_PARAMETER_IMPORTANCE_H_

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace plumb {

// How much of an objective's variance over the unit cube each coordinate explains by itself: the main effects
// of a functional analysis of variance (Sobol' 1993; Hutter, Hoos and Leyton-Brown 2014), here of an additive
// model
//
//   f(x) = mean + sum_d sum_{k=1..3} c[d, k] P_k(x_d),   P_k the orthonormal Legendre polynomials on [0, 1],
//
// so that coordinate d has the variance sum_k c[d, k]^2, however the points lie. Coefficients are of ridge
// regression, its penalty the one that predicts left-out points best. What coordinates do only together is
// not in it; `explained` says how much is missing.
struct ParameterImportance {
  std::vector<double> shares;  // of the variance of the model; they sum to 1
  double explained = 0;  // share of the values' variance that the model predicts, each point left out in turn
};

// points [N, D] of the unit cube and values [N], f64; values that are not finite are left out. Nothing when
// fewer than 8 are left, when all are equal, or when left-out points are predicted no better than by the
// mean.
std::optional<ParameterImportance> MainEffects(const at::Tensor& points, const at::Tensor& values);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_PARAMETER_IMPORTANCE_H_
