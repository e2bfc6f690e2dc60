#ifndef PLUMB_COMMON_TRAIN_MICRO_BATCHES_H_
#define PLUMB_COMMON_TRAIN_MICRO_BATCHES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

// Splits the examples of an optimizer step into micro-batches, whose gradients are added up. `tokens[i]` are
// those of examples[i]. Runs of up to max_examples in the step's order, if each has at most max_tokens (0:
// any number); else examples of similar length together, longest first, as many as both limits let: the
// memory of a step is that of its largest micro-batch. An example longer than max_tokens is alone. Which
// examples a step has, and so what it learns, stays the same.
std::vector<std::vector<int64_t>> MicroBatches(absl::Span<const int64_t> examples,
                                               absl::Span<const int64_t> tokens, int64_t max_examples,
                                               int64_t max_tokens);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_MICRO_BATCHES_H_
