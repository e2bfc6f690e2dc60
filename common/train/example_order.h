#ifndef PLUMB_COMMON_TRAIN_EXAMPLE_ORDER_H_
#define PLUMB_COMMON_TRAIN_EXAMPLE_ORDER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/tensor/random.h"

namespace plumb {

// Which of the examples 0 .. examples-1 join a step, ascending, each by itself with probability
// `sampling_rate`; often none.
std::vector<int64_t> PoissonSample(const RandomStream& random, int64_t examples, double sampling_rate);

// Which examples each optimizer step takes: a pure function of (random stream, epoch), so that a resumed run
// needs to know the step alone. Counts steps, batches and epochs as transformers' Trainer does: batches of
// `batch_size` examples, the last of an epoch smaller (drop_last is false), `accumulation_steps` batches a
// step, the last step of an epoch with what is left.
class ExampleOrder {
 public:
  // All counts are above 0.
  ExampleOrder(int64_t example_count, int64_t batch_size, int64_t accumulation_steps, bool shuffle,
               const RandomStream& random);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // The examples of optimizer step `step` (from 0); valid until the next call.
  absl::Span<const int64_t> Examples(int64_t step);

  // Epochs done after `steps_done` steps, counted in batches.
  double Epoch(int64_t steps_done) const;

 private:
  int64_t example_count_;
  int64_t batch_size_;
  int64_t accumulation_steps_;
  int64_t steps_per_epoch_;
  bool shuffle_;
  RandomStream random_;
  int64_t epoch_ = -1;  // of order_
  std::vector<int64_t> order_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_EXAMPLE_ORDER_H_
