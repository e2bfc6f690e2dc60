#include "optim/make_optimizer.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/adamw.h"
#include "optim/optimizer.pb.h"
#include "optim/rmsprop.h"
#include "optim/second_order/mfac.h"
#include "optim/sgd.h"

namespace plumb {
namespace {

absl::Status CheckParameters(const std::vector<NamedParameter>& parameters) {
  if (parameters.empty()) return absl::InvalidArgumentError("nothing to train: the model has no parameters");
  std::set<std::string> names;
  std::set<const void*> tensors;
  for (const auto& [name, tensor] : parameters) {
    const auto error = [&, &name = name](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("parameter ", name, " ", what));
    };
    if (!tensor.defined() || !tensor.is_cpu()) return error("is not a tensor on the CPU");
    if (!at::isFloatingType(tensor.scalar_type())) return error("does not hold floating point numbers");
    if (!tensor.is_contiguous()) return error("is not contiguous");
    if (!names.insert(name).second) return error("comes twice");
    if (tensor.numel() > 0 && !tensors.insert(tensor.const_data_ptr()).second) {
      return error("is the same tensor as one before it");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const OptimizerConfig& config,
                                                         std::vector<NamedParameter> parameters) {
  PLUMB_RETURN_IF_ERROR(CheckParameters(parameters));
  switch (config.optimizer_case()) {
    case OptimizerConfig::kRmsprop:
      return std::make_unique<RmsProp>(config.rmsprop(), std::move(parameters));
    case OptimizerConfig::kMfac:
      return MFac::Create(config.mfac(), std::move(parameters));
    case OptimizerConfig::kSgd:
      return Sgd::Create(config.sgd(), std::move(parameters));
    case OptimizerConfig::kAdamw:
    case OptimizerConfig::OPTIMIZER_NOT_SET:
      return std::make_unique<AdamW>(config.adamw(), std::move(parameters));
  }
  return absl::InternalError("an optimizer of optimizer.proto is not in make_optimizer.cc");
}

}  // namespace plumb
