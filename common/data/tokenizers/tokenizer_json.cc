#include "common/data/tokenizers/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/data/tokenizers/added_tokens.h"
#include "common/data/tokenizers/bpe.h"
#include "common/data/tokenizers/json_value.h"
#include "common/data/tokenizers/normalizer.h"
#include "common/data/tokenizers/post_processor.h"
#include "common/data/tokenizers/pre_tokenizer.h"
#include "common/data/tokenizers/token_decoder.h"
#include "common/data/tokenizers/unicode.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using nlohmann::json;
constexpr char kEndOfText[] = "<|endoftext|>";
constexpr char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

using Files = std::vector<std::pair<std::string, std::string>>;
using Merges = std::vector<std::pair<std::string, std::string>>;

class JsonTokenizer : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Create(const JsonValue& root, TokenizerConfig config,
                                                           Files files);

  std::vector<int64_t> Encode(absl::string_view text, bool add_special_tokens) const override;
  std::string Decode(absl::Span<const int64_t> ids, bool skip_special_tokens) const override;
  int64_t vocab_size() const override { return vocab_size_; }
  std::optional<int64_t> TokenToId(absl::string_view token) const override;
  std::optional<int64_t> bos_token_id() const override { return IdOf(config_.bos_token); }
  std::optional<int64_t> eos_token_id() const override { return IdOf(config_.eos_token); }
  const std::string& chat_template() const override { return config_.chat_template; }
  absl::Status Save(const std::string& folder) const override;

 private:
  std::optional<int64_t> IdOf(const std::optional<std::string>& token) const {
    return token ? TokenToId(*token) : std::nullopt;
  }
  absl::Status ReadModel(const JsonValue& model);
  absl::Status ReadAddedTokens(const JsonValue& list);
  absl::Status AddTokensOfConfig();
  void PutToken(const std::string& token, int64_t id);
  void PutAddedToken(const AddedToken& token);
  void EncodePart(absl::string_view text, bool at_start, std::vector<int64_t>* ids) const;
  void EncodeWords(absl::string_view text, bool at_start, std::vector<int64_t>* ids) const;

  TokenizerConfig config_;
  Files files_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  TokenDecoder decoder_;
  PostProcessor post_processor_;
  std::unique_ptr<Bpe> bpe_;
  Vocabulary ids_;                                    // with added tokens
  absl::flat_hash_map<int64_t, std::string> tokens_;  // the other way round
  absl::flat_hash_set<int64_t> added_ids_;
  absl::flat_hash_set<int64_t> special_ids_;
  AddedTokenFinder raw_tokens_;         // looked for before normalisation
  AddedTokenFinder normalized_tokens_;  // and after it
  int64_t vocab_size_ = 0;              // the largest id and one
};

// A merge is "a b", or ["a", "b"] in newer files.
absl::StatusOr<std::pair<std::string, std::string>> MergeFromJson(const JsonValue& value) {
  if (value.is_string()) {
    const std::string& text = value.value().get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      return value.Error("expected two tokens with a space between them");
    }
    return std::make_pair(text.substr(0, space), text.substr(space + 1));
  }
  const json& pair = value.value();
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
    return value.Error("expected a merge: \"a b\" or [\"a\", \"b\"]");
  }
  return std::make_pair(pair[0].get<std::string>(), pair[1].get<std::string>());
}

absl::StatusOr<Merges> MergesFromJson(const JsonValue& value) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements, value.Elements());
  Merges merges;
  merges.reserve(elements.size());
  for (const JsonValue& element : elements) {
    PLUMB_ASSIGN_OR_RETURN(auto merge, MergeFromJson(element));
    merges.push_back(std::move(merge));
  }
  return merges;
}

absl::StatusOr<Vocabulary> VocabularyFromJson(const JsonValue& value) {
  if (!value.is_object()) return value.Error("expected an object: token to id");
  Vocabulary vocabulary;
  vocabulary.reserve(value.value().size());
  absl::flat_hash_set<int64_t> ids;
  for (const auto& [token, id_json] : value.value().items()) {
    const absl::StatusOr<int64_t> checked = JsonValue(&id_json, "").TokenId();
    if (!checked.ok()) return value.Field(token).TokenId().status();  // the error that says where
    const int64_t id = *checked;
    if (!ids.insert(id).second) return value.Field(token).Error(absl::StrCat("id ", id, " is used twice"));
    vocabulary.emplace(token, id);
  }
  return vocabulary;
}

