#ifndef PLUMB_ALIGNMENT_KEY_PHRASES_H_
#define PLUMB_ALIGNMENT_KEY_PHRASES_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// What a text says, phrase by phrase: where it stands in the text (bytes [begin, end)), each time.
struct KeyPhrase {
  std::string text;  // in lower case, words by single spaces
  double score = 0;
  std::vector<std::pair<size_t, size_t>> places;
};

// Rapid automatic keyword extraction, RAKE (Rose, Engel, Cramer & Cowley 2010, "Automatic keyword extraction
// from individual documents"): runs of words between stop words and punctuation are phrases; a word's score
// is deg(w) / freq(w), where freq is how often it stands in phrases and deg the number of words of those
// phrases together; a phrase's score is the sum of its words'. By falling score, equal ones in the order of
// the text. Words are runs of letters, digits, apostrophes and bytes above 127; stop words are a short
// English list.
std::vector<KeyPhrase> KeyPhrases(absl::string_view text);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_KEY_PHRASES_H_
