#include "alignment/key_phrases.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

bool IsStopWord(const std::string& word) {
  static const auto& words = *new std::set<std::string>{
      "a",     "about", "after",  "all",   "also",  "am",     "an",      "and",   "any",   "are",   "as",
      "at",    "be",    "been",   "but",   "by",    "can",    "could",   "did",   "do",    "does",  "for",
      "from",  "had",   "has",    "have",  "he",    "her",    "here",    "him",   "his",   "how",   "i",
      "if",    "in",    "into",   "is",    "it",    "it's",   "its",     "just",  "may",   "me",    "might",
      "more",  "most",  "my",     "no",    "not",   "of",     "on",      "one",   "only",  "or",    "other",
      "our",   "out",   "over",   "shall", "she",   "should", "so",      "some",  "such",  "than",  "that",
      "the",   "their", "them",   "then",  "there", "these",  "they",    "this",  "those", "to",    "too",
      "up",    "us",    "very",   "was",   "we",    "were",   "what",    "when",  "where", "which", "while",
      "who",   "whom",  "why",    "will",  "with",  "would",  "you",     "your",  "i'm",   "don't", "because",
      "being", "both",  "during", "each",  "few",   "same",   "through", "under", "until", "own",   "once"};
  return words.count(word) != 0;
}

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 127 || std::isalnum(byte) != 0 || c == '\'';
}

// A phrase where it stands.
struct Run {
  std::vector<std::string> words;
  size_t begin = 0, end = 0;
};

std::vector<Run> Runs(absl::string_view text) {
  std::vector<Run> runs;
  Run run;
  const auto close = [&] {
    if (!run.words.empty()) runs.push_back(std::move(run));
    run = Run();
  };
  for (size_t i = 0; i < text.size();) {
    if (!IsWordByte(text[i])) {
      if (!absl::ascii_isblank(text[i])) close();
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() && IsWordByte(text[i])) ++i;
    std::string word = absl::AsciiStrToLower(text.substr(begin, i - begin));
    if (IsStopWord(word)) {
      close();
      continue;
    }
    if (run.words.empty()) run.begin = begin;
    run.words.push_back(std::move(word));
    run.end = i;
  }
  close();
  return runs;
}

}  // namespace

std::vector<KeyPhrase> KeyPhrases(absl::string_view text) {
  const std::vector<Run> runs = Runs(text);
  std::map<std::string, double> frequency, degree;
  for (const Run& run : runs) {
    for (const std::string& word : run.words) {
      frequency[word] += 1;
      degree[word] += static_cast<double>(run.words.size());
    }
  }
  std::vector<KeyPhrase> phrases;
  std::map<std::string, size_t> known;
  for (const Run& run : runs) {
    std::string name;
    double score = 0;
    for (const std::string& word : run.words) {
      absl::StrAppend(&name, name.empty() ? "" : " ", word);
      score += degree[word] / frequency[word];
    }
    const auto [place, is_new] = known.emplace(name, phrases.size());
    if (is_new) phrases.push_back({name, score, {}});
    phrases[place->second].places.emplace_back(run.begin, run.end);
  }
  std::stable_sort(phrases.begin(), phrases.end(),
                   [](const KeyPhrase& a, const KeyPhrase& b) { return a.score > b.score; });
  return phrases;
}

}  // namespace plumb
