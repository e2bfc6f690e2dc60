#include "optim/second_order/mfac.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "optim/elementwise_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

std::string Describe(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "] ", c10::toString(tensor.scalar_type()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Optimizer>> MFac::Create(const MFacConfig& config,
                                                        std::vector<NamedParameter> parameters) {
  int64_t size = 0;
  at::ScalarType dtype = at::kFloat;
  for (const auto& [name, tensor] : parameters) {
    size += tensor.numel();
    if (tensor.scalar_type() == at::kDouble) dtype = at::kDouble;
  }
  const double bytes =
      static_cast<double>(config.ngrads()) * (size * c10::elementSize(dtype) + 8.0 * config.ngrads());
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  if (bytes > memory) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "mfac keeps ngrads = %d gradients of %d weights, %.1f GiB; this machine has %.1f GiB: lower ngrads",
        config.ngrads(), size, bytes / (1 << 30), memory / (1 << 30)));
  }
  return std::unique_ptr<Optimizer>(new MFac(config, std::move(parameters), size, dtype));
}

MFac::MFac(const MFacConfig& config, std::vector<NamedParameter> parameters, int64_t size,
           at::ScalarType dtype)
    : learning_rate_(config.learning_rate()),
      momentum_(config.momentum()),
      fisher_(config.ngrads(), size, config.damp(), dtype) {
  const at::NoGradGuard no_grad;
  for (NamedParameter& parameter : parameters) {
    const at::Tensor tensor = parameter.tensor.detach();
    Slot slot;
    slot.weights = tensor.element_size() < 4 ? tensor.to(at::kFloat) : tensor;
    slot.weight_decay = HasWeightDecay(parameter.name) ? config.weight_decay() : 0;
    slot.parameter = std::move(parameter);
    slots_.push_back(std::move(slot));
  }
  if (momentum_ > 0) velocity_ = at::zeros({size}, dtype);
}

void MFac::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  at::Tensor gradient = at::zeros({fisher_.gradients().size(1)}, fisher_.gradients().options());
  int64_t begin = 0;
  for (const Slot& slot : slots_) {
    at::Tensor part = gradient.narrow(0, begin, slot.weights.numel());
    begin += slot.weights.numel();
    if (!slot.parameter.tensor.grad().defined()) continue;
    part.copy_(slot.parameter.tensor.grad().reshape({-1}));
    if (slot.weight_decay > 0) part.add_(slot.weights.view({-1}), slot.weight_decay);
  }
  fisher_.Push(gradient);
  at::Tensor direction = fisher_.MultiplyNewest();
  if (velocity_.defined()) direction = velocity_.mul_(momentum_).add_(direction, 1 - momentum_);

  begin = 0;
  for (const Slot& slot : slots_) {
    const at::Tensor part = direction.narrow(0, begin, slot.weights.numel());
    begin += slot.weights.numel();
    if (!slot.parameter.tensor.grad().defined()) continue;
    slot.weights.sub_(part.view(slot.weights.sizes()), learning_rate);
    if (slot.weights.scalar_type() != slot.parameter.tensor.scalar_type()) {
      slot.parameter.tensor.detach().copy_(slot.weights);
    }
  }
}

std::map<std::string, at::Tensor> MFac::State() const {
  std::map<std::string, at::Tensor> state = {
      {"gradients", fisher_.gradients()}, {"factor", fisher_.factor()}, {"pushed", fisher_.pushed()}};
  if (velocity_.defined()) state["velocity"] = velocity_;
  for (const Slot& slot : slots_) {
    if (slot.weights.scalar_type() != slot.parameter.tensor.scalar_type()) {
      state[absl::StrCat("master.", slot.parameter.name)] = slot.weights;
    }
  }
  return state;
}

absl::Status MFac::LoadState(const std::map<std::string, at::Tensor>& state) {
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
  if (state.at("pushed").item<int64_t>() < 0) {
    return absl::InvalidArgumentError("optimizer state pushed is negative");
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
  return absl::OkStatus();
}

}  // namespace plumb
