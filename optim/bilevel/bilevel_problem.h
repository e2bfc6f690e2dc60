#ifndef PLUMB_OPTIM_BILEVEL_BILEVEL_PROBLEM_H_
#define PLUMB_OPTIM_BILEVEL_BILEVEL_PROBLEM_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/core/summary.h"

namespace plumb {

// A number of x and y, of operators that autograd knows.
using TwoLevelFunction = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& y)>;

// min over x in X of upper(x, y) subject to y in argmin over y in Y of lower(x, y); where that has several
// points, the best of them counts (the optimistic problem). x: [N], y: [D]. f64 on the CPU.
struct BilevelProblem {
  TwoLevelFunction upper;  // f
  TwoLevelFunction lower;  // g
  // The nearest points of X and Y; null: all of space.
  std::function<at::Tensor(const at::Tensor&)> project_x, project_y;
};

struct BilevelResult {
  at::Tensor x, y;
  Summary summary;  // value: upper(x, y)
};

// A function's value and partial gradients.
struct TwoLevelGradients {
  double value = 0;
  at::Tensor x, y;
};
TwoLevelGradients GradientsOf(const TwoLevelFunction& function, const at::Tensor& x, const at::Tensor& y,
                              OracleCalls* calls);

// Those of |d lower / dy|^2 / 2, by a Hessian-vector product; value as well.
TwoLevelGradients GradientsOfSquaredSlope(const TwoLevelFunction& lower, const at::Tensor& x,
                                          const at::Tensor& y, OracleCalls* calls);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_BILEVEL_PROBLEM_H_
