#include "alignment/trl_testing.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/testing/testing.h"
#include "common/train/task.h"
#include "common/train/train.h"
#include "common/train/train.pb.h"
#include "optim/make_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {

nlohmann::json ReadGolden(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(Runfile("alignment/testdata/" + path));
  PLUMB_EXPECT_OK(text);
  return nlohmann::json::parse(text.value_or("null"));
}

TextModel LoadTrlModel() {
  const std::string folder = Runfile("alignment/testdata/trl_dpo/model");
  TextModel model;
  auto loaded = LoadCausalLm(folder);
  PLUMB_EXPECT_OK(loaded);
  model.model = *std::move(loaded);
  auto tokenizer = LoadTokenizer(folder);
  PLUMB_EXPECT_OK(tokenizer);
  model.tokenizer = *std::move(tokenizer);
  return model;
}

absl::Status Recorder::Write(int64_t, const std::map<std::string, double>& values) {
  (values.count("grad_norm") > 0 ? steps : evaluations).push_back(values);
  return absl::OkStatus();
}

Recorder TrainLikeTrl(TrainTask* task, const nlohmann::json& arguments, const StepSplit& split) {
  OptimizerConfig optimizer_config;
  optimizer_config.mutable_adamw()->set_learning_rate(arguments.at("learning_rate").get<double>());
  optimizer_config.mutable_adamw()->set_weight_decay(arguments.at("weight_decay").get<double>());
  auto optimizer = MakeOptimizer(optimizer_config, task->TrainableParameters());
  PLUMB_EXPECT_OK(optimizer);
  Schedule schedule;
  const auto warmup_steps = arguments.at("warmup_steps").get<int64_t>();
  if (arguments.at("lr_scheduler_type") == "cosine") {
    schedule.mutable_cosine()->set_warmup_steps(warmup_steps);
  } else {
    schedule.mutable_linear()->set_warmup_steps(warmup_steps);
  }
  TrainingOptions training;
  training.set_max_steps(arguments.at("max_steps").get<int64_t>());
  training.set_per_device_train_batch_size(
      split.batch_size > 0 ? split.batch_size : arguments.at("per_device_train_batch_size").get<int64_t>());
  training.set_gradient_accumulation_steps(
      split.batch_size > 0 ? split.accumulation : arguments.at("gradient_accumulation_steps").get<int64_t>());
  training.set_per_device_eval_batch_size(arguments.at("per_device_eval_batch_size").get<int64_t>());
  training.set_max_tokens_per_micro_batch(split.max_tokens);
  training.set_max_grad_norm(arguments.at("max_grad_norm").get<double>());
  training.set_logging_steps(1);
  Recorder recorder;
  TrainContext context;
  context.name = "test";
  context.folder = TemporaryFolder();
  context.shuffle = false;
  context.metrics = &recorder;
  context.progress = nullptr;
  PLUMB_EXPECT_OK(Train(task, optimizer->get(), schedule, training, EvalOptions(), context));
  return recorder;
}

}  // namespace plumb
