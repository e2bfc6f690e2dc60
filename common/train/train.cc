#include "common/train/train.h"

#include <ATen/Parallel.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/resolved.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"
#include "common/train/best_model.h"
#include "common/train/checkpoint.h"
#include "common/train/example_order.h"
#include "common/train/folder_lock.h"
#include "common/train/gradients.h"
#include "common/train/metrics_sink.h"
#include "common/train/micro_batches.h"
#include "common/train/optimizer.h"
#include "common/train/progress.h"
#include "common/train/schedule.h"
#include "common/train/task.h"
#include "common/train/train.pb.h"
#include "common/train/train_state.h"

namespace plumb {
namespace {

using Metrics = std::map<std::string, double>;

// What one step found out beside the task's metrics.
struct StepFigures {
  double loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
};

// One call of Train(): its arguments and where it stands.
class Trainer {
 public:
  Trainer(TrainTask* task, Optimizer* optimizer, const Schedule& schedule, const TrainingOptions& training,
          const EvalOptions& eval, const TrainContext& context)
      : task_(task),
        optimizer_(optimizer),
        schedule_(schedule),
        training_(training),
        eval_(eval),
        context_(context),
        parameters_(task->TrainableParameters()),
        kept_(parameters_),
        random_(RandomStream(context.seed, "train")) {
    for (NamedParameter& tensor : task->State()) kept_.push_back(std::move(tensor));
  }

  absl::StatusOr<TrainResult> Run();

 private:
  absl::Status Prepare();
  absl::Status StartOrResume();
  absl::Status StartAfresh();
  absl::StatusOr<std::string> CheckpointToResume();  // empty: none
  absl::Status Resume(const std::string& path);
  absl::Status CheckSameTraining(const std::string& path, const TrainState& saved);

  absl::Status TrainUntilDone();
  absl::Status StepOnce();
  absl::Span<const int64_t> StepExamples();  // valid until the next call
  absl::StatusOr<StepFigures> TakeStep();
  absl::Status AccumulateGradients(const TrainStep& step, MetricSums* sums);
  absl::Status CheckFinite(const StepFigures& figures, const MetricSums& sums) const;
  absl::Status Log(const StepFigures& figures);
  absl::Status Evaluate();
  absl::Status Save();
  absl::Status StopOnInterrupt();
  absl::Status Finish();

  bool Done() const { return state_.step >= max_steps_ || state_.stopped_early; }
  bool At(int64_t every) const { return every > 0 && state_.step % every == 0; }
  TrainResult Result() const;

