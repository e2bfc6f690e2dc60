#include "optim/implicit/projections.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

namespace plumb {

at::Tensor ProjectOntoSimplex(const at::Tensor& y, double radius) {
  TORCH_CHECK(radius > 0, "ProjectOntoSimplex: radius ", radius, ", expected above 0");
  const at::Tensor fixed = y.detach();
  const at::Tensor sorted = std::get<0>(at::sort(fixed, -1, /*descending=*/true));
  const at::Tensor counts = at::arange(1, y.size(-1) + 1, fixed.options());
  const at::Tensor size =
      (sorted * counts > sorted.cumsum(-1) - radius).sum(-1, /*keepdim=*/true).to(y.scalar_type());
  const at::Tensor smallest = sorted.gather(-1, size.to(at::kLong) - 1);
  const at::Tensor support = (fixed >= smallest).to(y.scalar_type());
  const at::Tensor shift = ((support * y).sum(-1, true) - radius) / support.sum(-1, true);
  return support * (y - shift);
}

at::Tensor ProjectOntoBox(const at::Tensor& y, const at::Tensor& lower, const at::Tensor& upper) {
  return at::minimum(at::maximum(y, lower), upper);
}

at::Tensor ProjectOntoBall(const at::Tensor& y, const at::Tensor& radius) {
  const at::Tensor squares = y.square().sum(-1, /*keepdim=*/true);
  const at::Tensor outside = squares > radius.square();
  const at::Tensor length = at::where(outside, squares, at::ones_like(squares)).sqrt();
  return at::where(outside, y * (radius / length), y);
}

at::Tensor ProjectOntoSecondOrderCone(const at::Tensor& y) {
  const at::Tensor head = y.narrow(0, 0, 1), tail = y.narrow(0, 1, y.size(0) - 1);
  const double height = head.item<double>(), length = tail.norm().item<double>();
  if (length <= height) return y;
  if (length <= -height) return at::zeros_like(y);
  const at::Tensor norm = tail.norm();
  return at::cat({(norm + head) / 2, (1 + head / norm) / 2 * tail});
}

}  // namespace plumb