// Fields that change the result in ways we do not have must hold the value that changes nothing.
absl::Status ExpectEmptyString(const JsonValue& value) {
  PLUMB_ASSIGN_OR_RETURN(const std::string text, value.StringOr(""));
  if (!text.empty()) return value.Unsupported("only null and \"\" are supported");
  return absl::OkStatus();
}

absl::Status ExpectNoDropout(const JsonValue& value) {
  if (value.is_null() || (value.value().is_number() && value.value().get<double>() == 0))
    return absl::OkStatus();
  return value.Unsupported("BPE dropout is not supported; set it to null");
}

absl::StatusOr<BpeOptions> BpeOptionsFromJson(const JsonValue& model) {
  PLUMB_RETURN_IF_ERROR(
      model.ExpectFields({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                          "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"}));
  PLUMB_RETURN_IF_ERROR(ExpectNoDropout(model.Field("dropout")));
  PLUMB_RETURN_IF_ERROR(ExpectEmptyString(model.Field("continuing_subword_prefix")));
  PLUMB_RETURN_IF_ERROR(ExpectEmptyString(model.Field("end_of_word_suffix")));
  BpeOptions options;
  PLUMB_ASSIGN_OR_RETURN(options.unk_token, model.Field("unk_token").StringOr(""));
  PLUMB_ASSIGN_OR_RETURN(options.fuse_unk, model.Field("fuse_unk").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(options.byte_fallback, model.Field("byte_fallback").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(options.ignore_merges, model.Field("ignore_merges").BoolOr(false));
  return options;
}

absl::StatusOr<AddedToken> AddedTokenFromJson(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(
      value.ExpectFields({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  AddedToken token;
  PLUMB_ASSIGN_OR_RETURN(token.content, value.Field("content").String());
  PLUMB_ASSIGN_OR_RETURN(token.id, value.Field("id").TokenId());
  PLUMB_ASSIGN_OR_RETURN(token.special, value.Field("special").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.normalized, value.Field("normalized").BoolOr(!token.special));
  PLUMB_ASSIGN_OR_RETURN(token.single_word, value.Field("single_word").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.lstrip, value.Field("lstrip").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(token.rstrip, value.Field("rstrip").BoolOr(false));
  return token;
}

absl::Status JsonTokenizer::ReadModel(const JsonValue& model) {
  if (!model.is_object()) return model.Error("expected an object");
  PLUMB_ASSIGN_OR_RETURN(const std::string type, model.Field("type").StringOr("BPE"));
  if (type != "BPE") {
    return model.Field("type").Unsupported(absl::StrCat("'", type, "' is not supported (supported: BPE)"));
  }
  PLUMB_ASSIGN_OR_RETURN(BpeOptions options, BpeOptionsFromJson(model));
  options.byte_level = pre_tokenizer_.byte_level();
  PLUMB_ASSIGN_OR_RETURN(const Vocabulary vocabulary, VocabularyFromJson(model.Field("vocab")));
  if (vocabulary.empty()) return model.Field("vocab").Error("is empty");
  PLUMB_ASSIGN_OR_RETURN(const Merges merges, MergesFromJson(model.Field("merges")));
  absl::StatusOr<std::unique_ptr<Bpe>> bpe = Bpe::Create(vocabulary, merges, options);
  if (!bpe.ok()) return model.Error(bpe.status().message());
  bpe_ = *std::move(bpe);
  for (const auto& [token, id] : vocabulary) PutToken(token, id);
  return absl::OkStatus();
}

void JsonTokenizer::PutToken(const std::string& token, int64_t id) {
  ids_[token] = id;
  tokens_[id] = token;
  vocab_size_ = std::max(vocab_size_, id + 1);
}

void JsonTokenizer::PutAddedToken(const AddedToken& token) {
  PutToken(token.content, token.id);
  added_ids_.insert(token.id);
  if (token.special) special_ids_.insert(token.id);
  if (token.normalized) {
    normalized_tokens_.Add(normalizer_.Normalize(token.content), token);
  } else {
    raw_tokens_.Add(token.content, token);
  }
}

absl::Status JsonTokenizer::ReadAddedTokens(const JsonValue& list) {
  if (list.is_null()) return absl::OkStatus();
  PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements, list.Elements());
  for (const JsonValue& element : elements) {
    PLUMB_ASSIGN_OR_RETURN(const AddedToken token, AddedTokenFromJson(element));
    const std::optional<int64_t> known = TokenToId(token.content);
    if (known && *known != token.id) {
      return element.Field("id").Error(
          absl::StrCat("'", token.content, "' has id ", *known, " already, not ", token.id));
    }
    if (!known && tokens_.contains(token.id)) {
      return element.Field("id").Error(
          absl::StrCat("id ", token.id, " is that of '", tokens_[token.id], "'"));
    }
    PutAddedToken(token);
  }
  return absl::OkStatus();
}

// Tokens that tokenizer_config.json names and tokenizer.json does not: of the vocabulary, or new.
absl::Status JsonTokenizer::AddTokensOfConfig() {
  for (AddedToken token : config_.added_tokens) {
    const std::optional<int64_t> known = TokenToId(token.content);
    if (known && added_ids_.contains(*known)) continue;
    if (!known && tokens_.contains(token.id)) {
      return absl::InvalidArgumentError(
          absl::StrCat(config_.folder, "/tokenizer_config.json: added_tokens_decoder.", token.id, ": id ",
                       token.id, " is that of '", tokens_[token.id], "', not of '", token.content, "'"));
    }
    if (known) token.id = *known;
    PutAddedToken(token);
  }
  for (AddedToken token : config_.special_tokens) {
    const std::optional<int64_t> known = TokenToId(token.content);
    token.id = known.value_or(vocab_size_);
    if (added_ids_.contains(token.id)) {
      special_ids_.insert(token.id);
    } else {
      PutAddedToken(token);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> JsonTokenizer::Create(const JsonValue& root,
                                                                 TokenizerConfig config, Files files) {
  PLUMB_RETURN_IF_ERROR(root.ExpectFields({"version", "truncation", "padding", "added_tokens", "normalizer",
                                           "pre_tokenizer", "post_processor", "decoder", "model"}));
  auto tokenizer = std::make_unique<JsonTokenizer>();
  tokenizer->config_ = std::move(config);
  tokenizer->files_ = std::move(files);
  PLUMB_ASSIGN_OR_RETURN(tokenizer->normalizer_, Normalizer::FromJson(root.Field("normalizer")));
  PLUMB_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_, PreTokenizer::FromJson(root.Field("pre_tokenizer")));
  PLUMB_ASSIGN_OR_RETURN(tokenizer->decoder_, TokenDecoder::FromJson(root.Field("decoder")));
  PLUMB_RETURN_IF_ERROR(tokenizer->ReadModel(root.Field("model")));
  PLUMB_RETURN_IF_ERROR(tokenizer->ReadAddedTokens(root.Field("added_tokens")));
  PLUMB_RETURN_IF_ERROR(tokenizer->AddTokensOfConfig());
  const TokenizerConfig& settings = tokenizer->config_;
  if (settings.add_bos_token || settings.add_eos_token) {  // these replace the file's post-processor
    tokenizer->post_processor_ =
        PostProcessor(settings.add_bos_token.value_or(false) ? tokenizer->bos_token_id() : std::nullopt,
                      settings.add_eos_token.value_or(false) ? tokenizer->eos_token_id() : std::nullopt);
  } else {
    PLUMB_ASSIGN_OR_RETURN(tokenizer->post_processor_, PostProcessor::FromJson(root.Field("post_processor")));
  }
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

std::vector<int64_t> JsonTokenizer::Encode(absl::string_view text, bool add_special_tokens) const {
  std::string valid;
  if (!IsValidUtf8(text)) {
    valid = ReplaceInvalidUtf8(text);
    text = valid;
  }
  std::vector<int64_t> ids;
  ids.reserve(text.size() / 3);
  std::vector<TextPart> parts;
  raw_tokens_.Split(text, &parts);
  for (const TextPart& part : parts) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      EncodePart(part.text, part.text.data() == text.data(), &ids);
    }
  }
  if (add_special_tokens) post_processor_.Process(&ids);
  return ids;
}

void JsonTokenizer::EncodePart(absl::string_view text, bool at_start, std::vector<int64_t>* ids) const {
  std::string normalized;
  if (!normalizer_.empty()) {
    normalized = normalizer_.Normalize(text);
    text = normalized;
  }
  if (normalized_tokens_.empty()) return EncodeWords(text, at_start, ids);
  std::vector<TextPart> parts;
  normalized_tokens_.Split(text, &parts);
  for (const TextPart& part : parts) {
    if (part.id >= 0) {
      ids->push_back(part.id);
    } else {
      EncodeWords(part.text, at_start && part.text.data() == text.data(), ids);
    }
  }
}

void JsonTokenizer::EncodeWords(absl::string_view text, bool at_start, std::vector<int64_t>* ids) const {
  const Words words = pre_tokenizer_.Split(text, at_start);
  bpe_->Encode(words.words, ids);
}

std::string JsonTokenizer::Decode(absl::Span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int64_t id : ids) {
    if (skip_special_tokens && special_ids_.contains(id)) continue;
    if (const auto found = tokens_.find(id); found != tokens_.end()) tokens.push_back(found->second);
  }
  return decoder_.Decode(std::move(tokens));
}

std::optional<int64_t> JsonTokenizer::TokenToId(absl::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

absl::Status JsonTokenizer::Save(const std::string& folder) const {
  for (const Files* files : {&files_, &config_.files}) {
    for (const auto& [name, bytes] : *files) {
      PLUMB_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/", name), bytes));
    }
  }
  return absl::OkStatus();
}

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The lines of merges.txt but its first, "#version: 0.2".
absl::StatusOr<json> MergesFromText(absl::string_view text, const std::string& path) {
  json merges = json::array();
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    if (!IsValidUtf8(line) || std::count(line.begin(), line.end(), ' ') != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": expected two tokens with a space between them"));
    }
    merges.push_back(std::string(line));
  }
  return absl::StatusOr<json>(std::move(merges));
}

json ByteLevelJson(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"use_regex", use_regex}};
}

// How texts are split by the tokenizers that came as vocab.json and merges.txt.
absl::Status SplitAsClass(const TokenizerConfig& config, const std::string& path, json* document) {
  std::string name = config.tokenizer_class;
  if (absl::EndsWith(name, "Fast")) name.resize(name.size() - 4);
  if (name.empty() || name == "GPT2Tokenizer") {
    (*document)["pre_tokenizer"] = ByteLevelJson(config.add_prefix_space.value_or(false), true);
  } else if (name == "Qwen2Tokenizer") {
    (*document)["normalizer"] = {{"type", "NFC"}};
    const json split = {{"type", "Split"}, {"pattern", {{"Regex", kQwen2Pattern}}}, {"behavior", "Isolated"}};
    (*document)["pre_tokenizer"] = {{"type", "Sequence"},
                                    {"pretokenizers", {split, ByteLevelJson(false, false)}}};
  } else {
    return absl::UnimplementedError(absl::StrCat(path, ": how the tokenizer_class '", name,
                                                 "' splits text is not known (known: GPT2Tokenizer, "
                                                 "Qwen2Tokenizer); add its tokenizer.json to the folder"));
  }
  (*document)["decoder"] = {{"type", "ByteLevel"}};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromJson(absl::string_view text, const std::string& path,
                                                             TokenizerConfig config) {
  PLUMB_ASSIGN_OR_RETURN(const json document, ParseJson(text, path));
  return TokenizerFromDocument(document, path, std::move(config), {{"tokenizer.json", std::string(text)}});
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromDocument(const json& document,
                                                                 const std::string& path,
                                                                 TokenizerConfig config, Files files) {
  return JsonTokenizer::Create(JsonValue(&document, path), std::move(config), std::move(files));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromVocabAndMerges(const std::string& vocab_path,
                                                                       const std::string& merges_path,
                                                                       TokenizerConfig config) {
  PLUMB_ASSIGN_OR_RETURN(std::string vocab_text, ReadFile(vocab_path));
  PLUMB_ASSIGN_OR_RETURN(std::string merges_text, ReadFile(merges_path));
  json document;
  PLUMB_RETURN_IF_ERROR(SplitAsClass(config, vocab_path, &document));
  PLUMB_ASSIGN_OR_RETURN(document["model"]["vocab"], ParseJson(vocab_text, vocab_path));
  PLUMB_ASSIGN_OR_RETURN(document["model"]["merges"], MergesFromText(merges_text, merges_path));
  const JsonValue root(&document, vocab_path);
  if (!config.bos_token && !config.eos_token && root.Field("model").Field("vocab").Has(kEndOfText)) {
    config.eos_token = kEndOfText;
    if (!absl::StartsWith(config.tokenizer_class, "Qwen2")) config.bos_token = kEndOfText;
    AddedToken token;
    token.content = kEndOfText;
    token.special = true;
    config.special_tokens.push_back(token);
  }
  Files files = {{FileName(vocab_path), std::move(vocab_text)},
                 {FileName(merges_path), std::move(merges_text)}};
  return JsonTokenizer::Create(root, std::move(config), std::move(files));
}

}  // namespace plumb
