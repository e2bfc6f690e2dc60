#include "common/data/tokenizers/tokenizer_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/data/tokenizers/json_value.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using nlohmann::json;

absl::Status ReadBool(const JsonValue& value, std::optional<bool>* result) {
  if (value.is_null()) return absl::OkStatus();
  PLUMB_ASSIGN_OR_RETURN(*result, value.Bool());
  return absl::OkStatus();
}

// A token as a string, or as an object with its content and how it is matched.
absl::StatusOr<AddedToken> TokenFromJson(const JsonValue& value) {
  AddedToken token;
  if (value.is_string()) {
    PLUMB_ASSIGN_OR_RETURN(token.content, value.String());
    return token;
  }
  if (!value.is_object()) return value.Error("expected a token: a string, or an object with `content`");
  PLUMB_ASSIGN_OR_RETURN(token.content, value.Field("content").String());
  PLUMB_ASSIGN_OR_RETURN(token.special, value.Field("special").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.normalized, value.Field("normalized").BoolOr(!token.special));
  PLUMB_ASSIGN_OR_RETURN(token.single_word, value.Field("single_word").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.lstrip, value.Field("lstrip").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.rstrip, value.Field("rstrip").BoolOr(false));
  return token;
}

absl::Status AddSpecial(const JsonValue& value, TokenizerConfig* config, std::optional<std::string>* name) {
  PLUMB_ASSIGN_OR_RETURN(AddedToken token, TokenFromJson(value));
  if (token.content.empty()) return absl::OkStatus();
  token.special = true;
  if (name != nullptr) *name = token.content;
  config->special_tokens.push_back(std::move(token));
  return absl::OkStatus();
}

// The named special tokens of tokenizer_config.json or special_tokens_map.json; what an earlier file said,
// stands.
absl::Status ReadSpecialTokens(const JsonValue& root, const JsonValue& earlier, TokenizerConfig* config) {
  const std::pair<const char*, std::optional<std::string>*> named[] = {
      {"bos_token", &config->bos_token},
      {"eos_token", &config->eos_token},
      {"unk_token", &config->unk_token},
      {"pad_token", nullptr},
      {"sep_token", nullptr},
      {"cls_token", nullptr},
      {"mask_token", nullptr},
  };
  for (const auto& [name, target] : named) {
    if (!root.Has(name) || (earlier.is_object() && earlier.value().contains(name))) continue;
    PLUMB_RETURN_IF_ERROR(AddSpecial(root.Field(name), config, target));
  }
  for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
    const JsonValue list = root.Field(name);
    if (list.is_null() || earlier.Has(name)) continue;
    if (list.is_object()) {  // newer files: a name for each
      for (const auto& [key, value] : list.value().items()) {
        PLUMB_RETURN_IF_ERROR(AddSpecial(list.Field(key), config, nullptr));
      }
      continue;
    }
    PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> tokens, list.Elements());
    for (const JsonValue& token : tokens) PLUMB_RETURN_IF_ERROR(AddSpecial(token, config, nullptr));
  }
  return absl::OkStatus();
}

