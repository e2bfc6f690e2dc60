#include "optim/black_box/search_space.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"

namespace plumb {

absl::StatusOr<SearchSpace> SearchSpace::Create(
    const google::protobuf::RepeatedPtrField<StudyParameter>& parameters) {
  SearchSpace space;
  std::set<std::string> names;
  for (int i = 0; i < parameters.size(); ++i) {
    const StudyParameter& parameter = parameters[i];
    const auto error = [&](const auto&... what) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter[", i, "] '", parameter.name(), "': ", what...));
    };
    if (!names.insert(parameter.name()).second) return error("the name comes twice");
    if (!std::isfinite(parameter.max() - parameter.min())) return error("min and max must be finite");
    if (!(parameter.min() < parameter.max())) {
      return error("min ", parameter.min(), " is not below max ", parameter.max());
    }
    if (parameter.log_scale() && !(parameter.min() > 0)) {
      return error("min ", parameter.min(), ": must be above 0 for log_scale");
    }
    if (parameter.integer() &&
        (std::trunc(parameter.min()) != parameter.min() || std::trunc(parameter.max()) != parameter.max())) {
      return error("min ", parameter.min(), " and max ", parameter.max(), ": expected integers");
    }
    space.parameters_.push_back(parameter);
  }
  return space;
}

std::vector<double> SearchSpace::Values(absl::Span<const double> unit) const {
  std::vector<double> values;
  for (int64_t i = 0; i < dimension(); ++i) {
    const StudyParameter& parameter = parameters_[i];
    double low = parameter.min(), high = parameter.max();
    if (parameter.integer()) low -= 0.5, high += 0.5;
    double value = parameter.log_scale() ? low * std::pow(high / low, unit[i]) : low + unit[i] * (high - low);
    if (parameter.integer()) value = std::round(value);
    values.push_back(std::clamp(value, parameter.min(), parameter.max()));
  }
  return values;
}

std::string SearchSpace::Json(absl::Span<const double> unit) const {
  const std::vector<double> values = Values(unit);
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (int64_t i = 0; i < dimension(); ++i) {
    if (parameters_[i].integer() && std::abs(values[i]) < 9e15) {
      object[name(i)] = static_cast<int64_t>(values[i]);
    } else {
      object[name(i)] = values[i];
    }
  }
  return object.dump();
}

}  // namespace plumb
