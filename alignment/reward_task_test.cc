#include "alignment/reward_task.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/stage_data.h"
#include "alignment/trl_testing.h"
#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/trl_reward/" + path); }

TEST(RewardModel, GivesTheRewardsOfTransformers) {
  const auto model = LoadRewardModel(Golden("model"));
  PLUMB_ASSERT_OK(model);
  const Json golden = ReadGolden("trl_reward/first.json");
  for (const Json& row : golden.at("rows")) {
    const PackedTokens tokens = PackSequences({row.at("input_ids").get<std::vector<int64_t>>()});
    const at::Tensor hidden = model->body->Hidden(tokens).narrow(0, tokens.size() - 1, 1);
    EXPECT_NEAR(model->Rewards(hidden).item<double>(), row.at("reward").get<double>(), 1e-4);
  }
}

TEST(RewardModel, ComesBackFromItsFolder) {
  auto model = LoadRewardModel(Golden("model"));
  PLUMB_ASSERT_OK(model);
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(SaveRewardModel(*model, folder));
  auto again = LoadRewardModel(folder);
  PLUMB_ASSERT_OK(again);
  EXPECT_TRUE(again->score.equal(model->score));
  EXPECT_EQ(LoadCausalLm(folder).status().message(),
            folder + ": a reward model, which has no head over the vocabulary");
}

TEST(RewardModel, StartsFromALanguageModel) {
  auto policy = LoadCausalLm(Runfile("alignment/testdata/trl_dpo/model"));
  PLUMB_ASSERT_OK(policy);
  auto made = NewRewardModel(**policy, RandomStream(1, "reward"));
  PLUMB_ASSERT_OK(made);
  RewardModel& model = *made;
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(SaveRewardModel(model, folder));
  auto again = LoadRewardModel(folder);
  PLUMB_ASSERT_OK(again);
  EXPECT_TRUE(again->score.equal(model.score));
  EXPECT_EQ(Json::parse(ReadFile(folder + "/config.json").value()).at("pad_token_id"), 399);
  EXPECT_EQ(LoadRewardModel(Runfile("alignment/testdata/trl_dpo/model")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(RewardModel, NeedsAPadTokenThatEndsNoAnswer) {
  for (const char* pad : {"", R"("pad_token_id": 7,)"}) {
    const auto config = ParseModelConfig(
        absl::StrCat("{", pad,
                     R"("model_type": "llama", "eos_token_id": 7, "vocab_size": 8, "hidden_size": 4,)",
                     R"("intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1})"),
        "config.json");
    PLUMB_ASSERT_OK(config);
    EXPECT_THAT(WithRewardHead(*config).status().message(), testing::HasSubstr("'pad_token_id'"));
  }
}

class TrlReward : public testing::TestWithParam<const char*> {};

TEST_P(TrlReward, LogsTheSameAtEachStep) {
  const Json run = ReadGolden("trl_reward/golden.json").at("runs").at(GetParam());
  const Json& arguments = run.at("arguments");
  auto model = LoadRewardModel(Golden("model"));
  PLUMB_ASSERT_OK(model);
  auto tokenizer = LoadTokenizer(Golden("model"));
  PLUMB_ASSERT_OK(tokenizer);
  google::protobuf::RepeatedPtrField<ObjectiveConfig> configs;
  RewardModelling* config = configs.Add()->mutable_reward();
  config->set_center_rewards_coefficient(arguments.value("center_rewards_coefficient", 0.0));
  const auto objectives = WeightedObjectives::Create(configs);
  PLUMB_ASSERT_OK(objectives);
  DataConfig data_config;
  data_config.mutable_preference()->add_path(Golden("train.jsonl"));
  data_config.mutable_eval_preference()->add_path(Golden("eval.jsonl"));
  data_config.set_max_length(arguments.at("max_length").get<int64_t>());
  StageDataCounts counts;
  auto data = LoadStageData(data_config, objectives->traits(), **tokenizer, 42, "stage[0]", &counts);
  PLUMB_ASSERT_OK(data);
  EXPECT_EQ(data->train.size(), run.at("rows"));
  if (!run.at("margin_column").get<bool>()) {
    for (auto* part : {&data->train, &data->eval}) {
      for (TokenizedPreference& pair : *part) pair.margin.reset();
    }
  }
  RewardTask task(&*model, tokenizer->get(), &*data, &*objectives, /*gradient_checkpointing=*/false);
  const Recorder record = TrainLikeTrl(&task, arguments);
  const Json& steps = run.at("steps");
  ASSERT_EQ(record.steps.size(), steps.size());
  const auto expect_same = [](const std::map<std::string, double>& values, const Json& expected,
                              const std::string& where) {
    for (const auto& [name, value] : expected.items()) {
      if (name == "eval_num_tokens") continue;  // of the training, in TRL
      ASSERT_EQ(values.count(name), 1u) << name;
      const double number = value.get<double>();
      EXPECT_NEAR(values.at(name), number, 1e-3 * std::abs(number) + 1e-4) << name << where;
    }
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    expect_same(record.steps[i], steps[i], " of step " + std::to_string(i + 1));
  }
  // A mean of batches' means in TRL, of all examples here.
  if (data->eval.size() % arguments.at("per_device_eval_batch_size").get<int64_t>() != 0) return;
  expect_same(record.evaluations.back(), run.at("eval"), " of the evaluation");
}

INSTANTIATE_TEST_SUITE_P(Runs, TrlReward,
                         testing::Values("margin_centered", "plain", "accumulation", "filtered"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace plumb
