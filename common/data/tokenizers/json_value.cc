#include "common/data/tokenizers/json_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace plumb {

namespace {

// What a file says may hold control characters, which would break the one line of an error; quotes may stay.
std::string Printable(absl::string_view text) {
  return absl::StrReplaceAll(absl::Utf8SafeCHexEscape(text), {{"\\'", "'"}, {"\\\"", "\""}});
}

}  // namespace
namespace {

using nlohmann::json;

const json& Null() {
  static const auto& null = *new json();
  return null;
}

constexpr int64_t kTokenIds =
    1 << 24;  // more than any vocabulary has; keeps a hostile id from costing memory

}  // namespace

absl::StatusOr<json> ParseJson(absl::string_view text, const std::string& path) {
  try {
    return json::parse(text.begin(), text.end());
  } catch (const json::exception& error) {
    const auto* parse_error = dynamic_cast<const json::parse_error*>(&error);
    const size_t end = parse_error == nullptr ? 0 : std::min(parse_error->byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + end, '\n');
    std::string message = error.what();
    message = message.substr(message.rfind("] ") == std::string::npos ? 0 : message.find("] ") + 2);
    return absl::InvalidArgumentError(absl::StrCat(path, ":", line, ": not valid JSON: ", message));
  }
}

bool JsonValue::is_null() const { return json_->is_null(); }
bool JsonValue::is_object() const { return json_->is_object(); }
bool JsonValue::is_array() const { return json_->is_array(); }
bool JsonValue::is_string() const { return json_->is_string(); }

JsonValue JsonValue::Field(absl::string_view name) const {
  const json* field = &Null();
  if (json_->is_object()) {
    const auto found = json_->find(std::string(name));
    if (found != json_->end()) field = &*found;
  }
  return JsonValue(field, path_, absl::StrCat(field_, field_.empty() ? "" : ".", name));
}

absl::StatusOr<std::vector<JsonValue>> JsonValue::Elements() const {
  if (!json_->is_array()) return Error("expected a list");
  std::vector<JsonValue> elements;
  elements.reserve(json_->size());
  for (size_t i = 0; i < json_->size(); ++i) {
    elements.push_back(JsonValue(&(*json_)[i], path_, absl::StrCat(field_, "[", i, "]")));
  }
  return elements;
}

absl::StatusOr<std::string> JsonValue::String() const {
  if (!json_->is_string()) return Error("expected a string");
  return json_->get<std::string>();
}

absl::StatusOr<bool> JsonValue::Bool() const {
  if (!json_->is_boolean()) return Error("expected true or false");
  return json_->get<bool>();
}

absl::StatusOr<int64_t> JsonValue::TokenId() const {
  if (!json_->is_number_integer()) return Error("expected a token id");
  if (json_->is_number_unsigned() && json_->get<uint64_t>() >= kTokenIds) {
    return Error(absl::StrCat("a token id must be below ", kTokenIds));
  }
  const int64_t id = json_->get<int64_t>();
  if (id < 0) return Error("a token id must not be negative");
  return id;
}

absl::StatusOr<bool> JsonValue::BoolOr(bool if_null) const {
  if (is_null()) return if_null;
  return Bool();
}

absl::StatusOr<std::string> JsonValue::StringOr(absl::string_view if_null) const {
  if (is_null()) return std::string(if_null);
  return String();
}

absl::Status JsonValue::ExpectFields(std::initializer_list<absl::string_view> names) const {
  if (!json_->is_object()) return Error("expected an object");
  for (const auto& [name, value] : json_->items()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    return Field(name).Unsupported(
        absl::StrCat("this field is not supported (supported here: ", absl::StrJoin(names, ", "), ")"));
  }
  return absl::OkStatus();
}

std::string JsonValue::Where() const { return absl::StrCat(path_, ": ", field_, field_.empty() ? "" : ": "); }

absl::Status JsonValue::Error(absl::string_view message) const {
  return absl::InvalidArgumentError(Printable(absl::StrCat(Where(), message)));
}

absl::Status JsonValue::Unsupported(absl::string_view message) const {
  return absl::UnimplementedError(Printable(absl::StrCat(Where(), message)));
}

}  // namespace plumb
