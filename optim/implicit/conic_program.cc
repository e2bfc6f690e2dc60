#include "optim/implicit/conic_program.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mv.h>

#include <utility>

#include "optim/implicit/projections.h"

namespace plumb {

at::Tensor ProjectOntoDualCone(const ConeSizes& cones, const at::Tensor& v) {
  std::vector<at::Tensor> parts = {v.narrow(0, 0, cones.zero),
                                   v.narrow(0, cones.zero, cones.nonnegative).clamp_min(0)};
  int64_t row = cones.zero + cones.nonnegative;
  for (const int64_t size : cones.second_order) {
    parts.push_back(ProjectOntoSecondOrderCone(v.narrow(0, row, size)));
    row += size;
  }
  TORCH_CHECK(row == v.size(0), "cones: ", row, " rows in all, expected ", v.size(0));
  return at::cat(parts);
}

OptimalityCondition ConicProgramCondition(ConeSizes cones) {
  return [cones = std::move(cones)](const at::Tensor& x, const Parameters& theta) {
    TORCH_CHECK(theta.size() == 3, "ConicProgramCondition: ", theta.size(), " parameters, expected c, E, d");
    const at::Tensor &c = theta[0], &e = theta[1], &d = theta[2];
    TORCH_CHECK(x.size(0) == c.size(0) + d.size(0), "ConicProgramCondition: x ", x.sizes(), ", expected [",
                c.size(0), " + ", d.size(0), "]");
    const at::Tensor z = x.narrow(0, 0, c.size(0)), v = x.narrow(0, c.size(0), d.size(0));
    const at::Tensor y = ProjectOntoDualCone(cones, v);
    return at::cat({at::mv(e.t(), y) + c, d - at::mv(e, z) + v - y});
  };
}

}  // namespace plumb
