#ifndef PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_
#define PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_

#include <cstdint>

namespace plumb {

// Two of a prompt's answers, by their places in its list.
struct AnswerPair {
  int64_t chosen = 0;
  int64_t rejected = 0;
  bool operator==(const AnswerPair& other) const {
    return chosen == other.chosen && rejected == other.rejected;
  }
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_ANSWER_PAIR_H_
