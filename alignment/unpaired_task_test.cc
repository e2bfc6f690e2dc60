#include "alignment/unpaired_task.h"

#include <google/protobuf/text_format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "alignment/mismatched_answers.h"
#include "alignment/pair_logps.h"
#include "alignment/stage_data.h"
#include "alignment/trl_testing.h"
#include "common/nn/lora.h"
#include "common/testing/testing.h"
#include "common/train/train.h"
#include "common/train/train.pb.h"
#include "optim/make_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/" + path); }

Json TrlRun(const std::string& name) { return ReadGolden("trl_kto/golden.json").at("runs").at(name); }

// A model, its data and objectives, and the task over them.
struct Training {
  TextModel model = LoadTrlModel();
  WeightedObjectives objectives;
  PreferenceData data;
  std::unique_ptr<UnpairedTask> task;
};

struct Variant {
  StepSplit split;
  bool live_reference = false;
  bool checkpointing = false;
};

std::unique_ptr<Training> MakeTraining(const std::string& objective, const Variant& variant = {}) {
  auto training = std::make_unique<Training>();
  google::protobuf::RepeatedPtrField<ObjectiveConfig> configs;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(objective, configs.Add())) << objective;
  auto objectives = WeightedObjectives::Create(configs);
  PLUMB_EXPECT_OK(objectives);
  training->objectives = *std::move(objectives);

  DataConfig config;
  config.mutable_unpaired()->add_path(Golden("trl_kto/train.jsonl"));
  config.mutable_eval_unpaired()->add_path(Golden("trl_kto/eval.jsonl"));
  config.set_max_length(128);
  StageDataCounts counts;
  auto data = LoadStageData(config, training->objectives.traits(), *training->model.tokenizer, 42, "stage[0]",
                            &counts);
  PLUMB_EXPECT_OK(data);
  training->data = *std::move(data);
  PreferenceReference reference;
  const bool mismatched = training->objectives.traits().baseline == Baseline::kMismatchedKl;
  for (auto* part : {&training->data.train, &training->data.eval}) {
    if (mismatched) AddMismatchedAnswers(4, 128, part);
  }
  if (variant.live_reference) {
    reference.model = FrozenCopy(training->model);
  } else {
    CausalLm& model = *training->model.model;
    reference.train = ComputeReferenceLogps(model, training->data.train, mismatched, 7).value();
    reference.eval = ComputeReferenceLogps(model, training->data.eval, mismatched, 7).value();
  }
  training->task = std::make_unique<UnpairedTask>(&training->model, &training->data, &training->objectives,
                                                  std::move(reference), variant.checkpointing);
  return training;
}

std::map<std::string, at::Tensor> Weights(UnpairedTask* task) {
  std::map<std::string, at::Tensor> weights;
  for (const NamedParameter& parameter : task->TrainableParameters()) {
    weights[parameter.name] = parameter.tensor.detach();
  }
  return weights;
}

void ExpectNear(double value, double expected, const std::string& what) {
  EXPECT_NEAR(value, expected, 1e-3 * std::abs(expected) + 2e-5) << what;
}

// Every figure that TRL logged, at each step and in the evaluation, within a thousandth.
void ExpectLikeTrl(const std::string& objective, const Json& run, const Variant& variant = {}) {
  const auto training = MakeTraining(objective, variant);
  EXPECT_EQ(training->data.train.size(), run.at("rows"));
  const Recorder record = TrainLikeTrl(training->task.get(), run.at("arguments"), variant.split);
  const Json& steps = run.at("steps");
  ASSERT_EQ(record.steps.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (const auto& [name, expected] : steps[i].items()) {
      if (name == "kl" && training->objectives.traits().baseline == Baseline::kNone) {
        EXPECT_EQ(expected, 0);  // TRL logs it also where nothing asks for it
        continue;
      }
      const auto found = record.steps[i].find(name);
      ASSERT_NE(found, record.steps[i].end()) << name;
      ExpectNear(found->second, expected.get<double>(), name + " of step " + std::to_string(i + 1));
    }
  }
  for (const auto& [name, expected] : run.at("eval").items()) {
    if (name == "eval_num_tokens") continue;  // of the training, in TRL
    if (name == "eval_kl" && training->objectives.traits().baseline == Baseline::kNone) continue;
    const auto found = record.evaluations.back().find(name);
    ASSERT_NE(found, record.evaluations.back().end()) << name;
    ExpectNear(found->second, expected.get<double>(), name);
  }
  const auto weights = Weights(training->task.get());
  for (const auto& [name, sum_and_norm] : run.at("final").items()) {
    ASSERT_EQ(weights.count(name), 1u) << name;
    ExpectNear(weights.at(name).to(at::kDouble).norm().item<double>(), sum_and_norm[1].get<double>(), name);
  }
}

