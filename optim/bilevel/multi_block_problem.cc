#include "optim/bilevel/multi_block_problem.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>
#include <vector>

namespace plumb {
namespace {

std::vector<at::Tensor> Gradients(const at::Tensor& output, const at::Tensor& weight,
                                  const std::vector<at::Tensor>& inputs, bool create) {
  std::vector<at::Tensor> gradients(inputs.size());
  if (output.requires_grad()) {
    gradients = torch::autograd::grad({output}, inputs, {weight}, /*retain_graph=*/true, create,
                                      /*allow_unused=*/true);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(inputs[i]);
  }
  return gradients;
}

}  // namespace

BlockDerivatives::BlockDerivatives(const MultiBlockProblem& problem, int64_t block, const at::Tensor& x,
                                   const at::Tensor& y, const at::Tensor& upper_samples,
                                   const at::Tensor& lower_samples, OracleCalls* calls)
    : calls_(calls),
      x_(x.detach().clone().requires_grad_(true)),
      y_(y.detach().clone().requires_grad_(true)) {
  const at::AutoGradMode record(true);
  const at::Tensor upper = problem.upper(block, x_, y_, upper_samples).sum();
  const std::vector<at::Tensor> slopes = Gradients(upper, {}, {x_, y_}, /*create=*/false);
  upper_x_ = slopes[0];
  upper_y_ = slopes[1];
  slope_ = Gradients(problem.lower(block, x_, y_, lower_samples).sum(), {}, {y_}, /*create=*/true)[0];
  calls->values += upper_samples.numel() + lower_samples.numel();
  calls->gradients += upper_samples.numel() + lower_samples.numel();
}

BlockDerivatives::Products BlockDerivatives::Times(const at::Tensor& v) const {
  ++calls_->hessian_vectors;
  std::vector<at::Tensor> products = Gradients(slope_, v, {y_, x_}, /*create=*/false);
  return {std::move(products[0]), std::move(products[1])};
}

BlockDerivatives::Products BlockDerivatives::OfEachUnit() const {
  const at::Tensor identity = at::eye(y_.numel(), slope_.options());
  std::vector<at::Tensor> hessian, cross;
  for (int64_t i = 0; i < y_.numel(); ++i) {
    Products products = Times(identity[i]);
    hessian.push_back(std::move(products.hessian));
    cross.push_back(std::move(products.cross));
  }
  return {at::stack(hessian), at::stack(cross)};
}

}  // namespace plumb
