#include "common/data/tokenizers/post_processor.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int kMaxDepth = 8;

// Of "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}.
absl::StatusOr<std::vector<int64_t>> IdsOfSpecialToken(const JsonValue& special_tokens,
                                                       const std::string& name) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements,
                         special_tokens.Field(name).Field("ids").Elements());
  std::vector<int64_t> ids;
  for (const JsonValue& element : elements) {
    PLUMB_ASSIGN_OR_RETURN(const int64_t id, element.TokenId());
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

PostProcessor::PostProcessor(std::optional<int64_t> bos, std::optional<int64_t> eos) {
  if (bos) before_.push_back(*bos);
  if (eos) after_.push_back(*eos);
}

absl::StatusOr<PostProcessor> PostProcessor::FromJson(const JsonValue& value) {
  PostProcessor post_processor;
  PLUMB_RETURN_IF_ERROR(post_processor.Add(value, 0));
  return post_processor;
}

absl::Status PostProcessor::Add(const JsonValue& value, int depth) {
  if (value.is_null()) return absl::OkStatus();
  if (depth > kMaxDepth) return value.Error("nested too deeply");
  PLUMB_ASSIGN_OR_RETURN(const std::string type, value.Field("type").String());
  if (type == "Sequence") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "processors"}));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> steps, value.Field("processors").Elements());
    for (const JsonValue& step : steps) PLUMB_RETURN_IF_ERROR(Add(step, depth + 1));
    return absl::OkStatus();
  }
  if (type == "ByteLevel")
    return value.ExpectFields({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (type == "TemplateProcessing") return AddTemplate(value);
  return value.Field("type").Unsupported(
      absl::StrCat("'", type, "' is not supported (supported: ByteLevel, TemplateProcessing, Sequence)"));
}

absl::Status PostProcessor::AddTemplate(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "single", "pair", "special_tokens"}));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> pieces, value.Field("single").Elements());
  std::vector<int64_t> before, after;
  bool text_seen = false;
  for (const JsonValue& piece : pieces) {
    PLUMB_RETURN_IF_ERROR(piece.ExpectFields({"SpecialToken", "Sequence"}));
    if (piece.Has("Sequence")) {
      PLUMB_ASSIGN_OR_RETURN(const std::string id, piece.Field("Sequence").Field("id").String());
      if (id != "A" || text_seen) return piece.Unsupported("only one sequence, \"A\", is supported");
      text_seen = true;
      continue;
    }
    PLUMB_ASSIGN_OR_RETURN(const std::string name, piece.Field("SpecialToken").Field("id").String());
    PLUMB_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                           IdsOfSpecialToken(value.Field("special_tokens"), name));
    std::vector<int64_t>& side = text_seen ? after : before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (!text_seen) return value.Field("single").Error("has no sequence \"A\"");
  before_.insert(before_.begin(), before.begin(), before.end());
  after_.insert(after_.end(), after.begin(), after.end());
  return absl::OkStatus();
}

void PostProcessor::Process(std::vector<int64_t>* ids) const {
  ids->insert(ids->begin(), before_.begin(), before_.end());
  ids->insert(ids->end(), after_.begin(), after_.end());
}

}  // namespace plumb
