#include "optim/implicit/quadratic_program.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mv.h>

namespace plumb {

OptimalityCondition QuadraticProgramCondition() {
  return [](const at::Tensor& x, const Parameters& theta) {
    TORCH_CHECK(theta.size() == 6, "QuadraticProgramCondition: ", theta.size(),
                " parameters, expected Q, c, E, d, M, h");
    const at::Tensor &q = theta[0], &c = theta[1], &e = theta[2], &d = theta[3], &m = theta[4], &h = theta[5];
    const int64_t variables = c.size(0), equalities = d.size(0), inequalities = h.size(0);
    TORCH_CHECK(x.size(0) == variables + equalities + inequalities, "QuadraticProgramCondition: x ",
                x.sizes(), ", expected [", variables, " + ", equalities, " + ", inequalities, "]");
    const at::Tensor z = x.narrow(0, 0, variables), nu = x.narrow(0, variables, equalities),
                     lambda = x.narrow(0, variables + equalities, inequalities);
    return at::cat({at::mv(q, z) + c + at::mv(e.t(), nu) + at::mv(m.t(), lambda), at::mv(e, z) - d,
                    lambda * (at::mv(m, z) - h)});
  };
}

}  // namespace plumb
