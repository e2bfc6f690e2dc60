#include "common/kernels/checkpoint.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <utility>

namespace plumb {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
using Compute = std::function<at::Tensor(const at::Tensor&)>;

// A node of the graph, as torch::autograd::Function takes no list of tensors.
class CheckpointBackward : public torch::autograd::Node {
 public:
  // `tensors`: the input, then the parameters.
  CheckpointBackward(Compute compute, const variable_list& tensors) : compute_(std::move(compute)) {
    for (const at::Tensor& tensor : tensors) saved_.emplace_back(tensor, /*is_output=*/false);
    set_next_edges(torch::autograd::collect_next_edges(tensors));
  }

  variable_list apply(variable_list&& gradients) override {
    variable_list inputs;
    for (const SavedVariable& saved : saved_) inputs.push_back(saved.unpack());
    // The parameters are those that `compute_` reads; the input alone is cut off from the graph before it.
    inputs[0] = inputs[0].detach().requires_grad_(inputs[0].requires_grad());
    at::Tensor output;
    {
      at::AutoGradMode record(true);
      output = compute_(inputs[0]);
    }
    variable_list wanted;
    for (const at::Tensor& input : inputs) {
      if (input.requires_grad()) wanted.push_back(input);
    }
    const variable_list found =
        torch::autograd::grad({output}, wanted, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                              /*allow_unused=*/true);
    variable_list result(inputs.size());
    size_t next = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].requires_grad()) result[i] = found[next++];
    }
    return result;
  }

  void release_variables() override {
    saved_.clear();
    compute_ = nullptr;
  }

  std::string name() const override { return "CheckpointBackward"; }

 private:
  Compute compute_;
  std::vector<SavedVariable> saved_;
};

}  // namespace

at::Tensor Checkpoint(Compute compute, const at::Tensor& input, std::vector<at::Tensor> parameters) {
  parameters.insert(parameters.begin(), input);
  if (!torch::autograd::compute_requires_grad(parameters)) return compute(input);
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = compute(input);
  }
  torch::autograd::set_history(output, std::make_shared<CheckpointBackward>(std::move(compute), parameters));
  return output;
}

}  // namespace plumb
