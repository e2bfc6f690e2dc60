#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/data/bpe_trainer.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// GPT-2's rule for where words begin and end.
constexpr char kWordPattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// ChatML, which transformers renders with the template of tokenizer_config.json.
constexpr char kChatMlTemplate[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

std::string Utf8(uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

// The printable character that stands for each byte: itself where printable, else the next one from 256 on.
std::array<uint32_t, 256> ByteCharacters() {
  std::array<uint32_t, 256> characters;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

pcre2_code* WordPattern() {
  static pcre2_code* const code = [] {
    int error;
    PCRE2_SIZE offset;
    pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kWordPattern), PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    return compiled;
  }();
  return code;
}

using Pair = std::pair<int32_t, int32_t>;

// A word as tokens, and how often it occurs.
struct Word {
  std::vector<int32_t> tokens;
  int64_t count;
};

// A pair that may be merged next, as it was when it entered the queue.
struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<int32_t> words;  // where it was seen to appear
  // The most frequent first, then the pair of the smaller ids.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

// Replaces each `pair` in the word by `merged`; what that does to the counts of neighbouring pairs goes into
// `changes`.
void MergeInWord(Pair pair, int32_t merged, Word* word, std::vector<std::pair<Pair, int>>* changes) {
  std::vector<int32_t>& tokens = word->tokens;
  size_t kept = 0;
  for (size_t i = 0; i < tokens.size(); ++kept) {
    if (i + 1 < tokens.size() && tokens[i] == pair.first && tokens[i + 1] == pair.second) {
      if (kept > 0) {
        changes->push_back({{tokens[kept - 1], pair.first}, -1});
        changes->push_back({{tokens[kept - 1], merged}, 1});
      }
      if (i + 2 < tokens.size()) {
        changes->push_back({{pair.second, tokens[i + 2]}, -1});
        changes->push_back({{merged, tokens[i + 2]}, 1});
      }
      tokens[kept] = merged;
      i += 2;
    } else {
      tokens[kept] = tokens[i++];
    }
  }
  tokens.resize(kept);
}

// Pair counts over all words, and the queue of what to merge next.
class PairQueue {
 public:
  explicit PairQueue(const std::vector<Word>& words) {
    absl::flat_hash_map<Pair, absl::flat_hash_set<int32_t>> places;
    for (size_t w = 0; w < words.size(); ++w) {
      for (size_t i = 0; i + 1 < words[w].tokens.size(); ++i) {
        const Pair pair(words[w].tokens[i], words[w].tokens[i + 1]);
        counts_[pair] += words[w].count;
        places[pair].insert(static_cast<int32_t>(w));
      }
    }
    Push(places);
  }

  // The next pair, or one with count 0 when there is none left.
  Candidate Pop() {
    while (!queue_.empty()) {
      Candidate top = queue_.top();
      queue_.pop();
      const int64_t count = counts_[top.pair];
      if (top.count == count) return top;
      top.count = count;
      if (count > 0) queue_.push(std::move(top));
    }
    return {0, {}, {}};
  }

  void Merge(const Candidate& candidate, int32_t merged, std::vector<Word>* words) {
    absl::flat_hash_map<Pair, absl::flat_hash_set<int32_t>> places;
    std::vector<std::pair<Pair, int>> changes;
    for (const int32_t w : candidate.words) {
      changes.clear();
      MergeInWord(candidate.pair, merged, &(*words)[w], &changes);
      for (const auto& [pair, change] : changes) {
        counts_[pair] += change * (*words)[w].count;
        if (change > 0) places[pair].insert(w);
      }
    }
    Push(places);
  }

 private:
  void Push(const absl::flat_hash_map<Pair, absl::flat_hash_set<int32_t>>& places) {
    for (const auto& [pair, words] : places) {
      const int64_t count = counts_[pair];
      if (count > 0) queue_.push({count, pair, std::vector<int32_t>(words.begin(), words.end())});
    }
  }

  absl::flat_hash_map<Pair, int64_t> counts_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

absl::Status BpeTrainer::Add(absl::string_view text) {
  static const std::array<uint32_t, 256> characters = ByteCharacters();
  std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  std::string word;
  for (PCRE2_SIZE at = 0; at < text.size();) {
    // The text is checked to be UTF-8 in the first call alone.
    const int found = pcre2_match(WordPattern(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  at == 0 ? 0 : PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(found, message, sizeof(message));
      return absl::InvalidArgumentError(
          absl::StrCat("a text to train the tokenizer on: ", reinterpret_cast<const char*>(message)));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    word.clear();
    for (PCRE2_SIZE i = range[0]; i < range[1]; ++i) {
      word += Utf8(characters[static_cast<uint8_t>(text[i])]);
    }
    ++word_counts_[word];
    at = range[1];
  }
  return absl::OkStatus();
}

absl::StatusOr<BpeTrainer::Vocabulary> BpeTrainer::Train(int64_t vocab_size,
                                                         absl::Span<const std::string> special_tokens) const {
  Vocabulary vocabulary;
  absl::flat_hash_map<std::string, int32_t> ids;
  const auto add_token = [&](const std::string& token) {
    const auto [entry, added] = ids.emplace(token, static_cast<int32_t>(vocabulary.tokens.size()));
    if (added) vocabulary.tokens.push_back(token);
    return entry->second;
  };
  for (const std::string& token : special_tokens) add_token(token);
  std::array<uint32_t, 256> alphabet = ByteCharacters();
  std::sort(alphabet.begin(), alphabet.end());
  for (const uint32_t character : alphabet) add_token(Utf8(character));
  if (vocab_size < static_cast<int64_t>(vocabulary.tokens.size())) {
    return absl::InvalidArgumentError(absl::StrCat("vocab_size: ", vocab_size,
                                                   ", but the bytes and special tokens alone are ",
                                                   vocabulary.tokens.size()));
  }

  std::vector<Word> words;
  for (const auto& [text, count] : word_counts_) {
    Word word{{}, count};
    for (size_t i = 0; i < text.size();) {
      const size_t length = static_cast<uint8_t>(text[i]) < 0x80 ? 1 : 2;
      word.tokens.push_back(ids.at(text.substr(i, length)));
      i += length;
    }
    words.push_back(std::move(word));
  }
  PairQueue queue(words);
  while (static_cast<int64_t>(vocabulary.tokens.size()) < vocab_size) {
    const Candidate best = queue.Pop();
    if (best.count < 1) break;
    const std::string first = vocabulary.tokens[best.pair.first];
    const std::string second = vocabulary.tokens[best.pair.second];
    vocabulary.merges.emplace_back(first, second);
    queue.Merge(best, add_token(first + second), &words);
  }
  return vocabulary;
}

absl::StatusOr<TokenizerFiles> TrainChatTokenizer(const BpeTrainer& trainer, int64_t vocab_size,
                                                  int64_t model_max_length) {
  using Json = nlohmann::ordered_json;
  const std::vector<std::string> special_tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  PLUMB_ASSIGN_OR_RETURN(const BpeTrainer::Vocabulary vocabulary, trainer.Train(vocab_size, special_tokens));
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  Json added = Json::array();
  Json decoder = Json::object();
  for (size_t id = 0; id < special_tokens.size(); ++id) {
    Json token = {
        {"content", special_tokens[id]}, {"single_word", false}, {"lstrip", false}, {"rstrip", false},
        {"normalized", false},           {"special", true}};
    decoder[std::to_string(id)] = token;
    token["id"] = id;
    added.push_back(token);
  }
  Json vocab = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) vocab[vocabulary.tokens[id]] = id;
  Json merges = Json::array();
  for (const auto& [first, second] : vocabulary.merges) merges.push_back({first, second});
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", added},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", byte_level},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"ignore_merges", false},
                            {"vocab", vocab},
                            {"merges", merges}}}};
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"added_tokens_decoder", decoder},
                       {"bos_token", nullptr},
                       {"eos_token", "<|im_end|>"},
                       {"pad_token", "<|endoftext|>"},
                       {"clean_up_tokenization_spaces", false},
                       {"model_max_length", model_max_length},
                       {"chat_template", kChatMlTemplate}};
  return TokenizerFiles{tokenizer.dump(1) + "\n", config.dump(2) + "\n"};
}

}  // namespace plumb
