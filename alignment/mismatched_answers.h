#ifndef PLUMB_ALIGNMENT_MISMATCHED_ANSWERS_H_
#define PLUMB_ALIGNMENT_MISMATCHED_ANSWERS_H_

#include <cstdint>
#include <vector>

#include "common/data/examples.h"

namespace plumb {

// Gives each example, as its rejected answer, the answer of another one, whose log-probability after this
// example's prompt tells how far the policy is from its reference (KTO's estimate of their KL divergence). As
// TRL's KTOTrainer, the examples in their order make blocks of `block`, and an example takes the answer of
// the one before it, the first of a block that of the last. Two things are not as in TRL: an example with the
// same prompt is passed over, since its answer would be no mismatch (the two answers of a pair, for
// instance), and where a block holds no other prompt, all examples are searched. Answers are cut to
// `max_length` tokens with the prompt.
void AddMismatchedAnswers(int64_t block, int64_t max_length, std::vector<TokenizedPreference>* examples);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_MISMATCHED_ANSWERS_H_
