#include "optim/elementwise_optimizer.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <type_traits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/kernels/blocks.h"

namespace plumb {
namespace {

std::string Describe(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "] ", c10::toString(tensor.scalar_type()));
}

}  // namespace

bool HasWeightDecay(absl::string_view parameter_name) {
  const std::string name = absl::AsciiStrToLower(parameter_name);
  for (const absl::string_view part : {"bias", "layernorm", "rmsnorm"}) {
    if (absl::StrContains(name, part)) return false;
  }
  for (const absl::string_view module : absl::StrSplit(name, '.')) {
    if (module == "norm" || absl::EndsWith(module, "_norm")) return false;
    if (module == "ln_1" || module == "ln_2" || module == "ln_f") return false;
  }
  return true;
}

ElementwiseOptimizer::ElementwiseOptimizer(std::vector<NamedParameter> parameters, double learning_rate,
                                           double weight_decay, std::vector<std::string> buffers)
    : learning_rate_(learning_rate), buffer_names_(std::move(buffers)) {
  const at::NoGradGuard no_grad;
  for (NamedParameter& parameter : parameters) {
    const at::Tensor tensor = parameter.tensor.detach();
    TORCH_CHECK(tensor.is_contiguous(), "parameter ", parameter.name, " is not contiguous");
    Slot slot;
    slot.weights = tensor.element_size() < 4 ? tensor.to(at::kFloat) : tensor;
    for (size_t i = 0; i < buffer_names_.size(); ++i) slot.buffers.push_back(at::zeros_like(slot.weights));
    slot.weight_decay = HasWeightDecay(parameter.name) ? weight_decay : 0;
    slot.parameter = std::move(parameter);
    slots_.push_back(std::move(slot));
  }
  steps_ = at::zeros({static_cast<int64_t>(slots_.size())}, at::kLong);
}

template <typename Parameter, typename Scalar>
void ElementwiseOptimizer::StepSlot(const Slot& slot, const at::Tensor& gradient,
                                    const Update& update) const {
  Parameter* parameter = slot.parameter.tensor.mutable_data_ptr<Parameter>();
  Scalar* weights = slot.weights.mutable_data_ptr<Scalar>();
  const Scalar* gradients = gradient.const_data_ptr<Scalar>();
  std::vector<Scalar*> buffers;
  for (const at::Tensor& buffer : slot.buffers) buffers.push_back(buffer.mutable_data_ptr<Scalar>());

  ForEachBlock(slot.weights.numel(), [&](int64_t, int64_t begin, int64_t end) {
    const int64_t size = end - begin;
    std::vector<Scalar*> block_buffers(buffers);
    for (Scalar*& buffer : block_buffers) buffer += begin;
    UpdateBlock(update, size, weights + begin, gradients + begin, block_buffers.data());
    if constexpr (!std::is_same_v<Parameter, Scalar>) {
      for (int64_t i = begin; i < end; ++i) parameter[i] = static_cast<Parameter>(weights[i]);
    }
  });
}

void ElementwiseOptimizer::Step(double learning_rate) {
  int64_t* steps = steps_.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const at::Tensor& tensor = slot.parameter.tensor;
    if (!tensor.grad().defined()) continue;
    const at::Tensor gradient = tensor.grad().to(slot.weights.scalar_type()).contiguous();
    const Update update = {learning_rate, slot.weight_decay, ++steps[i]};
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, tensor.scalar_type(), "Step", [&] {
      using State = std::conditional_t<std::is_same_v<scalar_t, double>, double, float>;
      StepSlot<scalar_t, State>(slot, gradient, update);
    });
  }
}

std::map<std::string, at::Tensor> ElementwiseOptimizer::State() const {
  std::map<std::string, at::Tensor> state = {{"steps", steps_}};
  for (const Slot& slot : slots_) {
    const std::string& name = slot.parameter.name;
    for (size_t i = 0; i < buffer_names_.size(); ++i) {
      state[absl::StrCat(buffer_names_[i], ".", name)] = slot.buffers[i];
    }
    if (slot.weights.scalar_type() != slot.parameter.tensor.scalar_type()) {
      state[absl::StrCat("master.", name)] = slot.weights;
    }
  }
  return state;
}

absl::Status ElementwiseOptimizer::LoadState(const std::map<std::string, at::Tensor>& state) {
  const std::map<std::string, at::Tensor> own = State();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) return absl::InvalidArgumentError(absl::StrCat("no optimizer state ", name));
    if (const std::string wanted = Describe(tensor), has = Describe(found->second); wanted != has) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state ", name, " has ", has, "; the model wants ", wanted));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (own.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("optimizer state ", name, " belongs to no parameter"));
    }
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
  return absl::OkStatus();
}

}  // namespace plumb
