#ifndef PLUMB_COMMON_DATA_TOKENIZERS_JSON_VALUE_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_JSON_VALUE_H_

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Parses a JSON file's text; an error names the file, the line and what was expected.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text, const std::string& path);

// A value in a JSON file together with its place there, so that each error says where:
// "gpt2/tokenizer.json: model.merges[3]: expected a string". Holds a pointer to the document.
class JsonValue {
 public:
  JsonValue(const nlohmann::json* document, std::string path) : json_(document), path_(std::move(path)) {}

  const nlohmann::json& value() const { return *json_; }
  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;

  // Of an object: the field, or null when it is not there.
  JsonValue Field(absl::string_view name) const;
  bool Has(absl::string_view name) const { return !Field(name).is_null(); }

  // Of an array. An error when this is something else.
  absl::StatusOr<std::vector<JsonValue>> Elements() const;

  absl::StatusOr<std::string> String() const;
  absl::StatusOr<bool> Bool() const;
  absl::StatusOr<int64_t> TokenId() const;  // 0 .. 2^24 - 1
  absl::StatusOr<bool> BoolOr(bool if_null) const;
  absl::StatusOr<std::string> StringOr(absl::string_view if_null) const;

  // An error when this is no object, or has other fields than these.
  absl::Status ExpectFields(std::initializer_list<absl::string_view> names) const;

  // "FILE: FIELD: message".
  absl::Status Error(absl::string_view message) const;
  // The same, for what is right but not supported.
  absl::Status Unsupported(absl::string_view message) const;

 private:
  JsonValue(const nlohmann::json* json, std::string path, std::string field)
      : json_(json), path_(std::move(path)), field_(std::move(field)) {}
  std::string Where() const;

  const nlohmann::json* json_;
  std::string path_;
  std::string field_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_JSON_VALUE_H_
