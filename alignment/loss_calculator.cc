#include "alignment/loss_calculator.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/program/nearest_name.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

const PreferenceInput* FindInput(absl::string_view name) {
  for (const PreferenceInput& input : PreferenceInputs()) {
    if (name == input.name) return &input;
  }
  return nullptr;
}

absl::Status UnknownInput(const std::string& name) {
  std::vector<std::string> names;
  for (const PreferenceInput& input : PreferenceInputs()) names.push_back(input.name);
  return absl::InvalidArgumentError(absl::StrCat(name, ": there is no such input", SuggestName(name, names)));
}

absl::StatusOr<double> Number(const std::string& name, const Json& value) {
  if (!value.is_number()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", value.dump(-1, ' ', true, Json::error_handler_t::replace), " is not a number"));
  }
  const double number = value.get<double>();
  if (!std::isfinite(number)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", number, " is not finite"));
  }
  return number;
}

// A leaf of the graph: [1], [1, scores] or [tokens].
absl::StatusOr<at::Tensor> ReadInput(const PreferenceInput& input, const Json& value) {
  std::vector<double> numbers;
  if (input.token_count == nullptr && !(input.is_scores && value.is_array())) {
    PLUMB_ASSIGN_OR_RETURN(const double number, Number(input.name, value));
    numbers.push_back(number);
  } else {
    if (!value.is_array()) {
      return absl::InvalidArgumentError(
          absl::StrCat(input.name, ": an array is expected, with a number a token"));
    }
    for (const Json& element : value) {
      PLUMB_ASSIGN_OR_RETURN(const double number, Number(input.name, element));
      numbers.push_back(number);
    }
  }
  const bool is_length = input.tensor == &PreferenceLogps::chosen_length ||
                         input.tensor == &PreferenceLogps::rejected_length ||
                         input.tensor == &PreferenceLogps::gold_length;
  if (is_length && (numbers[0] < 1 || numbers[0] != std::floor(numbers[0]))) {
    return absl::InvalidArgumentError(
        absl::StrCat(input.name, ": ", numbers[0], " is not a number of tokens: 1, 2, 3, ..."));
  }
  if (input.tensor == &PreferenceLogps::label && numbers[0] != 0 && numbers[0] != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(input.name, ": ", numbers[0], " is not 1 (good) or 0 (bad)"));
  }
  const at::Tensor tensor = at::tensor(numbers, at::kDouble);
  return (input.is_scores ? tensor.unsqueeze(0) : tensor).set_requires_grad(true);
}

absl::Status CheckInputs(const Objective& objective, const PreferenceLogps& logps) {
  for (const PreferenceInput& input : PreferenceInputs()) {
    const at::Tensor& tensor = logps.*input.tensor;
    if (!tensor.defined()) {
      if (!input.needed(objective.traits())) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(input.name, ": is missing; ", objective.name(), " needs it"));
    }
    if (const ObjectiveTraits& traits = objective.traits(); input.is_scores && traits.needs_scores) {
      const int64_t expected =
          traits.score_count > 0 ? traits.score_count : std::max<int64_t>(1, logps.score_chosen.numel());
      if (tensor.numel() != expected) {
        return absl::InvalidArgumentError(absl::StrCat(input.name, ": has ", tensor.numel(), " numbers; ",
                                                       objective.name(), " needs ", expected));
      }
    }
    if (input.token_count == nullptr || !(logps.*input.token_count).defined()) continue;
    const auto tokens = (logps.*input.token_count).item<double>();
    if (tokens != tensor.numel()) {
      return absl::InvalidArgumentError(
          absl::StrCat(input.name, ": has ", tensor.numel(), " numbers for ", tokens, " tokens"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PreferenceLogps> ReadInputs(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        R"(a JSON object is expected, e.g. {"policy_chosen_logps": -12.5, ...})");
  }
  PreferenceLogps logps;
  for (const auto& [name, value] : json.items()) {
    const PreferenceInput* input = FindInput(name);
    if (input == nullptr) return UnknownInput(name);
    PLUMB_ASSIGN_OR_RETURN(logps.*(input->tensor), ReadInput(*input, value));
  }
  return logps;
}

Json ToJson(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json Gradient(const PreferenceInput& input, const at::Tensor& tensor) {
  const at::Tensor gradient = tensor.grad().defined() ? tensor.grad().reshape(-1) : tensor.grad();
  Json values = Json::array();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    values.push_back(gradient.defined() ? ToJson(gradient[i].item<double>()) : Json(0.0));
  }
  const bool is_number = input.token_count == nullptr && values.size() == 1;
  return is_number ? values[0] : values;
}

}  // namespace

absl::StatusOr<std::string> LossOfJson(const Objective& objective, absl::string_view json) {
  PLUMB_ASSIGN_OR_RETURN(const PreferenceLogps logps, ReadInputs(json));
  PLUMB_RETURN_IF_ERROR(CheckInputs(objective, logps));
  const LossOutput output = objective.Compute(logps);
  const at::Tensor loss = (objective.weight() * output.loss).sum();
  loss.backward();

  Json result;
  result["loss"] = ToJson(loss.item<double>());
  if (output.rewards_chosen.defined() && output.rewards_rejected.defined()) {
    result["rewards_chosen"] = ToJson(output.rewards_chosen.item<double>());
    result["rewards_rejected"] = ToJson(output.rewards_rejected.item<double>());
    result["margin"] = ToJson((output.rewards_chosen - output.rewards_rejected).item<double>());
  } else if (output.rewards_chosen.defined()) {
    result["reward"] = ToJson(output.rewards_chosen.item<double>());
  }
  for (const auto& [name, values] : output.metrics) result[name] = ToJson(values.mean().item<double>());
  Json& gradients = result["gradients"] = Json::object();
  for (const PreferenceInput& input : PreferenceInputs()) {
    const at::Tensor& tensor = logps.*input.tensor;
    if (tensor.defined()) gradients[input.name] = Gradient(input, tensor);
  }
  return result.dump();
}

}  // namespace plumb
