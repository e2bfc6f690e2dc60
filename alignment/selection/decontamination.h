#ifndef PLUMB_ALIGNMENT_SELECTION_DECONTAMINATION_H_
#define PLUMB_ALIGNMENT_SELECTION_DECONTAMINATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Words as decontamination compares them: runs of letters, marks, digits and underscores, ASCII in lower
// case; in scripts that write without spaces (Thai, Lao, Khmer, Chinese, kana) each character. Everything
// else parts words.
std::vector<std::string> WordTokens(absl::string_view text);

// Finds training texts that contain test texts (Tulu 3: Lambert et al. 2024, arXiv 2411.15124, section 3.2;
// its program is open-instruct's decontamination/search.py). A token of a test text matches a training text
// when an n-gram that it is part of is in both; the two overlap by the share of the test text's tokens that
// match. Tulu 3 has n = 8, takes a share of more than one half for contamination, and drops a whole training
// set when it contaminates more than 2 % of an evaluation: these numbers were read in a summary of the
// section, the definition in the program. A test text shorter than n has no n-gram and matches nothing. Tulu
// 3's tokens are spaCy's, ours are WordTokens().
class ContaminationIndex {
 public:
  enum class Match {
    kNgram,
    kExact,  // the whole test text, as tokens in their order, is within the training text
  };

  explicit ContaminationIndex(Match match, int64_t ngram_size = 8) : match_(match), ngram_size_(ngram_size) {}

  // Test texts count from 0 in the order in which they are added.
  void Add(absl::string_view test_text);
  int64_t size() const { return tests_.size(); }

  // The test text that `text` overlaps most, the first one of equals; test is -1 when there is none. An exact
  // match has share 1.
  struct Overlap {
    int64_t test = -1;
    double share = 0;
  };
  Overlap LargestOverlap(absl::string_view text) const;

 private:
  static constexpr int kPhraseStart =
      8;  // tokens of a phrase that are looked up, before the rest is compared

  struct Place {
    int32_t test;
    int32_t position;
  };

  void AddNgrams(int32_t test);
  void AddPhrase(int32_t test);
  Overlap LargestNgramOverlap(const std::vector<int32_t>& text) const;
  Overlap FirstPhrase(const std::vector<int32_t>& text) const;

  Match match_;
  int64_t ngram_size_;
  absl::flat_hash_map<std::string, int32_t> vocabulary_;  // ids of the tokens that test texts have
  std::vector<std::vector<int32_t>> tests_;               // their tokens
  // The bytes of so many ids, and where they begin in test texts.
  absl::flat_hash_map<std::string, std::vector<Place>> ngrams_;
  bool has_start_of_length_[kPhraseStart + 1] = {};
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_DECONTAMINATION_H_
