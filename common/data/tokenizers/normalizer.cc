#include "common/data/tokenizers/normalizer.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/data/tokenizers/regex.h"
#include "common/data/tokenizers/unicode.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int kMaxDepth = 8;

std::string ReplaceMatches(absl::string_view text, const Regex& regex, const std::string& content) {
  std::string result;
  size_t done = 0;
  for (const auto& [start, end] : regex.FindAll(text)) {
    absl::StrAppend(&result, text.substr(done, start - done), content);
    done = end;
  }
  absl::StrAppend(&result, text.substr(done));
  return result;
}

}  // namespace

absl::StatusOr<std::function<std::string(absl::string_view)>> ReplaceFromJson(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "pattern", "content"}));
  PLUMB_ASSIGN_OR_RETURN(const std::string content, value.Field("content").String());
  const JsonValue pattern = value.Field("pattern");
  PLUMB_RETURN_IF_ERROR(pattern.ExpectFields({"String", "Regex"}));
  if (pattern.Has("String")) {
    PLUMB_ASSIGN_OR_RETURN(const std::string text, pattern.Field("String").String());
    if (text.empty()) return pattern.Error("must not be empty");
    return [text, content](absl::string_view whole) { return absl::StrReplaceAll(whole, {{text, content}}); };
  }
  PLUMB_ASSIGN_OR_RETURN(const std::string text, pattern.Field("Regex").String());
  absl::StatusOr<Regex> regex = Regex::Compile(text);
  if (!regex.ok()) return pattern.Field("Regex").Error(regex.status().message());
  const auto shared = std::make_shared<const Regex>(*std::move(regex));
  return [shared, content](absl::string_view whole) { return ReplaceMatches(whole, *shared, content); };
}

absl::StatusOr<Normalizer> Normalizer::FromJson(const JsonValue& value) {
  Normalizer normalizer;
  PLUMB_RETURN_IF_ERROR(normalizer.Add(value, 0));
  return normalizer;
}

absl::Status Normalizer::Add(const JsonValue& value, int depth) {
  if (value.is_null()) return absl::OkStatus();
  if (depth > kMaxDepth) return value.Error("nested too deeply");
  PLUMB_ASSIGN_OR_RETURN(const std::string type, value.Field("type").String());
  if (type == "Sequence") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "normalizers"}));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> steps, value.Field("normalizers").Elements());
    for (const JsonValue& step : steps) PLUMB_RETURN_IF_ERROR(Add(step, depth + 1));
    return absl::OkStatus();
  }
  if (type == "Prepend") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "prepend"}));
    PLUMB_ASSIGN_OR_RETURN(const std::string prefix, value.Field("prepend").String());
    steps_.push_back([prefix](absl::string_view text) {
      return text.empty() ? std::string() : absl::StrCat(prefix, text);
    });
    return absl::OkStatus();
  }
  if (type == "Replace") {
    PLUMB_ASSIGN_OR_RETURN(auto replace, ReplaceFromJson(value));
    steps_.push_back(std::move(replace));
    return absl::OkStatus();
  }
  for (const auto& [name, form] :
       {std::pair("NFC", NormalForm::kNfc), std::pair("NFD", NormalForm::kNfd),
        std::pair("NFKC", NormalForm::kNfkc), std::pair("NFKD", NormalForm::kNfkd)}) {
    if (type != name) continue;
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type"}));
    steps_.push_back([form = form](absl::string_view text) { return NormalizeUnicode(text, form); });
    return absl::OkStatus();
  }
  return value.Field("type").Unsupported(absl::StrCat(
      "'", type, "' is not supported (supported: NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence)"));
}

std::string Normalizer::Normalize(absl::string_view text) const {
  std::string result(text);
  for (const auto& step : steps_) result = step(result);
  return result;
}

}  // namespace plumb
