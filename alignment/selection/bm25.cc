#include "alignment/selection/bm25.h"

#include <cmath>
#include <string>

#include "absl/strings/str_replace.h"
#include "alignment/selection/decontamination.h"

namespace plumb {
namespace {

std::vector<std::string> Words(absl::string_view text) {
  return WordTokens(absl::StrReplaceAll(text, {{"_", " "}}));
}

}  // namespace

void Bm25Index::Add(absl::string_view document) {
  const std::vector<std::string> words = Words(document);
  for (const std::string& word : words) {
    std::vector<Posting>& postings = postings_[word];
    if (postings.empty() || postings.back().document != size()) postings.push_back({size(), 0});
    ++postings.back().count;
  }
  lengths_.push_back(static_cast<int64_t>(words.size()));
  words_ += static_cast<int64_t>(words.size());
}

std::vector<double> Bm25Index::Scores(absl::string_view query) const {
  std::vector<double> scores(lengths_.size(), 0);
  const double mean_length = static_cast<double>(words_) / static_cast<double>(size());
  for (const std::string& word : Words(query)) {
    const auto found = postings_.find(word);
    if (found == postings_.end()) continue;
    const auto documents = static_cast<double>(found->second.size());
    const double idf = std::log1p((static_cast<double>(size()) - documents + 0.5) / (documents + 0.5));
    for (const Posting& posting : found->second) {
      const auto count = static_cast<double>(posting.count);
      const double length = static_cast<double>(lengths_[posting.document]) / mean_length;
      scores[posting.document] +=
          idf * count * (options_.k1 + 1) / (count + options_.k1 * (1 - options_.b + options_.b * length));
    }
  }
  return scores;
}

}  // namespace plumb
