#ifndef PLUMB_COMMON_TRAIN_TRAIN_H_
#define PLUMB_COMMON_TRAIN_TRAIN_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace google::protobuf {
class Message;
}

namespace plumb {

class EvalOptions;
class MetricsSink;
class Optimizer;
class Schedule;
class TrainTask;
class TrainingOptions;

// Where and how a training runs, beside what its options say.
struct TrainContext {
  std::string name;    // for progress lines: the stage's
  std::string folder;  // made if need be; holds checkpoint-1, checkpoint-2 ... of this training and no other
  uint64_t seed = 42;
  bool shuffle = true;  // false: every epoch goes through the examples in the order of the task
  // Each example joins each step by itself, with the probability that makes a step's size right on average,
  // as differential privacy asks; a step may have none.
  bool poisson_sampling = false;

  // "auto": from the newest complete checkpoint in `folder`, from the start when there is none. "never": from
  // the start; checkpoints in `folder` are removed. Else the path of a checkpoint.
  std::string resume = "auto";

  // All that decides the result of this training (not: later stages). Kept in each checkpoint; resuming under
  // a different one is refused with a line that names the first field that differs. May be null. Fields named
  // here in full ("plumb.AlignmentRecipe.output_dir") may differ, with all below them.
  const google::protobuf::Message* recipe = nullptr;
  std::set<std::string> fields_that_may_differ;

  MetricsSink* metrics = nullptr;  // may be null
  int64_t metrics_start = 0;  // where the sink stands at this training's start: TrainResult of the one before
  std::FILE* progress = stderr;  // null: silent

  // Called once the checkpoint to go on from, if there is one, has turned out to fit and is loaded: what a
  // caller now writes beside it belongs to this training. May be null.
  std::function<absl::Status(int64_t resumed_at_step)> on_start;

  // What is to be said of an evaluation after the first one, on a line of its own; empty: nothing. May be
  // null.
  std::function<std::string(const std::map<std::string, double>& first,
                            const std::map<std::string, double>& last)>
      evaluation_warning;
};

struct TrainResult {
  int64_t steps = 0;            // optimizer steps done, by earlier runs too
  int64_t max_steps = 0;        // planned
  int64_t resumed_at_step = 0;  // 0: not resumed; == steps: nothing was left to do
  bool stopped_early = false;
  int64_t best_step = 0;  // 0: no evaluation was compared
  double best_metric = 0;
  std::map<std::string, double> first_evaluation;  // before the first step; names begin with "eval_"
  std::map<std::string, double> last_evaluation;
  int64_t metrics_position = 0;  // of the sink at the end
};

int64_t ExamplesPerStep(const TrainingOptions& training);

// The probability with which each of so many examples joins a step of Poisson sampling.
double SamplingRate(const TrainingOptions& training, int64_t examples);

// The optimizer steps that Train() plans for so many examples.
int64_t PlannedSteps(const TrainingOptions& training, int64_t examples);

// Trains `task` with `optimizer`, as transformers' Trainer does where nothing else is said:
//  - A step takes per_device_train_batch_size * gradient_accumulation_steps examples; an epoch's last step
//  takes
//    what is left. Their order is a function of seed and epoch.
//  - Evaluates before the first and after the last step, and every EvalOptions.every_steps.
//  - Logs, each logging_steps and at the last step, the task's metrics over all examples since the last line,
//    and grad_norm (before clipping), learning_rate, epoch, num_tokens, tokens_per_second.
//  - Saves a checkpoint each save_steps, at each new best evaluation, and at the end. A checkpoint is
//  complete or
//    not there, and its files carry checksums: a damaged one is told and the one before it taken.
//  - Resumed, it ends with the same weights, bit for bit, as if it had not been stopped (same machine and
//  number
//    of threads), and with the same metrics. When nothing is left to do it loads the result.
//  - A loss or gradient that is not finite ends it with an error; the weights are those of the step before.
//  - After SIGINT or SIGTERM (common/program/interrupt.h) it finishes the step, saves a checkpoint, and
//  returns
//    CancelledError that says how to go on.
// With load_best_model_at_end the task's parameters and state are those of the best checkpoint afterwards;
// the optimizer is then of no more use.
absl::StatusOr<TrainResult> Train(TrainTask* task, Optimizer* optimizer, const Schedule& schedule,
                                  const TrainingOptions& training, const EvalOptions& eval,
                                  const TrainContext& context);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_TRAIN_H_
