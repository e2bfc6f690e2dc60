#ifndef PLUMB_COMMON_NN_JSON_FIELDS_H_
#define PLUMB_COMMON_NN_JSON_FIELDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Reads an object of a configuration file field by field. The first fault is kept; whoever reads asks for
// status() once at the end. A field that is null counts as not there.
class JsonFields {
 public:
  // `where` is the file, `path` the object's place within it ("rope_scaling.", or "").
  JsonFields(const nlohmann::json& object, std::string where, std::string path = "")
      : object_(object), where_(std::move(where)), path_(std::move(path)) {}

  bool Has(const std::string& name) const;

  // Integers within [min, max].
  int64_t Integer(const std::string& name, int64_t fallback, int64_t min, int64_t max);
  int64_t RequiredInteger(const std::string& name, int64_t min, int64_t max);
  double Number(const std::string& name, double fallback);
  double RequiredNumber(const std::string& name);
  bool Boolean(const std::string& name, bool fallback);
  std::string String(const std::string& name, const std::string& fallback);
  // One integer or a list of them.
  std::vector<int64_t> Integers(const std::string& name);
  // The object of that name; an empty one when it is not there.
  JsonFields Object(const std::string& name);

  // Keeps "WHERE: field 'PATH': WHAT", unless there was a fault before.
  void Fail(const std::string& name, absl::string_view what);
  const absl::Status& status() const { return status_; }
  void Keep(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }
  const nlohmann::json& json() const { return object_; }
  const std::string& where() const { return where_; }

 private:
  const nlohmann::json* Find(const std::string& name) const;

  const nlohmann::json& object_;
  std::string where_;
  std::string path_;
  absl::Status status_;
};

// Parses the text of a JSON object; the message names `where` and the line.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, const std::string& where);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_JSON_FIELDS_H_
