#include "common/kernels/graph_leaves.h"

#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <set>

namespace plumb {

std::vector<at::Tensor> GraphLeaves(const at::Tensor& output) {
  if (!output.requires_grad()) return {};
  if (output.is_leaf()) return {output};
  std::vector<at::Tensor> leaves;
  std::set<const torch::autograd::Node*> seen = {output.grad_fn().get()};
  std::vector<torch::autograd::Node*> open = {output.grad_fn().get()};
  while (!open.empty()) {
    torch::autograd::Node* node = open.back();
    open.pop_back();
    if (const auto* leaf = dynamic_cast<const torch::autograd::AccumulateGrad*>(node)) {
      leaves.push_back(leaf->variable);
    }
    for (const torch::autograd::Edge& edge : node->next_edges()) {
      if (edge.is_valid() && seen.insert(edge.function.get()).second) open.push_back(edge.function.get());
    }
  }
  return leaves;
}

}  // namespace plumb
