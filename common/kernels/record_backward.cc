#include "common/kernels/record_backward.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <utility>

namespace plumb {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

class RecordedNode : public torch::autograd::Node {
 public:
  RecordedNode(std::string name, const variable_list& inputs, const variable_list& saved,
               BackwardFunction backward)
      : name_(std::move(name)), backward_(std::move(backward)) {
    for (const at::Tensor& tensor : saved) saved_.emplace_back(tensor, /*is_output=*/false);
    set_next_edges(torch::autograd::collect_next_edges(inputs));
  }

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(!at::GradMode::is_enabled(), name_, ": there is no second derivative");
    BackwardPass pass;
    if (!gradients[0].defined()) return variable_list(num_outputs());
    pass.gradient = gradients[0].contiguous();
    for (const SavedVariable& saved : saved_) pass.saved.push_back(saved.unpack());
    for (size_t i = 0; i < num_outputs(); ++i) pass.needed.push_back(task_should_compute_output(i));
    return backward_(pass);
  }

  void release_variables() override { saved_.clear(); }

  std::string name() const override { return name_; }

 private:
  const std::string name_;
  const BackwardFunction backward_;
  std::vector<SavedVariable> saved_;
};

}  // namespace

bool NeedsGradient(const std::vector<at::Tensor>& inputs) {
  return torch::autograd::compute_requires_grad(inputs);
}

void RecordBackward(std::string name, const std::vector<at::Tensor>& inputs,
                    const std::vector<at::Tensor>& saved, const at::Tensor& output,
                    BackwardFunction backward) {
  torch::autograd::set_history(
      output, std::make_shared<RecordedNode>(std::move(name), inputs, saved, std::move(backward)));
}

}  // namespace plumb
