#include "alignment/preference_task.h"

#include <google/protobuf/text_format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "alignment/pair_logps.h"
#include "alignment/stage_data.h"
#include "alignment/trl_testing.h"
#include "common/kernels/fused.h"
#include "common/nn/lora.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/" + path); }

WeightedObjectives MakeObjectives(const std::vector<std::string>& texts) {
  google::protobuf::RepeatedPtrField<ObjectiveConfig> configs;
  for (const std::string& text : texts) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, configs.Add())) << text;
  }
  auto objectives = WeightedObjectives::Create(configs);
  PLUMB_EXPECT_OK(objectives);
  return *std::move(objectives);
}

PreferenceData LoadData(const TextModel& model, const WeightedObjectives& objectives, const Json& arguments) {
  DataConfig config;
  config.mutable_preference()->add_path(Golden("trl_dpo/train.jsonl"));
  config.mutable_eval_preference()->add_path(Golden("trl_dpo/eval.jsonl"));
  config.set_max_length(arguments.at("max_length").get<int64_t>());
  config.set_completion_only_loss(arguments.value("completion_only_loss", true));
  StageDataCounts counts;
  auto data = LoadStageData(config, objectives.traits(), *model.tokenizer, 42, "stage[0]", &counts);
  PLUMB_EXPECT_OK(data);
  return *std::move(data);
}

// How a test trains, beside what the golden run's arguments say.
struct Variant {
  StepSplit split;
  bool live_reference = false;
  bool reference_in_data = false;
  bool checkpointing = false;
};

struct Trained {
  Recorder record;
  bool even_evaluation = true;  // all of its batches are of one size
  std::map<std::string, at::Tensor> weights;
};

// Puts the sums into the pairs, as the columns ref_chosen_logps and ref_rejected_logps do.
void CarryReference(const ReferenceLogps& reference, std::vector<TokenizedPreference>* pairs) {
  int64_t chosen = 0, rejected = 0;
  for (TokenizedPreference& pair : *pairs) {
    const auto sum = [](const at::Tensor& tokens, int64_t* begin, int64_t count) {
      const at::Tensor part = tokens.narrow(0, *begin, count);
      *begin += count;
      return part.sum(at::kDouble).item<double>();
    };
    pair.ref_chosen_logps =
        sum(reference.chosen_token_logps, &chosen, PredictedTokens(pair, pair.chosen_ids));
    pair.ref_rejected_logps =
        sum(reference.rejected_token_logps, &rejected, PredictedTokens(pair, pair.rejected_ids));
  }
}

Trained TrainLike(const Json& run, const std::vector<std::string>& objective_texts, TextModel model,
                  const Variant& variant = {}) {
  const Json& arguments = run.at("arguments");
  const WeightedObjectives objectives = MakeObjectives(objective_texts);
  PreferenceData data = LoadData(model, objectives, arguments);
  EXPECT_EQ(data.train.size(), run.at("rows"));
  PreferenceReference reference;
  if (objectives.traits().needs_reference && variant.live_reference) {
    reference.model = FrozenCopy(model);
  } else if (objectives.traits().needs_reference) {
    reference.train = ComputeReferenceLogps(*model.model, data.train, true, 7).value();
    reference.eval = ComputeReferenceLogps(*model.model, data.eval, true, 7).value();
  }
  if (variant.reference_in_data) {
    CarryReference(*reference.train, &data.train);
    CarryReference(*reference.eval, &data.eval);
    reference = PreferenceReference();
    reference.in_data = true;
  }
  PreferenceTask task(&model, &data, &objectives, std::move(reference), variant.checkpointing);

  Trained trained;
  trained.record = TrainLikeTrl(&task, arguments, variant.split);
  trained.even_evaluation = data.eval.size() % arguments.at("per_device_eval_batch_size").get<int64_t>() == 0;
  for (const NamedParameter& parameter : task.TrainableParameters()) {
    trained.weights[parameter.name] = parameter.tensor.detach();
  }
  return trained;
}

void ExpectNear(double value, double expected, const std::string& what) {
  EXPECT_NEAR(value, expected, 1e-3 * std::abs(expected) + 2e-5) << what;
}

// Every figure that TRL logged, at each step, within a thousandth.
void ExpectSameSteps(const Trained& trained, const Json& run) {
  const Json& steps = run.at("steps");
  ASSERT_EQ(trained.record.steps.size(), steps.size());
  // Token means of an accumulated step are means of micro-batches' means in TRL, of all tokens here.
  const bool accumulated = run.at("arguments").at("gradient_accumulation_steps") != 1;
  for (size_t i = 0; i < steps.size(); ++i) {
    for (const auto& [name, expected] : steps[i].items()) {
      const bool token_mean =
          name == "entropy" || name == "mean_token_accuracy" || name.rfind("logits/", 0) == 0;
      if (accumulated && token_mean) continue;
      // Policy and reference are equal before the first step that moves: a tie that rounding decides.
      if (i < 2 && name == "rewards/accuracies") continue;
      const auto found = trained.record.steps[i].find(name);
      ASSERT_NE(found, trained.record.steps[i].end()) << name;
      ExpectNear(found->second, expected.get<double>(), name + " of step " + std::to_string(i + 1));
    }
  }
  for (const auto& [name, sum_and_norm] : run.at("final").items()) {
    const auto found = trained.weights.find(name);
    ASSERT_NE(found, trained.weights.end()) << name;
    ExpectNear(found->second.to(at::kDouble).norm().item<double>(), sum_and_norm[1].get<double>(), name);
  }
}

