#include "common/data/tokenizers/token_decoder.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/data/tokenizers/byte_level.h"
#include "common/data/tokenizers/normalizer.h"
#include "common/data/tokenizers/unicode.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int kMaxDepth = 8;
constexpr absl::string_view kReplacementCharacter = "\xEF\xBF\xBD";

void DecodeByteLevel(std::vector<std::string>* tokens) {
  std::string bytes;
  for (const std::string& token : *tokens) bytes += BytesOfToken(token).value_or(token);
  tokens->assign(1, IsValidUtf8(bytes) ? bytes : ReplaceInvalidUtf8(bytes));
}

// "<0x0A>" -> 10; -1 of other tokens.
int FallbackByte(const std::string& token) {
  if (token.size() != 6 || !absl::StartsWith(token, "<0x") || token[5] != '>') return -1;
  if (!absl::ascii_isxdigit(token[3]) || !absl::ascii_isxdigit(token[4])) return -1;
  return std::strtol(token.substr(3, 2).c_str(), nullptr, 16);
}

// Runs of byte tokens become characters; a run that is not UTF-8 becomes U+FFFD for each byte.
void DecodeByteFallback(std::vector<std::string>* tokens) {
  std::vector<std::string> result;
  std::string bytes;
  const auto flush = [&] {
    if (IsValidUtf8(bytes)) {
      if (!bytes.empty()) result.push_back(bytes);
    } else {
      for (size_t i = 0; i < bytes.size(); ++i) result.emplace_back(kReplacementCharacter);
    }
    bytes.clear();
  };
  for (std::string& token : *tokens) {
    if (const int byte = FallbackByte(token); byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  *tokens = std::move(result);
}

// Up to `start` times `content` from the left and `stop` times from the right.
void Strip(const std::string& content, int64_t start, int64_t stop, std::string* token) {
  absl::string_view rest = *token;
  for (int64_t i = 0; i < start && absl::ConsumePrefix(&rest, content); ++i) {
  }
  for (int64_t i = 0; i < stop && absl::ConsumeSuffix(&rest, content); ++i) {
  }
  *token = std::string(rest);
}

absl::StatusOr<std::string> OneCharacter(const JsonValue& value, absl::string_view if_null) {
  PLUMB_ASSIGN_OR_RETURN(const std::string text, value.StringOr(if_null));
  if (text.empty() || CharacterLength(text) != text.size()) return value.Error("expected one character");
  return text;
}

}  // namespace

absl::StatusOr<TokenDecoder> TokenDecoder::FromJson(const JsonValue& value) {
  TokenDecoder decoder;
  if (value.is_null()) {
    decoder.steps_.push_back(
        [](std::vector<std::string>* tokens) { tokens->assign(1, absl::StrJoin(*tokens, " ")); });
    return decoder;
  }
  PLUMB_RETURN_IF_ERROR(decoder.Add(value, 0));
  return decoder;
}

absl::Status TokenDecoder::Add(const JsonValue& value, int depth) {
  if (depth > kMaxDepth) return value.Error("nested too deeply");
  PLUMB_ASSIGN_OR_RETURN(const std::string type, value.Field("type").String());
  if (type == "Sequence") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "decoders"}));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> steps, value.Field("decoders").Elements());
    for (const JsonValue& step : steps) PLUMB_RETURN_IF_ERROR(Add(step, depth + 1));
    return absl::OkStatus();
  }
  if (type == "ByteLevel") {  // its fields are of the pre-tokenizer of that name; none matters here
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    steps_.push_back(DecodeByteLevel);
    return absl::OkStatus();
  }
  if (type == "ByteFallback") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type"}));
    steps_.push_back(DecodeByteFallback);
    return absl::OkStatus();
  }
  if (type == "Fuse") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type"}));
    steps_.push_back([](std::vector<std::string>* tokens) { tokens->assign(1, absl::StrJoin(*tokens, "")); });
    return absl::OkStatus();
  }
  if (type == "Replace") {
    PLUMB_ASSIGN_OR_RETURN(const auto replace, ReplaceFromJson(value));
    steps_.push_back([replace](std::vector<std::string>* tokens) {
      for (std::string& token : *tokens) token = replace(token);
    });
    return absl::OkStatus();
  }
  if (type == "Strip") return AddStrip(value);
  if (type == "Metaspace") return AddMetaspace(value);
  return value.Field("type").Unsupported(absl::StrCat(
      "'", type,
      "' is not supported (supported: ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, Sequence)"));
}

absl::Status TokenDecoder::AddStrip(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "content", "start", "stop"}));
  PLUMB_ASSIGN_OR_RETURN(const std::string content, OneCharacter(value.Field("content"), ""));
  int64_t counts[2];
  for (const int i : {0, 1}) {
    const JsonValue field = value.Field(i == 0 ? "start" : "stop");
    if (!field.value().is_number_unsigned()) return field.Error("expected a count");
    counts[i] = static_cast<int64_t>(std::min<uint64_t>(field.value().get<uint64_t>(), INT64_MAX));
  }
  steps_.push_back([content, start = counts[0], stop = counts[1]](std::vector<std::string>* tokens) {
    for (std::string& token : *tokens) Strip(content, start, stop, &token);
  });
  return absl::OkStatus();
}

absl::Status TokenDecoder::AddMetaspace(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(
      value.ExpectFields({"type", "replacement", "prepend_scheme", "split", "add_prefix_space"}));
  PLUMB_ASSIGN_OR_RETURN(const std::string replacement, OneCharacter(value.Field("replacement"), "▁"));
  PLUMB_ASSIGN_OR_RETURN(const bool add_prefix_space, value.Field("add_prefix_space").BoolOr(true));
  PLUMB_ASSIGN_OR_RETURN(const std::string scheme,
                         value.Field("prepend_scheme").StringOr(add_prefix_space ? "always" : "never"));
  steps_.push_back([replacement, prefixed = scheme != "never"](std::vector<std::string>* tokens) {
    for (std::string& token : *tokens) {
      const bool first = &token == &tokens->front();
      token = absl::StrReplaceAll(token, {{replacement, first && prefixed ? "" : " "}});
    }
  });
  return absl::OkStatus();
}

std::string TokenDecoder::Decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) step(&tokens);
  return absl::StrJoin(tokens, "");
}

}  // namespace plumb
