#include "alignment/objectives/objective.h"

#include <glog/logging.h>

#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

std::map<int, objective_internal::Method>& Methods() {
  static auto* const methods = new std::map<int, objective_internal::Method>();
  return *methods;
}

}  // namespace

namespace objective_internal {

bool Register(ObjectiveConfig::ObjectiveCase field, Method method) {
  const bool first = Methods().emplace(field, std::move(method)).second;
  CHECK(first) << "two objectives registered themselves for field " << field << " of ObjectiveConfig";
  return true;
}

}  // namespace objective_internal

absl::StatusOr<Objective> Objective::Create(const ObjectiveConfig& config) {
  if (config.objective_case() == ObjectiveConfig::OBJECTIVE_NOT_SET) {
    return absl::InvalidArgumentError(
        "objective: no method is named; write, for instance, dpo { beta: 0.1 }");
  }
  Objective objective;
  objective.name_ = ObjectiveConfig::descriptor()->FindFieldByNumber(config.objective_case())->name();
  const auto method = Methods().find(config.objective_case());
  if (method == Methods().end()) {
    return absl::UnimplementedError(
        absl::StrCat("objective: this program was built without ", objective.name_));
  }
  if (const absl::Status status = method->second.check(config); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("objective: ", objective.name_, ".", status.message()));
  }
  objective.config_ = config;
  objective.traits_ = method->second.traits(config);
  return objective;
}

LossOutput Objective::Compute(const PreferenceLogps& logps) const {
  return Methods().at(config_.objective_case()).loss(config_, logps);
}

}  // namespace plumb
