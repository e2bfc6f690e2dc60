#include "common/train/schedule.h"

#include <algorithm>
#include <cmath>

#include "common/train/train.pb.h"

namespace plumb {
namespace {

// `message` is Warmup or Cosine. Rounded up, as TrainingArguments.get_warmup_steps does.
template <typename Message>
int64_t WarmupSteps(const Message& message, int64_t total_steps) {
  if (message.warmup_steps() > 0) return message.warmup_steps();
  return static_cast<int64_t>(std::ceil(total_steps * message.warmup_ratio()));
}

// Share of the steps after the warm-up that are done.
double Progress(int64_t step, int64_t warmup, int64_t total_steps) {
  return static_cast<double>(step - warmup) / std::max<int64_t>(1, total_steps - warmup);
}

}  // namespace

double LearningRateFactor(const Schedule& schedule, int64_t step, int64_t total_steps) {
  const bool constant = schedule.has_constant();
  const bool cosine = schedule.has_cosine();
  const int64_t warmup = cosine
                             ? WarmupSteps(schedule.cosine(), total_steps)
                             : WarmupSteps(constant ? schedule.constant() : schedule.linear(), total_steps);
  if (step < warmup) return static_cast<double>(step) / warmup;
  if (constant) return 1;
  if (cosine) {
    const double wave = 0.5 * (1 + std::cos(M_PI * Progress(step, warmup, total_steps)));
    const double floor = schedule.cosine().min_lr_ratio();
    return std::max(0.0, wave * (1 - floor) + floor);
  }
  return std::max(0.0, static_cast<double>(total_steps - step) / std::max<int64_t>(1, total_steps - warmup));
}

}  // namespace plumb