TEST(TrlKto, LogsTheSameAtEachStep) {
  ExpectLikeTrl("kto { beta: 0.1 }", TrlRun("kto"));
  ExpectLikeTrl("kto { beta: 0.5 desirable_weight: 0.6 undesirable_weight: 1.2 }", TrlRun("weights"));
  ExpectLikeTrl("apo_zero_unpaired { beta: 0.1 }", TrlRun("apo_zero_unpaired"));
}

TEST(UnpairedTask, AccumulationChangesNothing) {
  for (const int64_t batch_size : {1, 2}) {
    Variant variant;
    variant.split = {batch_size, 4 / batch_size};
    ExpectLikeTrl("kto {}", TrlRun("kto"), variant);
  }
}

TEST(UnpairedTask, ALiveReferenceAndCheckpointingChangeNothing) {
  Variant variant;
  variant.live_reference = true;
  variant.checkpointing = true;
  ExpectLikeTrl("kto {}", TrlRun("kto"), variant);
}

// The mean of the rewards up to each step, from what was logged of them.
TEST(UnpairedTask, BcoShiftsRewardsByTheirMeanSoFar) {
  for (const int64_t batch_size : {4, 1}) {
    const auto training = MakeTraining("bco {}");
    const Json arguments = TrlRun("kto").at("arguments");
    const Recorder record =
        TrainLikeTrl(training->task.get(), arguments, StepSplit{batch_size, 4 / batch_size});
    ASSERT_EQ(record.steps.size(), 20u);
    double sum = 0;
    for (size_t i = 0; i < record.steps.size(); ++i) {
      const std::map<std::string, double>& step = record.steps[i];
      double good = 0;
      for (size_t row = 4 * i; row < 4 * i + 4; ++row) good += *training->data.train[row].label ? 1 : 0;
      sum += good * step.at("rewards/chosen");
      if (good < 4) sum += (4 - good) * step.at("rewards/rejected");
      const double delta = sum / (4 * static_cast<double>(i) + 4);
      EXPECT_NEAR(step.at("delta"), delta, 1e-5 + 1e-4 * std::abs(delta)) << "step " << i + 1;
      EXPECT_EQ(step.count("kl"), 0u);
    }
    EXPECT_GT(std::abs(record.steps.back().at("delta")), 1e-3);
    EXPECT_NEAR(record.evaluations.back().at("eval_delta"), record.steps.back().at("delta"), 1e-7);
  }
}

// Trains with bco, without a decay of the learning rate, so that a training can be told to stop early.
void TrainBco(UnpairedTask* task, const std::string& folder, int64_t steps, const std::string& resume,
              Recorder* recorder) {
  OptimizerConfig config;
  config.mutable_adamw()->set_learning_rate(1e-3);
  auto optimizer = MakeOptimizer(config, task->TrainableParameters());
  PLUMB_ASSERT_OK(optimizer);
  Schedule schedule;
  schedule.mutable_constant();
  TrainingOptions training;
  training.set_max_steps(6);
  training.set_per_device_train_batch_size(4);
  training.set_logging_steps(1);
  training.set_save_steps(steps);
  training.set_save_total_limit(10);
  TrainContext context;
  context.name = "test";
  context.folder = folder;
  context.resume = resume;
  context.metrics = recorder;
  context.progress = nullptr;
  PLUMB_EXPECT_OK(Train(task, optimizer->get(), schedule, training, EvalOptions(), context));
}

TEST(UnpairedTask, AResumedTrainingKnowsItsRunningMean) {
  const std::string folder = TemporaryFolder();
  const auto whole = MakeTraining("bco {}");
  Recorder record;
  TrainBco(whole->task.get(), folder + "/whole", 3, "auto", &record);
  const auto resumed = MakeTraining("bco {}");
  Recorder rest;
  TrainBco(resumed->task.get(), folder + "/resumed", 3, folder + "/whole/checkpoint-3", &rest);
  ASSERT_EQ(record.steps.size(), 6u);
  ASSERT_EQ(rest.steps.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(rest.steps[i].at("delta"), record.steps[i + 3].at("delta"));
  for (const auto& [name, weight] : Weights(whole->task.get())) {
    EXPECT_TRUE(weight.equal(Weights(resumed->task.get()).at(name))) << name;
  }
}

}  // namespace
}  // namespace plumb
