#include "common/nn/json_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

const nlohmann::json& EmptyObject() {
  static const auto& empty = *new nlohmann::json(nlohmann::json::object());
  return empty;
}

// Short enough for one line of a message.
std::string Shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// A number that an int64 holds exactly; 4.0 counts.
bool IsInteger(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= INT64_MAX;
  if (value.is_number_integer()) return true;
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return number >= -9e15 && number <= 9e15 && number == static_cast<double>(static_cast<int64_t>(number));
}

}  // namespace

const nlohmann::json* JsonFields::Find(const std::string& name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::Has(const std::string& name) const { return Find(name) != nullptr; }

void JsonFields::Fail(const std::string& name, absl::string_view what) {
  if (status_.ok()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(where_, ": field '", path_, name, "': ", what));
  }
}

int64_t JsonFields::Integer(const std::string& name, int64_t fallback, int64_t min, int64_t max) {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!IsInteger(*value)) {
    Fail(name, absl::StrCat("expected an integer, found ", Shown(*value)));
    return fallback;
  }
  const int64_t number = value->get<int64_t>();
  if (number < min || number > max) {
    Fail(name, absl::StrCat("expected ", min, " to ", max, ", found ", number));
    return fallback;
  }
  return number;
}

int64_t JsonFields::RequiredInteger(const std::string& name, int64_t min, int64_t max) {
  if (!Has(name)) Fail(name, "is missing");
  return Integer(name, min, min, max);
}

double JsonFields::Number(const std::string& name, double fallback) {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) {
    Fail(name, absl::StrCat("expected a number, found ", Shown(*value)));
    return fallback;
  }
  return value->get<double>();
}

double JsonFields::RequiredNumber(const std::string& name) {
  if (!Has(name)) Fail(name, "is missing");
  return Number(name, 1);
}

bool JsonFields::Boolean(const std::string& name, bool fallback) {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    Fail(name, absl::StrCat("expected true or false, found ", Shown(*value)));
    return fallback;
  }
  return value->get<bool>();
}

std::string JsonFields::String(const std::string& name, const std::string& fallback) {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) {
    Fail(name, absl::StrCat("expected a string, found ", Shown(*value)));
    return fallback;
  }
  return value->get<std::string>();
}

std::vector<int64_t> JsonFields::Integers(const std::string& name) {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return {};
  const nlohmann::json list = value->is_array() ? *value : nlohmann::json::array({*value});
  std::vector<int64_t> numbers;
  for (const nlohmann::json& element : list) {
    if (!IsInteger(element)) {
      Fail(name, absl::StrCat("expected an integer or a list of them, found ", Shown(*value)));
      return {};
    }
    numbers.push_back(element.get<int64_t>());
  }
  return numbers;
}

JsonFields JsonFields::Object(const std::string& name) {
  const nlohmann::json* value = Find(name);
  const std::string path = absl::StrCat(path_, name, ".");
  if (value != nullptr && value->is_object()) return JsonFields(*value, where_, path);
  if (value != nullptr) Fail(name, absl::StrCat("expected an object, found ", Shown(*value)));
  return JsonFields(EmptyObject(), where_, path);
}

absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, const std::string& where) {
  // Printing a value recurses: what nests deeper than any configuration does is dropped here.
  const auto depth_limit = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    return depth < 64;
  };
  std::string error;
  nlohmann::json parsed;
  try {
    parsed = nlohmann::json::parse(text.begin(), text.end(), depth_limit);
  } catch (const nlohmann::json::exception& exception) {
    error = exception.what();
    const size_t end = std::min(error.find(": "), error.size());
    error = error.substr(error.find("] ") == std::string::npos ? end : error.find("] ") + 2);
    return absl::InvalidArgumentError(absl::StrCat(where, ": not valid JSON: ", error));
  }
  if (!parsed.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, ": expected a JSON object"));
  return parsed;
}

}  // namespace plumb
