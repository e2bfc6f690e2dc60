#ifndef PLUMB_ALIGNMENT_SELECTION_BM25_H_
#define PLUMB_ALIGNMENT_SELECTION_BM25_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond") with the
// inverse document frequency that Lucene has, which is never negative. For a query q of words w, a document
// of length |d| in words that has w f(w, d) times, and N documents of which n(w) have w,
//
//   score(q, d) = sum over w in q of  ln(1 + (N - n(w) + 0.5) / (n(w) + 0.5))
//                                     f(w, d) (k1 + 1) / (f(w, d) + k1 (1 - b + b |d| / mean |d|))
//
// A word that comes twice in the query counts twice. Words are WordTokens() of decontamination.h, and parts
// of names such as calculate_tip are words.
struct Bm25Options {
  double k1 = 1.2;
  double b = 0.75;
};

class Bm25Index {
 public:
  explicit Bm25Index(const Bm25Options& options = {}) : options_(options) {}

  // Documents count from 0 in the order in which they are added.
  void Add(absl::string_view document);
  int64_t size() const { return static_cast<int64_t>(lengths_.size()); }

  // Of each document.
  std::vector<double> Scores(absl::string_view query) const;

 private:
  struct Posting {
    int64_t document;
    int64_t count;
  };

  Bm25Options options_;
  absl::flat_hash_map<std::string, std::vector<Posting>> postings_;
  std::vector<int64_t> lengths_;  // in words
  int64_t words_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_BM25_H_
