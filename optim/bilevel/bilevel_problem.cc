#include "optim/bilevel/bilevel_problem.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

namespace plumb {
namespace {

at::Tensor Leaf(const at::Tensor& tensor) { return tensor.detach().clone().requires_grad_(true); }

std::vector<at::Tensor> Gradients(const at::Tensor& value, const std::vector<at::Tensor>& inputs,
                                  bool create_graph) {
  std::vector<at::Tensor> gradients(inputs.size());
  if (value.requires_grad()) {
    gradients = torch::autograd::grad({value}, inputs, {}, /*retain_graph=*/create_graph, create_graph,
                                      /*allow_unused=*/true);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(inputs[i]);
  }
  return gradients;
}

}  // namespace

TwoLevelGradients GradientsOf(const TwoLevelFunction& function, const at::Tensor& x, const at::Tensor& y,
                              OracleCalls* calls) {
  const at::AutoGradMode record(true);
  const at::Tensor x_leaf = Leaf(x), y_leaf = Leaf(y), value = function(x_leaf, y_leaf).sum();
  const std::vector<at::Tensor> gradients = Gradients(value, {x_leaf, y_leaf}, /*create_graph=*/false);
  ++calls->values;
  ++calls->gradients;
  return {value.item<double>(), gradients[0], gradients[1]};
}

TwoLevelGradients GradientsOfSquaredSlope(const TwoLevelFunction& lower, const at::Tensor& x,
                                          const at::Tensor& y, OracleCalls* calls) {
  const at::AutoGradMode record(true);
  const at::Tensor x_leaf = Leaf(x), y_leaf = Leaf(y);
  const at::Tensor slope = Gradients(lower(x_leaf, y_leaf).sum(), {y_leaf}, /*create_graph=*/true)[0];
  const at::Tensor value = slope.square().sum() / 2;
  const std::vector<at::Tensor> gradients = Gradients(value, {x_leaf, y_leaf}, /*create_graph=*/false);
  ++calls->values;
  ++calls->gradients;
  ++calls->hessian_vectors;
  return {value.item<double>(), gradients[0], gradients[1]};
}

}  // namespace plumb
