#ifndef PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_
#define PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace plumb {

// Two of a prompt's answers, by their places in its list.
struct AnswerPair {
  int64_t chosen = 0;
  int64_t rejected = 0;
  bool operator==(const AnswerPair& other) const {
    return chosen == other.chosen && rejected == other.rejected;
  }
};

// The pair that a prompt's answers give: the one of the highest reward against that of the lowest (of equal
// ones the first), when the rewards differ by more than `min_margin`.
std::optional<AnswerPair> BestAgainstWorst(absl::Span<const double> rewards, double min_margin = 0);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_
