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
    if (!parameter.category().empty()) {
      const std::set<std::string> words(parameter.category().begin(), parameter.category().end());
      if (words.size() < 2 || static_cast<int>(words.size()) < parameter.category_size()) {
        return error("category: expected at least two different words");
      }
      if (parameter.has_min() || parameter.has_max() || parameter.log_scale() || parameter.integer()) {
        return error("category: not with min, max, log_scale or integer");
      }
      space.parameters_.push_back(parameter);
      continue;
    }
    if (!parameter.has_min() || !parameter.has_max()) return error("expected min and max, or categories");
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

int64_t SearchSpace::levels(int64_t i) const {
  const StudyParameter& parameter = parameters_[i];
  if (is_category(i)) return parameter.category_size();
  if (!parameter.integer() || parameter.log_scale()) return 0;
  const double count = parameter.max() - parameter.min() + 1;
  return count < 1e9 ? static_cast<int64_t>(count) : 0;
}

std::vector<double> SearchSpace::Values(absl::Span<const double> unit) const {
  std::vector<double> values;
  for (int64_t i = 0; i < dimension(); ++i) {
    const StudyParameter& parameter = parameters_[i];
    if (is_category(i)) {
      const double last = parameter.category_size() - 1;
      values.push_back(std::clamp(std::floor(unit[i] * (last + 1)), 0.0, last));
      continue;
    }
    double low = parameter.min(), high = parameter.max();
    if (parameter.integer()) low -= 0.5, high += 0.5;
    double value = parameter.log_scale() ? low * std::pow(high / low, unit[i]) : low + unit[i] * (high - low);
    if (parameter.integer()) value = std::round(value);
    values.push_back(std::clamp(value, parameter.min(), parameter.max()));
  }
  return values;
}

std::vector<double> SearchSpace::Slopes(absl::Span<const double> unit) const {
  std::vector<double> slopes;
  for (int64_t i = 0; i < dimension(); ++i) {
    const StudyParameter& parameter = parameters_[i];
    double low = parameter.min(), high = parameter.max();
    if (parameter.integer()) low -= 0.5, high += 0.5;
    const double slope =
        parameter.log_scale() ? low * std::pow(high / low, unit[i]) * std::log(high / low) : high - low;
    slopes.push_back(is_category(i) ? 0 : slope);
  }
  return slopes;
}

std::string SearchSpace::Json(absl::Span<const double> unit) const {
  const std::vector<double> values = Values(unit);
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (int64_t i = 0; i < dimension(); ++i) {
    if (is_category(i)) {
      object[name(i)] = parameters_[i].category(static_cast<int>(values[i]));
    } else if (parameters_[i].integer() && std::abs(values[i]) < 9e15) {
      object[name(i)] = static_cast<int64_t>(values[i]);
    } else {
      object[name(i)] = values[i];
    }
  }
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace plumb