class TrlDpo : public testing::TestWithParam<std::pair<const char*, std::vector<std::string>>> {};

TEST_P(TrlDpo, LogsTheSameAtEachStep) {
  const auto& [name, objectives] = GetParam();
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at(name);
  const Trained trained = TrainLike(run, objectives, LoadTrlModel());
  ExpectSameSteps(trained, run);
  if (!trained.even_evaluation) return;  // a mean of batches' means in TRL, of all examples here
  for (const char* metric :
       {"eval_loss", "eval_rewards/chosen", "eval_rewards/rejected", "eval_rewards/margins",
        "eval_rewards/accuracies", "eval_logps/chosen", "eval_logps/rejected"}) {
    // The sft part of TRL's evaluation is a mean of batches' means.
    if (objectives.size() > 1 && std::string(metric) == "eval_loss") continue;
    ExpectNear(trained.record.evaluations.back().at(metric), run.at("eval").at(metric).get<double>(), metric);
  }
}

const char kDpo[] = "dpo { beta: 0.1 }";
const char kSft[] = "sft {} weight: 0.2";

INSTANTIATE_TEST_SUITE_P(Runs, TrlDpo,
                         testing::Values(std::pair("sigmoid", std::vector<std::string>{kDpo}),
                                         std::pair("beta", std::vector<std::string>{"dpo { beta: 0.5 }"}),
                                         std::pair("sigmoid_sft", std::vector<std::string>{kDpo, kSft}),
                                         std::pair("precompute", std::vector<std::string>{kDpo}),
                                         std::pair("accumulation", std::vector<std::string>{kDpo}),
                                         std::pair("weight_decay_cosine", std::vector<std::string>{kDpo}),
                                         std::pair("truncated", std::vector<std::string>{kDpo})),
                         [](const auto& info) { return std::string(info.param.first); });

TEST(TrlDpo, LogsTheSameWithAnAdapter) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("lora");
  TextModel model = LoadTrlModel();
  auto lora = LoadAdapter(*model.model, Golden("trl_dpo/lora_initial"));
  PLUMB_ASSERT_OK(lora);
  model.lora = *lora;
  ExpectSameSteps(TrainLike(run, {kDpo}, model), run);
}

// TRL's own number depends on how a step is split, as its sft part is a mean over each micro-batch.
TEST(PreferenceTask, AccumulationChangesNothing) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid_sft");
  for (const int64_t batch_size : {1, 2}) {
    Variant variant;
    variant.split = {batch_size, 4 / batch_size};
    ExpectSameSteps(TrainLike(run, {kDpo, kSft}, LoadTrlModel(), variant), run);
  }
}

TEST(PreferenceTask, MicroBatchesOfFewTokensChangeNothing) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid_sft");
  Variant variant;
  variant.split.max_tokens = 120;
  ExpectSameSteps(TrainLike(run, {kDpo, kSft}, LoadTrlModel(), variant), run);
}

TEST(PreferenceTask, FusedKernelsChangeNothing) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid");
  const ScopedUnfusedKernels unfused;
  ExpectSameSteps(TrainLike(run, {kDpo}, LoadTrlModel()), run);
}

TEST(PreferenceTask, ALiveReferenceAndCheckpointingChangeNothing) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid");
  Variant variant;
  variant.live_reference = true;
  variant.checkpointing = true;
  ExpectSameSteps(TrainLike(run, {kDpo}, LoadTrlModel(), variant), run);
}

TEST(PreferenceTask, PairsMayCarryTheirReference) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid");
  Variant variant;
  variant.reference_in_data = true;
  ExpectSameSteps(TrainLike(run, {kDpo}, LoadTrlModel(), variant), run);
}

TEST(PreferenceTask, TdpoWithoutItsDivergenceTermIsDpo) {
  const Json run = ReadGolden("trl_dpo/golden.json").at("runs").at("sigmoid");
  Variant variant;
  variant.live_reference = true;
  Trained trained = TrainLike(run, {"tdpo { beta: 0.1 version: TDPO2 alpha: 0 }"}, LoadTrlModel(), variant);
  for (size_t i = 0; i < trained.record.steps.size(); ++i) {
    ExpectNear(trained.record.steps[i].at("loss"), run.at("steps")[i].at("loss").get<double>(), "loss");
  }
  trained = TrainLike(run, {"tdpo { beta: 0.1 version: TDPO1 }"}, LoadTrlModel(), variant);
  EXPECT_GT(std::abs(trained.record.steps[9].at("loss") - run.at("steps")[9].at("loss").get<double>()), 1e-3);
}

class TrlSft : public testing::TestWithParam<const char*> {};

TEST_P(TrlSft, LogsTheSameAtEachStep) {
  const Json run = ReadGolden("trl_sft/golden.json").at("runs").at(GetParam());
  ExpectSameSteps(TrainLike(run, {"sft {}"}, LoadTrlModel()), run);
}

INSTANTIATE_TEST_SUITE_P(Runs, TrlSft,
                         testing::Values("completion_only", "whole", "accumulation", "truncated"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace plumb