  TrainTask* task_;
  Optimizer* optimizer_;
  const Schedule& schedule_;
  const TrainingOptions& training_;
  const EvalOptions& eval_;
  const TrainContext& context_;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedParameter> kept_;  // by checkpoints: the parameters, and the task's state
  RandomStream random_;
  std::string recipe_text_;
  std::optional<ExampleOrder> order_;
  std::vector<int64_t> sample_;  // Poisson's
  int64_t max_steps_ = 0;
  int64_t resumed_at_step_ = 0;
  int64_t saved_step_ = -1;  // by this run
  TrainState state_;
  std::optional<Progress> progress_;
};

absl::Status Trainer::Prepare() {
  PLUMB_RETURN_IF_ERROR(CheckBestModelOptions(eval_));
  const int64_t examples = task_->TrainExampleCount();
  if (examples == 0) return absl::InvalidArgumentError(absl::StrCat(context_.name, ": no training examples"));
  if (parameters_.empty())
    return absl::InvalidArgumentError(absl::StrCat(context_.name, ": nothing to train"));
  order_.emplace(examples, training_.per_device_train_batch_size(), training_.gradient_accumulation_steps(),
                 context_.shuffle, random_.Child("order"));
  max_steps_ = PlannedSteps(training_, examples);
  if (context_.recipe != nullptr) {
    google::protobuf::TextFormat::PrintToString(*context_.recipe, &recipe_text_);
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainResult> Trainer::Run() {
  PLUMB_RETURN_IF_ERROR(Prepare());
  PLUMB_RETURN_IF_ERROR(MakeFolders(context_.folder));
  PLUMB_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(context_.folder));
  PLUMB_RETURN_IF_ERROR(RemoveUnfinishedCheckpoints(context_.folder));
  progress_.emplace(context_.name, 0, max_steps_, context_.progress);
  PLUMB_RETURN_IF_ERROR(StartOrResume());
  if (!state_.finished) PLUMB_RETURN_IF_ERROR(TrainUntilDone());
  PLUMB_RETURN_IF_ERROR(Finish());
  return Result();
}

// --- Starting ---

absl::Status Trainer::StartOrResume() {
  PLUMB_ASSIGN_OR_RETURN(const std::string checkpoint, CheckpointToResume());
  PLUMB_RETURN_IF_ERROR(checkpoint.empty() ? StartAfresh() : Resume(checkpoint));
  if (context_.on_start) PLUMB_RETURN_IF_ERROR(context_.on_start(resumed_at_step_));
  progress_.emplace(context_.name, state_.step, max_steps_, context_.progress);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Trainer::CheckpointToResume() {
  if (context_.resume == "never") return std::string();
  if (context_.resume != "auto") {
    PLUMB_RETURN_IF_ERROR(VerifyCheckpoint(context_.resume));
    return context_.resume;
  }
  const std::vector<int64_t> steps = ListCheckpoints(context_.folder);
  for (const int64_t step : steps) {
    const std::string path = CheckpointPath(context_.folder, step);
    const absl::Status status = VerifyCheckpoint(path);
    if (status.ok()) return path;
    progress_->Say(
        absl::StrCat(context_.name, ": ", path, " is damaged and is passed over: ", status.message()));
  }
  if (steps.empty()) return std::string();
  return absl::DataLossError(absl::StrCat("no checkpoint in ", context_.folder,
                                          " is whole: to train from the start, --resume=never"));
}

absl::Status Trainer::StartAfresh() {
  for (const int64_t step : ListCheckpoints(context_.folder)) {
    progress_->Say(absl::StrCat(context_.name, ": removing ", CheckpointPath(context_.folder, step)));
    PLUMB_RETURN_IF_ERROR(RemoveCheckpoint(context_.folder, step));
  }
  if (context_.metrics != nullptr) PLUMB_RETURN_IF_ERROR(context_.metrics->Rewind(context_.metrics_start));
  state_.max_steps = max_steps_;
  state_.example_count = task_->TrainExampleCount();
  state_.threads = at::get_num_threads();
  return absl::OkStatus();
}

absl::Status Trainer::CheckSameTraining(const std::string& path, const TrainState& saved) {
  if (context_.recipe != nullptr) {
    PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadRecipeText(path));
    const std::unique_ptr<google::protobuf::Message> saved_recipe(context_.recipe->New());
    if (!google::protobuf::TextFormat::ParseFromString(text, saved_recipe.get())) {
      return DifferentRecipeError(path, "its recipe.textproto is no recipe of this program");
    }
    PLUMB_RETURN_IF_ERROR(
        CheckSameRecipe(path, *saved_recipe, *context_.recipe, context_.fields_that_may_differ));
  }
  if (saved.max_steps != max_steps_) {
    return DifferentRecipeError(path,
                                absl::StrCat("it plans ", saved.max_steps, " steps, this one ", max_steps_));
  }
  if (saved.example_count != task_->TrainExampleCount()) {
    return DifferentRecipeError(path, absl::StrCat("its data has ", saved.example_count,
                                                   " examples, this one's ", task_->TrainExampleCount()));
  }
  return absl::OkStatus();
}

absl::Status Trainer::Resume(const std::string& path) {
  PLUMB_ASSIGN_OR_RETURN(state_, ReadTrainState(path));
  PLUMB_RETURN_IF_ERROR(CheckSameTraining(path, state_));
  PLUMB_RETURN_IF_ERROR(LoadParameters(path, kept_));
  PLUMB_RETURN_IF_ERROR(LoadOptimizer(path, optimizer_));
  resumed_at_step_ = state_.step;
  if (state_.finished) {
    progress_->Say(absl::StrCat(context_.name, ": already trained, ", path));
    return absl::OkStatus();
  }
  progress_->Say(absl::StrCat(context_.name, ": going on from ", path));
  if (const int threads = at::get_num_threads(); threads != state_.threads) {
    progress_->Say(absl::StrCat(context_.name, ": trained with ", state_.threads,
                                " threads so far, now with ", threads,
                                ": the last bits of the weights may come out differently"));
  }
  if (context_.metrics == nullptr) return absl::OkStatus();
  std::error_code error;
  const auto folder = std::filesystem::path(path) / "..";
  const bool own = std::filesystem::equivalent(folder, context_.folder, error);
  return context_.metrics->Rewind(own ? state_.metrics_position : context_.metrics_start);
}

// --- Training ---

absl::Status Trainer::TrainUntilDone() {
  if (state_.step == 0) PLUMB_RETURN_IF_ERROR(Evaluate());
  while (!Done()) {
    PLUMB_RETURN_IF_ERROR(StopOnInterrupt());
    PLUMB_RETURN_IF_ERROR(StepOnce());
  }
  state_.finished = true;
  return Save();
}

// A step, and what is due after it.
absl::Status Trainer::StepOnce() {
  PLUMB_ASSIGN_OR_RETURN(const StepFigures figures, TakeStep());
  const bool log = At(training_.logging_steps());
  if (log) PLUMB_RETURN_IF_ERROR(Log(figures));
  const int64_t best_step = state_.best_step;
  if (At(eval_.every_steps()) || Done()) PLUMB_RETURN_IF_ERROR(Evaluate());
  if (Done() && !log) PLUMB_RETURN_IF_ERROR(Log(figures));
  // The end has its own checkpoint, which says that it is the end.
  const bool due = At(training_.save_steps()) || state_.best_step != best_step;
  return due && !Done() ? Save() : absl::OkStatus();
}

absl::Span<const int64_t> Trainer::StepExamples() {
  if (!context_.poisson_sampling) return order_->Examples(state_.step);
  const int64_t count = task_->TrainExampleCount();
  sample_ = PoissonSample(random_.Child("sample").Child(state_.step), count, SamplingRate(training_, count));
  return sample_;
}

absl::StatusOr<StepFigures> Trainer::TakeStep() {
  const auto start = std::chrono::steady_clock::now();
  const TrainStep step = {state_.step, StepExamples(), random_.Child("step").Child(state_.step)};
  MetricSums sums;
  PLUMB_RETURN_IF_ERROR(AccumulateGradients(step, &sums));

  StepFigures figures;
  figures.gradient_norm = GlobalGradientNorm(parameters_);
  const Metrics means = sums.Means();
  if (const auto loss = means.find("loss"); loss != means.end()) figures.loss = loss->second;
  figures.learning_rate =
      optimizer_->learning_rate() * LearningRateFactor(schedule_, state_.step, max_steps_);
  PLUMB_RETURN_IF_ERROR(CheckFinite(figures, sums));
  if (training_.max_grad_norm() > 0)
    ClipGradients(parameters_, figures.gradient_norm, training_.max_grad_norm());
  optimizer_->Step(figures.learning_rate);
  ClearGradients(parameters_);

  int64_t tokens = 0;
  for (const int64_t example : step.examples) tokens += task_->ExampleTokens(example);
  state_.num_tokens += tokens;
  state_.window.Merge(sums);
  ++state_.step;
  state_.epoch = order_->Epoch(state_.step);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  progress_->Step(state_.step, tokens, seconds.count(), figures.loss);
  return figures;
}

absl::Status Trainer::AccumulateGradients(const TrainStep& step, MetricSums* sums) {
  std::vector<int64_t> tokens;
  for (const int64_t example : step.examples) tokens.push_back(task_->ExampleTokens(example));
  const std::vector<std::vector<int64_t>> micro_batches = MicroBatches(
      step.examples, tokens, training_.per_device_train_batch_size(), training_.max_tokens_per_micro_batch());
  WidenGradients(parameters_);
  for (const std::vector<int64_t>& micro_batch : micro_batches) {
    PLUMB_RETURN_IF_ERROR(task_->AccumulateGradients(step, micro_batch, sums));
  }
  return absl::OkStatus();
}

absl::Status Trainer::CheckFinite(const StepFigures& figures, const MetricSums& sums) const {
  std::string what;
  if (!std::isfinite(figures.loss)) {
    what = absl::StrCat("loss is ", figures.loss);
    for (const auto& [name, value] : sums.Means()) {
      if (name != "loss" && !std::isfinite(value)) absl::StrAppend(&what, ", ", name, " is ", value);
    }
  } else if (!std::isfinite(figures.gradient_norm)) {
    const std::string name = FirstNonFiniteGradient(parameters_);
    what = name.empty() ? absl::StrCat("grad_norm is ", figures.gradient_norm)
                        : absl::StrCat("the gradient of ", name, " is not finite");
  } else {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(context_.name, ": step ", state_.step + 1, " of ", max_steps_, ": ", what,
                   "; try a lower learning rate (here ", figures.learning_rate,
                   "), a longer warm-up, a smaller max_grad_norm (here ", training_.max_grad_norm(),
                   "), or dtype FLOAT32"));
}

absl::Status Trainer::Log(const StepFigures& figures) {
  Metrics values = state_.window.Means();
  state_.window = MetricSums();
  values["grad_norm"] = figures.gradient_norm;
  values["learning_rate"] = figures.learning_rate;
  values["epoch"] = state_.epoch;
  values["num_tokens"] = static_cast<double>(state_.num_tokens);
  values["tokens_per_second"] = progress_->TakeTokensPerSecond();
  Progress::Values shown;
  for (const char* name : {"loss", "grad_norm", "learning_rate", "tokens_per_second"}) {
    if (values.count(name) > 0) shown.emplace_back(name, values[name]);
  }
  progress_->Report(shown);
  return context_.metrics == nullptr ? absl::OkStatus() : context_.metrics->Write(state_.step, values);
}

absl::Status Trainer::Evaluate() {
  PLUMB_ASSIGN_OR_RETURN(const MetricSums sums, task_->Evaluate(training_.per_device_eval_batch_size()));
  Metrics values;
  for (const auto& [name, value] : sums.Means()) values[absl::StrCat("eval_", name)] = value;
  if (!values.empty()) {
    progress_->Report(Progress::Values(values.begin(), values.end()));
    if (context_.metrics != nullptr) PLUMB_RETURN_IF_ERROR(context_.metrics->Write(state_.step, values));
  }
  state_.last_evaluation = values;
  if (state_.step > 0) {
    if (context_.evaluation_warning != nullptr) {
      const std::string warning = context_.evaluation_warning(state_.first_evaluation, values);
      if (!warning.empty())
        progress_->Say(absl::StrCat(context_.name, ": step ", state_.step, ": ", warning));
    }
    return CompareWithBest(eval_, values, &state_).status();
  }
  // Not a candidate, as there is nothing to go back to; but a wrong name is told now.
  state_.first_evaluation = values;
  TrainState unused;
  return CompareWithBest(eval_, values, &unused).status();
}

absl::Status Trainer::Save() {
  if (context_.metrics != nullptr) {
    PLUMB_ASSIGN_OR_RETURN(state_.metrics_position, context_.metrics->Position());
  }
  state_.threads = at::get_num_threads();
  const std::string path = CheckpointPath(context_.folder, state_.step);
  if (absl::Status status = WriteCheckpoint(path, kept_, *optimizer_, state_, recipe_text_); !status.ok()) {
    const std::vector<int64_t> left = ListCheckpoints(context_.folder);
    return absl::Status(status.code(),
                        absl::StrCat(context_.name, ": step ", state_.step, ": ", status.message(),
                                     left.empty() ? "; there is no checkpoint yet"
                                                  : absl::StrCat("; the last checkpoint is ",
                                                                 CheckpointPath(context_.folder, left[0]))));
  }
  saved_step_ = state_.step;
  return RemoveOldCheckpoints(context_.folder, training_.save_total_limit(), state_.best_step);
}

absl::Status Trainer::StopOnInterrupt() {
  if (!InterruptRequested()) return absl::OkStatus();
  if (state_.step == 0)
    return absl::CancelledError(absl::StrCat(context_.name, ": stopped before the first step"));
  if (saved_step_ != state_.step) PLUMB_RETURN_IF_ERROR(Save());
  const std::string path = CheckpointPath(context_.folder, state_.step);
  return absl::CancelledError(absl::StrCat(context_.name, ": stopped after step ", state_.step, " of ",
                                           max_steps_, "; saved ", path,
                                           "; the same command goes on from there"));
}

absl::Status Trainer::Finish() {
  if (state_.stopped_early && resumed_at_step_ != state_.step) {
    progress_->Say(absl::StrCat(context_.name, ": stopped early: no gain in ",
                                state_.evaluations_without_gain, " evaluations"));
  }
  if (!eval_.load_best_model_at_end() || state_.best_step == 0 || state_.best_step == state_.step) {
    return absl::OkStatus();
  }
  const std::string best = CheckpointPath(context_.folder, state_.best_step);
  PLUMB_RETURN_IF_ERROR(VerifyCheckpoint(best));
  progress_->Say(absl::StrCat(context_.name, ": taking the best model, ", best));
  return LoadParameters(best, kept_);
}

TrainResult Trainer::Result() const {
  TrainResult result;
  result.steps = state_.step;
  result.max_steps = max_steps_;
  result.resumed_at_step = resumed_at_step_;
  result.stopped_early = state_.stopped_early;
  result.best_step = state_.best_step;
  result.best_metric = state_.best_metric;
  result.first_evaluation = state_.first_evaluation;
  result.last_evaluation = state_.last_evaluation;
  result.metrics_position = state_.metrics_position;
  return result;
}

}  // namespace

int64_t ExamplesPerStep(const TrainingOptions& training) {
  return training.per_device_train_batch_size() * training.gradient_accumulation_steps();
}

double SamplingRate(const TrainingOptions& training, int64_t examples) {
  return std::min(1.0, static_cast<double>(ExamplesPerStep(training)) / static_cast<double>(examples));
}

int64_t PlannedSteps(const TrainingOptions& training, int64_t examples) {
  if (training.max_steps() >= 0) return training.max_steps();
  const ExampleOrder order(examples, training.per_device_train_batch_size(),
                           training.gradient_accumulation_steps(), /*shuffle=*/false, RandomStream(0, ""));
  return static_cast<int64_t>(std::ceil(training.num_train_epochs() * order.steps_per_epoch()));
}

absl::StatusOr<TrainResult> Train(TrainTask* task, Optimizer* optimizer, const Schedule& schedule,
                                  const TrainingOptions& training, const EvalOptions& eval,
                                  const TrainContext& context) {
  return Trainer(task, optimizer, schedule, training, eval, context).Run();
}

}  // namespace plumb
