#include "alignment/selection/decontamination.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

constexpr int32_t kUnknown = -1;

// The code point of a valid UTF-8 character.
uint32_t CodePoint(absl::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  uint32_t code = character.size() == 1   ? byte(0)
                  : character.size() == 2 ? byte(0) & 0x1f
                  : character.size() == 3 ? byte(0) & 0x0f
                                          : byte(0) & 0x07;
  for (size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3f);
  return code;
}

bool IsWrittenWithoutSpaces(absl::string_view character) {
  const uint32_t code = CodePoint(character);
  return (code >= 0x0e00 && code < 0x0f00) || (code >= 0x1780 && code < 0x1800) ||  // Thai, Lao; Khmer
         (code >= 0x3040 && code < 0x3100) || (code >= 0x3400 && code < 0xa000) ||  // kana; ideographs
         (code >= 0xf900 && code < 0xfb00) || (code >= 0x20000 && code < 0x40000);
}

// A run of ids as a key.
absl::string_view Bytes(const int32_t* ids, int64_t count) {
  return absl::string_view(reinterpret_cast<const char*>(ids), count * sizeof(int32_t));
}

}  // namespace

std::vector<std::string> WordTokens(absl::string_view text) {
  std::vector<std::string> tokens;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) tokens.push_back(std::exchange(word, ""));
  };
  while (!text.empty()) {
    const size_t length = std::max<size_t>(1, CharacterLength(text));
    const absl::string_view character = text.substr(0, length);
    if (length == 1) {
      const bool in_word = absl::ascii_isalnum(text[0]) || text[0] == '_';
      in_word ? word.push_back(absl::ascii_tolower(text[0])) : end_word();
    } else if (!StartsWithWordCharacter(text)) {
      end_word();
    } else if (IsWrittenWithoutSpaces(character)) {
      end_word();
      tokens.emplace_back(character);
    } else {
      word.append(character.data(), character.size());
    }
    text.remove_prefix(length);
  }
  end_word();
  return tokens;
}

void ContaminationIndex::Add(absl::string_view test_text) {
  std::vector<int32_t> ids;
  for (std::string& token : WordTokens(test_text)) {
    ids.push_back(
        vocabulary_.try_emplace(std::move(token), static_cast<int32_t>(vocabulary_.size())).first->second);
  }
  tests_.push_back(std::move(ids));
  const auto test = static_cast<int32_t>(tests_.size()) - 1;
  match_ == Match::kNgram ? AddNgrams(test) : AddPhrase(test);
}

void ContaminationIndex::AddNgrams(int32_t test) {
  const std::vector<int32_t>& ids = tests_[test];
  for (int64_t i = 0; i + ngram_size_ <= static_cast<int64_t>(ids.size()); ++i) {
    ngrams_[Bytes(&ids[i], ngram_size_)].push_back({test, static_cast<int32_t>(i)});
  }
}

void ContaminationIndex::AddPhrase(int32_t test) {
  const std::vector<int32_t>& ids = tests_[test];
  if (ids.empty()) return;
  const int64_t start = std::min<int64_t>(kPhraseStart, ids.size());
  has_start_of_length_[start] = true;
  ngrams_[Bytes(ids.data(), start)].push_back({test, 0});
}

ContaminationIndex::Overlap ContaminationIndex::LargestOverlap(absl::string_view text) const {
  std::vector<int32_t> ids;
  for (const std::string& token : WordTokens(text)) {
    const auto known = vocabulary_.find(token);
    ids.push_back(known == vocabulary_.end() ? kUnknown : known->second);
  }
  return match_ == Match::kNgram ? LargestNgramOverlap(ids) : FirstPhrase(ids);
}

ContaminationIndex::Overlap ContaminationIndex::LargestNgramOverlap(const std::vector<int32_t>& text) const {
  absl::flat_hash_set<const std::vector<Place>*> found;
  for (int64_t i = 0; i + ngram_size_ <= static_cast<int64_t>(text.size()); ++i) {
    const auto ngram = ngrams_.find(Bytes(&text[i], ngram_size_));
    if (ngram != ngrams_.end()) found.insert(&ngram->second);
  }
  std::vector<Place> places;
  for (const std::vector<Place>* some : found) places.insert(places.end(), some->begin(), some->end());
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::make_pair(a.test, a.position) < std::make_pair(b.test, b.position);
  });
  Overlap largest;
  for (size_t i = 0; i < places.size();) {
    const int32_t test = places[i].test;
    int64_t matched = 0, end = 0;  // of the tokens before `end`
    for (; i < places.size() && places[i].test == test; ++i) {
      const int64_t ngram_end = places[i].position + ngram_size_;
      matched += ngram_end - std::max<int64_t>(end, places[i].position);
      end = ngram_end;
    }
    const double share = static_cast<double>(matched) / tests_[test].size();
    if (share > largest.share) largest = {test, share};
  }
  return largest;
}

ContaminationIndex::Overlap ContaminationIndex::FirstPhrase(const std::vector<int32_t>& text) const {
  Overlap first;
  for (size_t i = 0; i < text.size(); ++i) {
    for (size_t start = 1; start <= kPhraseStart && i + start <= text.size(); ++start) {
      if (!has_start_of_length_[start]) continue;
      const auto phrases = ngrams_.find(Bytes(&text[i], start));
      if (phrases == ngrams_.end()) continue;
      for (const Place& place : phrases->second) {
        const std::vector<int32_t>& phrase = tests_[place.test];
        // A key of kPhraseStart tokens begins a phrase, a shorter one is a phrase.
        const bool is_here =
            i + phrase.size() <= text.size() && std::equal(phrase.begin(), phrase.end(), text.begin() + i);
        if (is_here && (first.test < 0 || place.test < first.test)) first = {place.test, 1};
      }
    }
  }
  return first;
}

}  // namespace plumb
