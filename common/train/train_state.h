#ifndef PLUMB_COMMON_TRAIN_TRAIN_STATE_H_
#define PLUMB_COMMON_TRAIN_TRAIN_STATE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/train/metrics.h"

namespace plumb {

// What a train loop knows between two steps, beside weights and optimizer.
struct TrainState {
  int64_t step = 0;  // optimizer steps done
  double epoch = 0;
  int64_t max_steps = 0;
  int64_t example_count = 0;  // of the task: other data means another training
  int64_t num_tokens = 0;     // trained on so far
  int threads = 0;
  bool finished = false;
  bool stopped_early = false;
  int64_t best_step = 0;  // 0: none yet
  double best_metric = 0;
  int64_t evaluations_without_gain = 0;
  int64_t metrics_position = 0;  // of the metrics sink
  MetricSums window;             // since the last logged line
  std::map<std::string, double> first_evaluation;
  std::map<std::string, double> last_evaluation;
};

// JSON; every finite number comes back bit for bit, what is not finite as NaN.
std::string TrainStateToJson(const TrainState& state);
absl::StatusOr<TrainState> TrainStateFromJson(const std::string& text);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_TRAIN_STATE_H_
