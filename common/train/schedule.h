#ifndef PLUMB_COMMON_TRAIN_SCHEDULE_H_
#define PLUMB_COMMON_TRAIN_SCHEDULE_H_

#include <cstdint>

namespace plumb {

class Schedule;

// What the optimizer's learning rate is multiplied by at optimizer step `step` (from 0) of `total_steps`, as
// transformers' get_constant_, get_linear_ and get_cosine_schedule_with_warmup: the first step of a warm-up
// has rate 0, the last step of a linear one 1 / (total_steps - warmup_steps). Nothing set means linear, which
// is transformers' default.
double LearningRateFactor(const Schedule& schedule, int64_t step, int64_t total_steps);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_SCHEDULE_H_