absl::Status ReadAddedTokensDecoder(const JsonValue& decoder, TokenizerConfig* config) {
  if (decoder.is_null()) return absl::OkStatus();
  if (!decoder.is_object()) return decoder.Error("expected an object: id to token");
  for (const auto& [key, value] : decoder.value().items()) {
    int64_t id = 0;
    if (!absl::SimpleAtoi(key, &id) || id < 0 || id >= (1 << 24)) {
      return decoder.Error(absl::StrCat("'", key, "' is not a token id"));
    }
    PLUMB_ASSIGN_OR_RETURN(AddedToken token, TokenFromJson(decoder.Field(key)));
    token.id = id;
    config->added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// A template, or a list of {name, template} of which "default" is meant.
absl::Status ReadChatTemplate(const JsonValue& value, TokenizerConfig* config) {
  if (value.is_null()) return absl::OkStatus();
  if (value.is_string()) {
    PLUMB_ASSIGN_OR_RETURN(config->chat_template, value.String());
    return absl::OkStatus();
  }
  PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> templates, value.Elements());
  for (const JsonValue& named : templates) {
    PLUMB_ASSIGN_OR_RETURN(const std::string name, named.Field("name").String());
    PLUMB_ASSIGN_OR_RETURN(const std::string text, named.Field("template").String());
    if (name == "default") config->chat_template = text;
  }
  return absl::OkStatus();
}

absl::Status ReadConfig(const JsonValue& root, TokenizerConfig* config) {
  if (!root.is_object()) return root.Error("expected an object");
  PLUMB_ASSIGN_OR_RETURN(config->tokenizer_class, root.Field("tokenizer_class").StringOr(""));
  PLUMB_RETURN_IF_ERROR(ReadChatTemplate(root.Field("chat_template"), config));
  PLUMB_RETURN_IF_ERROR(ReadBool(root.Field("add_bos_token"), &config->add_bos_token));
  PLUMB_RETURN_IF_ERROR(ReadBool(root.Field("add_eos_token"), &config->add_eos_token));
  PLUMB_RETURN_IF_ERROR(ReadBool(root.Field("add_prefix_space"), &config->add_prefix_space));
  PLUMB_RETURN_IF_ERROR(ReadBool(root.Field("legacy"), &config->legacy));
  PLUMB_RETURN_IF_ERROR(ReadAddedTokensDecoder(root.Field("added_tokens_decoder"), config));
  return absl::OkStatus();
}

// added_tokens.json of older folders: token to id.
absl::Status ReadAddedTokens(const JsonValue& root, TokenizerConfig* config) {
  if (!root.is_object()) return root.Error("expected an object: token to id");
  for (const auto& [content, value] : root.value().items()) {
    const auto known = [&, &content = content](const AddedToken& token) { return token.content == content; };
    if (std::any_of(config->added_tokens.begin(), config->added_tokens.end(), known)) continue;
    AddedToken token;
    token.content = content;
    token.normalized = true;
    PLUMB_ASSIGN_OR_RETURN(token.id, root.Field(content).TokenId());
    config->added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// The text of FOLDER/NAME, also kept in config->files; nothing when there is no such file.
absl::StatusOr<std::optional<std::string>> ReadIfThere(const std::string& folder, const std::string& name,
                                                       TokenizerConfig* config) {
  const std::string path = absl::StrCat(folder, "/", name);
  if (!FileExists(path)) return std::nullopt;
  PLUMB_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  config->files.emplace_back(name, text);
  return std::optional<std::string>(std::move(text));
}

absl::StatusOr<json> ReadJsonIfThere(const std::string& folder, const std::string& name,
                                     TokenizerConfig* config) {
  PLUMB_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadIfThere(folder, name, config));
  if (!text) return json();
  return ParseJson(*text, absl::StrCat(folder, "/", name));
}

}  // namespace

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const std::string& folder) {
  TokenizerConfig config;
  config.folder = folder;
  PLUMB_ASSIGN_OR_RETURN(const json main, ReadJsonIfThere(folder, "tokenizer_config.json", &config));
  const JsonValue root(&main, absl::StrCat(folder, "/tokenizer_config.json"));
  if (!root.is_null()) PLUMB_RETURN_IF_ERROR(ReadConfig(root, &config));
  const json nothing;
  PLUMB_RETURN_IF_ERROR(ReadSpecialTokens(root, JsonValue(&nothing, ""), &config));

  PLUMB_ASSIGN_OR_RETURN(const json map, ReadJsonIfThere(folder, "special_tokens_map.json", &config));
  PLUMB_RETURN_IF_ERROR(
      ReadSpecialTokens(JsonValue(&map, absl::StrCat(folder, "/special_tokens_map.json")), root, &config));

  PLUMB_ASSIGN_OR_RETURN(const json added, ReadJsonIfThere(folder, "added_tokens.json", &config));
  if (!added.is_null()) {
    PLUMB_RETURN_IF_ERROR(
        ReadAddedTokens(JsonValue(&added, absl::StrCat(folder, "/added_tokens.json")), &config));
  }
  PLUMB_ASSIGN_OR_RETURN(const std::optional<std::string> jinja,
                         ReadIfThere(folder, "chat_template.jinja", &config));
  if (jinja) config.chat_template = *jinja;
  std::sort(config.added_tokens.begin(), config.added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return config;
}

}  // namespace plumb
