#include "common/train/example_order.h"

#include <algorithm>
#include <numeric>

namespace plumb {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::vector<int64_t> PoissonSample(const RandomStream& random, int64_t examples, double sampling_rate) {
  std::vector<int64_t> sample;
  for (int64_t i = 0; i < examples; ++i) {
    if (random.Uniform(i) < sampling_rate) sample.push_back(i);
  }
  return sample;
}

ExampleOrder::ExampleOrder(int64_t example_count, int64_t batch_size, int64_t accumulation_steps,
                           bool shuffle, const RandomStream& random)
    : example_count_(example_count),
      batch_size_(batch_size),
      accumulation_steps_(accumulation_steps),
      steps_per_epoch_(CeilDivide(CeilDivide(example_count, batch_size), accumulation_steps)),
      shuffle_(shuffle),
      random_(random) {}

absl::Span<const int64_t> ExampleOrder::Examples(int64_t step) {
  if (const int64_t epoch = step / steps_per_epoch_; epoch != epoch_) {
    epoch_ = epoch;
    if (shuffle_) {
      order_ = random_.Child(epoch).Permutation(example_count_);
    } else {
      order_.resize(example_count_);
      std::iota(order_.begin(), order_.end(), 0);
    }
  }
  const int64_t step_size = batch_size_ * accumulation_steps_;
  return absl::MakeConstSpan(order_).subspan(step % steps_per_epoch_ * step_size, step_size);
}

double ExampleOrder::Epoch(int64_t steps_done) const {
  const int64_t batches = CeilDivide(example_count_, batch_size_);
  const int64_t batches_done = std::min(batches, steps_done % steps_per_epoch_ * accumulation_steps_);
  return steps_done / steps_per_epoch_ + static_cast<double>(batches_done) / batches;
}

}  // namespace plumb
