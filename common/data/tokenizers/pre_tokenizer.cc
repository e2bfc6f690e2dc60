#include "common/data/tokenizers/pre_tokenizer.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/data/tokenizers/regex.h"
#include "common/data/tokenizers/unicode.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int kMaxDepth = 8;
constexpr absl::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

using Matches = std::vector<std::pair<uint32_t, uint32_t>>;
using Find = std::function<Matches(absl::string_view)>;

enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct Piece {
  size_t start, end;
  bool delimiter;
};

// Matches and what lies between them, in order; `invert` calls the matches text and the rest delimiters.
std::vector<Piece> Pieces(absl::string_view text, const Matches& matches, bool invert) {
  std::vector<Piece> pieces;
  pieces.reserve(2 * matches.size() + 1);
  size_t done = 0;
  for (const auto& [start, end] : matches) {
    if (start > done) pieces.push_back({done, start, invert});
    pieces.push_back({start, end, !invert});
    done = end;
  }
  if (done < text.size()) pieces.push_back({done, text.size(), invert});
  return pieces;
}

// What to do with delimiters, as Hugging Face's SplitDelimiterBehavior.
void Split(absl::string_view text, const std::vector<Piece>& pieces, Behavior behavior,
           std::vector<absl::string_view>* words) {
  const auto put = [&](size_t start, size_t end) { words->push_back(text.substr(start, end - start)); };
  for (size_t i = 0; i < pieces.size(); ++i) {
    Piece piece = pieces[i];
    switch (behavior) {
      case Behavior::kRemoved:
        if (piece.delimiter) continue;
        break;
      case Behavior::kIsolated:
        break;
      case Behavior::kMergedWithPrevious:
        if (!piece.delimiter && i + 1 < pieces.size() && pieces[i + 1].delimiter) piece.end = pieces[++i].end;
        break;
      case Behavior::kMergedWithNext:
        if (piece.delimiter && i + 1 < pieces.size() && !pieces[i + 1].delimiter) piece.end = pieces[++i].end;
        break;
      case Behavior::kContiguous:
        while (i + 1 < pieces.size() && pieces[i + 1].delimiter == piece.delimiter)
          piece.end = pieces[++i].end;
        break;
    }
    put(piece.start, piece.end);
  }
}

void SplitAll(const Find& find, Behavior behavior, bool invert, Words* words) {
  std::vector<absl::string_view> result;
  for (const absl::string_view word : words->words) {
    Split(word, Pieces(word, find(word), invert), behavior, &result);
  }
  words->words = std::move(result);
}

absl::StatusOr<Find> FindRegex(absl::string_view pattern) {
  PLUMB_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern));
  const auto shared = std::make_shared<const Regex>(std::move(regex));
  return Find([shared](absl::string_view text) { return shared->FindAll(text); });
}

Matches FindString(absl::string_view text, const std::string& wanted) {
  Matches matches;
  for (size_t i = text.find(wanted); i != absl::string_view::npos; i = text.find(wanted, i + wanted.size())) {
    matches.emplace_back(i, i + wanted.size());
  }
  return matches;
}

absl::StatusOr<Find> FindFromJson(const JsonValue& pattern) {
  PLUMB_RETURN_IF_ERROR(pattern.ExpectFields({"String", "Regex"}));
  if (pattern.Has("String")) {
    PLUMB_ASSIGN_OR_RETURN(const std::string wanted, pattern.Field("String").String());
    if (wanted.empty()) return pattern.Error("must not be empty");
    return Find([wanted](absl::string_view text) { return FindString(text, wanted); });
  }
  PLUMB_ASSIGN_OR_RETURN(const std::string text, pattern.Field("Regex").String());
  absl::StatusOr<Find> find = FindRegex(text);
  if (find.ok()) return find;
  const JsonValue where = pattern.Field("Regex");
  return absl::IsUnimplemented(find.status()) ? where.Unsupported(find.status().message())
                                              : where.Error(find.status().message());
}

absl::StatusOr<Behavior> BehaviorFromJson(const JsonValue& value) {
  PLUMB_ASSIGN_OR_RETURN(const std::string name, value.String());
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  return value.Error(
      absl::StrCat("'", name,
                   "' is unknown (known: Removed, Isolated, MergedWithPrevious, MergedWithNext, "
                   "Contiguous)"));
}

