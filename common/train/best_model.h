#ifndef PLUMB_COMMON_TRAIN_BEST_MODEL_H_
#define PLUMB_COMMON_TRAIN_BEST_MODEL_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/train/train_state.h"

namespace plumb {

class EvalOptions;

// Options that contradict each other: what needs metric_for_best_model and does not have it.
absl::Status CheckBestModelOptions(const EvalOptions& options);

// Compares `evaluation` (names begin with "eval_") with the best one so far and keeps the outcome in `state`:
// best_step, best_metric, evaluations_without_gain, stopped_early, by the rules of transformers' Trainer and
// EarlyStoppingCallback. Returns whether this is a new best. An error when the metric is not there; it names
// the nearest that is.
absl::StatusOr<bool> CompareWithBest(const EvalOptions& options,
                                     const std::map<std::string, double>& evaluation, TrainState* state);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_BEST_MODEL_H_