// What Metaspace does to a word before it is split.
std::string ReplaceSpaces(absl::string_view word, const std::string& replacement, bool prepend) {
  std::string result = absl::StrReplaceAll(word, {{" ", replacement}});
  if (prepend && !absl::StartsWith(result, replacement)) result.insert(0, replacement);
  return result;
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::FromJson(const JsonValue& value) {
  PreTokenizer pre_tokenizer;
  PLUMB_RETURN_IF_ERROR(pre_tokenizer.Add(value, 0));
  return pre_tokenizer;
}

absl::Status PreTokenizer::Add(const JsonValue& value, int depth) {
  if (value.is_null()) return absl::OkStatus();
  if (depth > kMaxDepth) return value.Error("nested too deeply");
  PLUMB_ASSIGN_OR_RETURN(const std::string type, value.Field("type").String());
  if (type == "Sequence") {
    PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "pretokenizers"}));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<JsonValue> steps, value.Field("pretokenizers").Elements());
    for (const JsonValue& step : steps) PLUMB_RETURN_IF_ERROR(Add(step, depth + 1));
    return absl::OkStatus();
  }
  if (byte_level_) return value.Unsupported("a pre-tokenizer after ByteLevel is not supported");
  if (type == "ByteLevel") return AddByteLevel(value);
  if (type == "Split") return AddSplit(value);
  if (type == "Digits") return AddDigits(value);
  if (type == "Metaspace") return AddMetaspace(value);
  return value.Field("type").Unsupported(absl::StrCat(
      "'", type, "' is not supported (supported: ByteLevel, Split, Digits, Metaspace, Sequence)"));
}

absl::Status PreTokenizer::AddByteLevel(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  PLUMB_ASSIGN_OR_RETURN(const bool add_prefix_space, value.Field("add_prefix_space").BoolOr(true));
  PLUMB_ASSIGN_OR_RETURN(const bool use_regex, value.Field("use_regex").BoolOr(true));
  if (add_prefix_space) {
    steps_.push_back([](bool first, Words* words) {
      for (absl::string_view& word : words->words) {
        if (!absl::StartsWith(word, " ")) word = words->owned.emplace_back(absl::StrCat(" ", word));
      }
    });
  }
  if (use_regex) {
    PLUMB_ASSIGN_OR_RETURN(const Find find, FindRegex(kGpt2Pattern));
    steps_.push_back([find](bool first, Words* words) { SplitAll(find, Behavior::kIsolated, false, words); });
  }
  byte_level_ = true;
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddSplit(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "pattern", "behavior", "invert"}));
  PLUMB_ASSIGN_OR_RETURN(const Find find, FindFromJson(value.Field("pattern")));
  PLUMB_ASSIGN_OR_RETURN(const Behavior behavior, BehaviorFromJson(value.Field("behavior")));
  PLUMB_ASSIGN_OR_RETURN(const bool invert, value.Field("invert").BoolOr(false));
  steps_.push_back(
      [find, behavior, invert](bool first, Words* words) { SplitAll(find, behavior, invert, words); });
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddDigits(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(value.ExpectFields({"type", "individual_digits"}));
  PLUMB_ASSIGN_OR_RETURN(const bool individual, value.Field("individual_digits").BoolOr(false));
  PLUMB_ASSIGN_OR_RETURN(const Find find, FindRegex(individual ? R"(\p{N})" : R"(\p{N}+)"));
  steps_.push_back([find](bool first, Words* words) { SplitAll(find, Behavior::kIsolated, false, words); });
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddMetaspace(const JsonValue& value) {
  PLUMB_RETURN_IF_ERROR(
      value.ExpectFields({"type", "replacement", "prepend_scheme", "split", "add_prefix_space"}));
  PLUMB_ASSIGN_OR_RETURN(const std::string replacement, value.Field("replacement").StringOr("▁"));
  if (CharacterLength(replacement) != replacement.size() || replacement.empty()) {
    return value.Field("replacement").Error("expected one character");
  }
  // Older files say add_prefix_space where newer ones say prepend_scheme.
  PLUMB_ASSIGN_OR_RETURN(const bool add_prefix_space, value.Field("add_prefix_space").BoolOr(true));
  PLUMB_ASSIGN_OR_RETURN(const std::string scheme,
                         value.Field("prepend_scheme").StringOr(add_prefix_space ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return value.Field("prepend_scheme")
        .Error(absl::StrCat("'", scheme, "' is unknown (known: always, first, never)"));
  }
  PLUMB_ASSIGN_OR_RETURN(const bool split, value.Field("split").BoolOr(true));
  steps_.push_back([replacement, scheme, split](bool first, Words* words) {
    for (absl::string_view& word : words->words) {
      const bool is_first = first && &word == &words->words.front();
      word = words->owned.emplace_back(
          ReplaceSpaces(word, replacement, scheme == "always" || (scheme == "first" && is_first)));
    }
    if (!split) return;
    SplitAll([&](absl::string_view text) { return FindString(text, replacement); }, Behavior::kMergedWithNext,
             false, words);
  });
  return absl::OkStatus();
}

Words PreTokenizer::Split(absl::string_view text, bool at_start) const {
  Words words;
  if (text.empty()) return words;
  words.words.push_back(text);
  for (const Step& step : steps_) step(at_start, &words);
  return words;
}

}  // namespace plumb
