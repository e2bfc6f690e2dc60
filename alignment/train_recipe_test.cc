#include "alignment/train_recipe.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/text_model.h"
#include "common/data/tokenizer.h"
#include "common/files/files.h"
#include "common/tensor/packed.h"
#include "common/tensor/safetensors.h"
#include "common/testing/testing.h"
#include "optim/make_optimizer.h"

namespace plumb {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/" + path); }

// A recipe of one stage and four steps with this objective, on rows of `data`'s kind.
class TrainRecipeTest : public testing::Test {
 protected:
  AlignmentRecipe Recipe(const std::string& objective, const std::string& kind,
                         const std::vector<Json>& rows) const {
    std::string lines;
    for (const Json& row : rows) absl::StrAppend(&lines, row.dump(), "\n");
    const std::string path = absl::StrCat(folder_, "/", kind, ".jsonl");
    PLUMB_EXPECT_OK(WriteFileAtomically(path, lines));
    const std::string text =
        absl::StrCat("name: 'test' output_dir: '", folder_, "/run' threads: 1 model { pretrained: '",
                     Golden("trl_dpo/model"), "' } data { ", kind, " { path: '", path,
                     "' } eval_fraction: 0.25 max_length: 128 } stage { name: 'stage' objective { ",
                     objective, " } optimizer { adamw { learning_rate: 1e-3 } } training { max_steps: 4 ",
                     "per_device_train_batch_size: 4 logging_steps: 1 } samples { from_eval: 0 } }");
    AlignmentRecipe recipe;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &recipe)) << text;
    return recipe;
  }

  // What the run logged at each step.
  std::vector<Json> Steps() const {
    std::vector<Json> steps;
    std::istringstream lines(ReadFile(folder_ + "/run/metrics.jsonl").value_or(""));
    for (std::string line; std::getline(lines, line);) {
      Json row = Json::parse(line);
      if (row.contains("loss")) steps.push_back(row);
    }
    return steps;
  }

  std::string folder_ = TemporaryFolder();
};

std::vector<Json> Pairs() {
  std::vector<Json> rows;
  for (int i = 0; i < 24; ++i) {
    rows.push_back({{"prompt", absl::StrCat("Q: ", i, "?")},
                    {"chosen", absl::StrCat(" It is ", i, ". Surely.")},
                    {"rejected", absl::StrCat(" Ask again. ", i * i)}});
  }
  return rows;
}

TEST_F(TrainRecipeTest, ScoresComeFromTheData) {
  std::vector<Json> rows = Pairs();
  for (Json& row : rows) row.update({{"score_chosen", {0.5, 1}}, {"score_rejected", {2, 0.25}}});
  const AlignmentRecipe recipe = Recipe("modpo { other_weight: [0.25, 0.25] }", "preference", rows);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  ASSERT_EQ(Steps().size(), 4u);
  // Before the first step that moves, the rewards are the scores', weighed, alone.
  EXPECT_NEAR(Steps()[0].at("rewards/chosen"), -0.75, 1e-4);
  EXPECT_NEAR(Steps()[0].at("rewards/rejected"), -1.125, 1e-4);
  PLUMB_ASSERT_OK(TrainRecipe(Recipe("contrastive_policy_gradient {}", "preference", rows), "never"));
  EXPECT_NEAR(Steps()[0].at("loss"), (0.75 * 0.75) / 0.2, 1e-3);

  rows[5].erase("score_chosen");
  EXPECT_THAT(TrainRecipe(Recipe("modpo {}", "preference", rows), "never").message(),
              HasSubstr("stage[0]: an objective of this stage looks at scores: 23 of 24 pairs have 2 in "
                        "score_chosen and in score_rejected"));
  EXPECT_THAT(TrainRecipe(Recipe("modpo { other_weight: 1 }", "preference", rows), "never").message(),
              HasSubstr("0 of 24 pairs have 1 in score_chosen and in score_rejected"));
}

TEST_F(TrainRecipeTest, WinProbabilitiesComeFromTheData) {
  std::vector<Json> rows = Pairs();
  for (Json& row : rows) row.update({{"score_chosen", 0.8}, {"score_rejected", 0.4}});
  const std::string sppo = "sppo { beta: 0.1 win_probabilities: FROM_SCORES }";
  PLUMB_ASSERT_OK(TrainRecipe(Recipe(sppo, "preference", rows), "never"));
  EXPECT_NEAR(Steps()[0].at("loss"), 3 * 3 + 1, 1e-3);  // log-ratios are 0 yet
  rows[7]["score_rejected"] = 1.5;
  EXPECT_THAT(
      TrainRecipe(Recipe(sppo, "preference", rows), "never").message(),
      HasSubstr("stage[0]: an objective of this stage takes scores for win probabilities, from 0 to 1; "
                "found 1.5"));
}

TEST_F(TrainRecipeTest, AnswersCountByTheirWeights) {
  std::vector<Json> rows;
  for (int i = 0; i < 24; ++i) {
    rows.push_back({{"prompt", absl::StrCat("Q: ", i, "?")}, {"completion", " Yes."}, {"label", i % 2 == 0}});
  }
  const AlignmentRecipe plain = Recipe("kto {}", "unpaired", rows);
  PLUMB_ASSERT_OK(TrainRecipe(plain, "never"));
  EXPECT_NEAR(Steps()[0].at("loss"), 0.5, 1e-4);
  for (Json& row : rows) row["weight"] = 3;
  PLUMB_ASSERT_OK(TrainRecipe(Recipe("kto {}", "unpaired", rows), "never"));
  EXPECT_NEAR(Steps()[0].at("loss"), 1.5, 1e-4);
  // Another weight is other data.
  for (Json& row : rows) row["weight"] = 2;
  AlignmentRecipe longer = Recipe("kto {}", "unpaired", rows);
  EXPECT_THAT(TrainRecipe(longer, "auto").message(), HasSubstr("the training data is not what it was"));
}

TEST_F(TrainRecipeTest, ABatchThatIsComparedIsNotCut) {
  AlignmentRecipe recipe = Recipe("aot {}", "preference", Pairs());
  recipe.mutable_stage(0)->mutable_training()->clear_max_tokens_per_micro_batch();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[0].training.max_tokens_per_micro_batch: an objective of this stage compares"));
  recipe.mutable_stage(0)->mutable_training()->set_max_tokens_per_micro_batch(0);
  PLUMB_EXPECT_OK(TrainRecipe(recipe, "never"));
}

TEST_F(TrainRecipeTest, DivergenceOnThePolicysOwnAnswers) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> offline = Steps();
  OnPolicyKl* kl = recipe.mutable_stage(0)->mutable_on_policy_kl();
  kl->set_weight(0.05);
  kl->set_num_generations(2);
  kl->set_max_new_tokens(5);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> hybrid = Steps();
  ASSERT_EQ(hybrid.size(), 4u);
  // The policy is the reference yet, so that the divergence is 0, and so is its gradient.
  EXPECT_NEAR(hybrid[0].at("kl"), 0, 1e-5);
  EXPECT_NEAR(hybrid[1].at("rewards/margins"), offline[1].at("rewards/margins"), 1e-5);
  EXPECT_NE(hybrid[3].at("rewards/margins"), offline[3].at("rewards/margins"));
  EXPECT_GT(hybrid[0].at("completions/mean_length"), 1);
  EXPECT_LE(hybrid[0].at("completions/mean_length"), 5);
  // Micro-batches change no result, nor does the answers' number at a time.
  recipe.mutable_stage(0)->mutable_training()->set_max_tokens_per_micro_batch(40);
  kl->set_max_batch_size(3);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_NEAR(Steps()[3].at("loss"), hybrid[3].at("loss"), 1e-4);
  EXPECT_NEAR(Steps()[3].at("kl"), hybrid[3].at("kl"), 1e-3);
  EXPECT_EQ(Steps()[3].at("completions/mean_length"), hybrid[3].at("completions/mean_length"));
  // A heavy weight holds the policy at the reference.
  kl->set_weight(100);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_LT(Steps()[3].at("rewards/margins"), hybrid[3].at("rewards/margins"));

  std::vector<Json> rows = Pairs();
  rows[3]["prompt"] = "";
  AlignmentRecipe without = Recipe("dpo {}", "preference", rows);
  without.mutable_stage(0)->mutable_on_policy_kl();
  EXPECT_THAT(TrainRecipe(without, "never").message(),
              HasSubstr("stage[0]: the policy is to answer prompts: 1 of 24 examples have none"));
  AlignmentRecipe reward = Recipe("reward {}", "preference", Pairs());
  reward.mutable_stage(0)->mutable_on_policy_kl();
  EXPECT_THAT(TrainRecipe(reward, "never").message(), HasSubstr("stage[0].on_policy_kl: a reward model"));
}

TEST_F(TrainRecipeTest, MasterWeightsHaveTheDigitsOfTheFile) {
  ModelSource source;
  source.set_pretrained(Golden("trl_dpo/model"));
  TextModel exact = OpenTextModel(source, 1, "").value();
  source.set_dtype(ModelSource::BFLOAT16);
  TextModel rounded = OpenTextModel(source, 1, "").value();
  const std::vector<NamedParameter> digits = TrainedParameters(exact),
                                    parameters = TrainedParameters(rounded);
  // Weights that have changed since are no roundings of the file's.
  parameters[1].tensor.detach().mul_(2);
  auto optimizer = MakeOptimizer(OptimizerConfig(), parameters).value();
  PLUMB_ASSERT_OK(RestoreMasterWeights(rounded, {}, optimizer->State()));
  std::map<std::string, at::Tensor> state = optimizer->State();
  ASSERT_EQ(parameters.size(), digits.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor master = state.at("master." + parameters[i].name);
    const at::Tensor expected = i == 1 ? parameters[i].tensor.to(at::kFloat) : digits[i].tensor;
    EXPECT_TRUE(master.equal(expected)) << parameters[i].name;
  }
}

// Steps that are small against the roundings of 16 bits are not lost, in a first stage or a later one; a
// reward stage between them trains a copy.
TEST_F(TrainRecipeTest, SmallStepsCountInSixteenBits) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  recipe.mutable_model()->set_dtype(ModelSource::BFLOAT16);
  recipe.mutable_stage(0)->mutable_optimizer()->mutable_adamw()->set_learning_rate(1e-7);
  Stage judge = recipe.stage(0), next = recipe.stage(0);
  judge.set_name("judge");
  judge.mutable_objective(0)->mutable_reward();
  next.set_name("next");
  *recipe.add_stage() = judge;
  *recipe.add_stage() = next;
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const auto masters = [&](const std::string& stage) {
    return Safetensors::Open(absl::StrCat(folder_, "/run/", stage, "/checkpoint-4/optimizer.safetensors"))
        .value();
  };
  const Safetensors first = masters("stage"), last = masters("next");
  ModelSource source;
  source.set_pretrained(Golden("trl_dpo/model"));
  TextModel file = OpenTextModel(source, 1, "").value();
  double rounding = 0;
  for (const NamedParameter& parameter : TrainedParameters(file)) {
    const std::string name = "master." + parameter.name;
    const at::Tensor digits = parameter.tensor.detach(), after = last.Get(name).value();
    // Four steps of AdamW at most in each of two stages, whose rate falls.
    EXPECT_LT((first.Get(name).value() - digits).abs().max().item<double>(), 5e-7) << name;
    EXPECT_LT((after - digits).abs().max().item<double>(), 1e-6) << name;
    EXPECT_FALSE(after.equal(first.Get(name).value())) << name;
    rounding = std::max(rounding, (digits.to(at::kBFloat16) - digits).abs().max().item<double>());
  }
  EXPECT_GT(rounding, 1e-5);
  // A run that goes on has them too.
  const std::string optimizer = folder_ + "/run/next/checkpoint-4/optimizer.safetensors";
  const std::string state = ReadFile(optimizer).value();
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/next"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_EQ(ReadFile(optimizer).value(), state);
}

// Texts without a prompt, instructions and pairs, each with an adapter of its own.
TEST_F(TrainRecipeTest, AdaptersAreMergedBetweenStages) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  std::string texts;
  for (int i = 0; i < 16; ++i)
    absl::StrAppend(&texts, Json{{"text", absl::StrCat(i, " is ", i)}}.dump(), "\n");
  PLUMB_ASSERT_OK(WriteFileAtomically(folder_ + "/text.jsonl", texts));
  Lora* lora = recipe.mutable_model()->mutable_lora();
  lora->set_r(4);
  lora->add_target_modules("all-linear");
  Stage dpo = recipe.stage(0), *pretraining = recipe.mutable_stage(0);
  dpo.set_name("dpo");
  pretraining->mutable_objective(0)->mutable_sft();
  pretraining->mutable_data()->mutable_text()->add_path(folder_ + "/text.jsonl");
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::string model_folder = folder_ + "/run/stage/model";
  const std::vector<int64_t> ids = {5, 9, 2, 40, 7};
  const auto hidden = [&](const std::string& pretrained, const std::string& adapter) {
    ModelSource source;
    source.set_pretrained(pretrained);
    if (!adapter.empty()) source.set_adapter(adapter);
    const TextModel model = OpenTextModel(source, 1, "").value();
    return model.model->Hidden(PackSequences({ids}), {}).detach();
  };
  const at::Tensor adapted = hidden(Golden("trl_dpo/model"), model_folder);
  EXPECT_GT((adapted - hidden(Golden("trl_dpo/model"), "")).abs().max().item<double>(), 1e-3);

  pretraining->set_merge_adapter(true);
  *recipe.add_stage() = dpo;
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_FALSE(FileExists(model_folder + "/adapter_config.json"));
  const at::Tensor merged = hidden(model_folder, "");
  EXPECT_LT((merged - adapted).abs().max().item<double>(), 1e-5);
  // The next adapter goes on the merged weights, and so does the reference.
  const Json adapter = Json::parse(ReadFile(folder_ + "/run/dpo/model/adapter_config.json").value());
  EXPECT_EQ(adapter.at("base_model_name_or_path"), model_folder);
  EXPECT_NEAR(Steps()[4].at("loss"), std::log(2.0), 1e-5);
  EXPECT_GT((hidden(model_folder, folder_ + "/run/dpo/model") - merged).abs().max().item<double>(), 1e-3);
  // A run that goes on merges the same.
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/dpo"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_TRUE((hidden(model_folder, "") == merged).all().item<bool>());

  AlignmentRecipe without = Recipe("dpo {}", "preference", Pairs());
  without.mutable_stage(0)->set_merge_adapter(true);
  EXPECT_THAT(TrainRecipe(without, "never").message(),
              HasSubstr("stage[0].merge_adapter: the model has no adapter"));
}

// A reward model, and two iterations on pairs of the policy's own answers as it ranks them.
TEST_F(TrainRecipeTest, IterationsOnThePolicysOwnPairs) {
  AlignmentRecipe recipe = Recipe("reward {}", "preference", Pairs());
  recipe.mutable_stage(0)->set_name("judge");
  Stage* dno = recipe.add_stage();
  *dno = recipe.stage(0);
  dno->set_name("dno");
  dno->mutable_objective(0)->mutable_dpo();
  dno->set_iterations(2);
  OnPolicyPairs* pairs = dno->mutable_on_policy_pairs();
  pairs->add_reward()->set_reward_model("judge");
  pairs->set_num_generations(3);
  pairs->set_max_new_tokens(6);
  pairs->set_temperature(1);
  pairs->set_min_margin(0);
  pairs->set_parts(2);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const auto rollouts = ExpandGlob(folder_ + "/run/rollouts/*.jsonl");
  PLUMB_ASSERT_OK(rollouts);
  EXPECT_EQ(rollouts->size(), 4u);  // of two iterations the learnt and the held-out pairs
  const std::vector<Json> steps = Steps();
  ASSERT_EQ(steps.size(), 12u);
  for (const int i : {4, 8}) {
    // Each iteration's reference is the policy as it begins.
    EXPECT_NEAR(steps[i].at("loss"), 0.6931, 1e-3);
    EXPECT_LT(steps[i + 1].at("loss"), steps[i].at("loss"));
  }
  EXPECT_TRUE(FileExists(folder_ + "/run/dno-1/model/model.safetensors"));
  const std::string weights = ReadFile(folder_ + "/run/dno-2/model/model.safetensors").value_or("");
  // A run that goes on finds all as it was; so does one that lost the sampled pairs and the last stage.
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/rollouts"));
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/dno-2"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_EQ(ReadFile(folder_ + "/run/dno-2/model/model.safetensors").value_or(""), weights);

  dno = recipe.mutable_stage(1);
  dno->mutable_objective(0)->mutable_sft();  // rejection sampling fine-tuning
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  dno->mutable_objective(0)->mutable_contrastive_policy_gradient();  // its scores are the rewards
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));

  dno->mutable_objective(0)->mutable_sppo()->set_win_probabilities(Sppo::FROM_SCORES);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[1].on_policy_pairs: score: an objective of this stage takes scores for win "
                        "probabilities"));
  dno->mutable_on_policy_pairs()->set_score(OnPolicyPairs::WIN_RATE);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  dno->mutable_on_policy_pairs()->clear_score();

  dno->mutable_objective(0)->mutable_dpo();
  dno->mutable_on_policy_pairs()->set_part(3);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[1].on_policy_pairs: part: 3 of 2 is none"));
  dno->mutable_on_policy_pairs()->clear_part();
  dno->mutable_objective(0)->mutable_tpo();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(), HasSubstr("looks at what only data has"));
  dno->mutable_objective(0)->mutable_dpo();
  dno->mutable_on_policy_pairs()->set_min_margin(0.999);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(), HasSubstr("no two answers to a prompt"));
  dno->mutable_on_policy_pairs()->set_num_generations(1);
  dno->mutable_on_policy_pairs()->set_with_gold(false);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(), HasSubstr("one answer alone makes no choice"));
}

TEST_F(TrainRecipeTest, AcceleratedIterationsGoOnFromExtrapolatedWeights) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Stage* stage = recipe.mutable_stage(0);
  stage->set_iterations(2);
  const auto weights = [&](const std::string& path) {
    const auto file = Safetensors::Open(folder_ + "/run/" + path + ".safetensors");
    PLUMB_EXPECT_OK(file);
    return file->Get("model.norm.weight").value().clone();
  };
  stage->mutable_accelerated()->set_alpha(0);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const at::Tensor plain = weights("stage-2/model/model");
  stage->clear_accelerated();
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_TRUE(weights("stage-2/model/model").equal(plain));

  stage->mutable_accelerated()->set_alpha(0.5);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const auto start = Safetensors::Open(Golden("trl_dpo/model/model.safetensors"));
  PLUMB_ASSERT_OK(start);
  const at::Tensor zero = start->Get("model.norm.weight").value();
  const at::Tensor one = weights("stage-1/checkpoint-4/parameters");
  const at::Tensor two = weights("stage-2/checkpoint-4/parameters");
  EXPECT_TRUE(weights("stage-1/model/model").allclose(one + 0.5 * (one - zero), 1e-6, 1e-7));
  EXPECT_TRUE(weights("stage-2/model/model").allclose(two + 0.5 * (two - one), 1e-6, 1e-7));
  EXPECT_FALSE(two.allclose(plain, 1e-6, 1e-7));
  // A run that goes on finds the same iterates.
  const at::Tensor last = weights("stage-2/model/model");
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/stage-2"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_TRUE(weights("stage-2/model/model").equal(last));
  stage->mutable_accelerated()->set_extrapolate_last(false);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_TRUE(weights("stage-2/model/model").equal(two));

  recipe.mutable_model()->mutable_lora()->add_target_modules("q_proj");
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[0].accelerated: goes on in the weights"));
}

TEST_F(TrainRecipeTest, ASlowAdapterChasesTheFastOne) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Stage* stage = recipe.mutable_stage(0);
  FastSlow* fast_slow = stage->mutable_fast_slow();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(), HasSubstr("stage[0].fast_slow: is of adapters"));
  Lora* lora = recipe.mutable_model()->mutable_lora();
  lora->add_target_modules("all-linear");
  lora->set_r(4);
  lora->set_lora_alpha(16);
  stage->mutable_training()->set_max_steps(12);
  stage->clear_fast_slow();
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> alone = Steps();

  fast_slow = stage->mutable_fast_slow();
  fast_slow->set_alpha(0.5);
  fast_slow->set_swap_steps(1000);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> chased = Steps();
  ASSERT_EQ(chased.size(), 12u);
  // Both are the reference yet: -log sigmoid(0) for the pair and for the gap.
  EXPECT_NEAR(chased[0].at("loss"), 1.5 * 0.693147, 1e-5);
  EXPECT_NEAR(chased[0].at("fast_slow/loss_slow"), 0.693147, 1e-5);
  EXPECT_NEAR(chased[0].at("fast_slow/gap"), 0, 1e-7);
  // The gap changes the fast one's way, and the slow one stays behind.
  EXPECT_NE(chased[11].at("rewards/margins"), alone[11].at("rewards/margins"));
  EXPECT_GT(chased[11].at("fast_slow/gap"), 0);
  EXPECT_GT(chased[11].at("fast_slow/loss_slow"), alone[11].at("loss"));
  EXPECT_LT(chased[11].at("fast_slow/loss_slow"), 0.693);
  // The model is the fast one alone, the checkpoint has both, and a run that goes on finds them.
  const auto model = Safetensors::Open(folder_ + "/run/stage/model/adapter_model.safetensors");
  PLUMB_ASSERT_OK(model);
  const std::string name = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
  const at::Tensor fast = model->Get(name).value().clone();
  const auto checkpoint = Safetensors::Open(folder_ + "/run/stage/checkpoint-12/parameters.safetensors");
  PLUMB_ASSERT_OK(checkpoint);
  EXPECT_TRUE(checkpoint->Get(name).value().equal(fast));
  EXPECT_FALSE(checkpoint->Get("slow." + name).value().equal(fast));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  // Neither micro-batches nor layers that are computed again change a result.
  stage->mutable_training()->set_max_tokens_per_micro_batch(60);
  stage->mutable_training()->set_gradient_checkpointing(true);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_NEAR(Steps()[11].at("loss"), chased[11].at("loss"), 1e-3);
  EXPECT_NEAR(Steps()[11].at("fast_slow/loss_slow"), chased[11].at("fast_slow/loss_slow"), 1e-3);
  // Two that are as fast as each other, without a gap, are one.
  fast_slow->set_alpha(0);
  fast_slow->set_slow_learning_rate_ratio(1);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_EQ(Steps()[11].at("loss"), Steps()[11].at("fast_slow/loss_slow"));

  recipe = Recipe("sft {}", "preference", Pairs());
  recipe.mutable_model()->mutable_lora()->add_target_modules("q_proj");
  recipe.mutable_stage(0)->mutable_fast_slow();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[0].fast_slow: an objective of this stage does not learn a policy from pairs"));
}

TEST_F(TrainRecipeTest, SurrogatesTakeSeveralStepsOnABatch) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Stage* stage = recipe.mutable_stage(0);
  stage->mutable_training()->set_max_steps(6);
  stage->mutable_optimizer()->mutable_adamw()->set_learning_rate(2e-4);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> plain = Steps();
  stage->mutable_target_surrogate()->set_inner_steps(1);
  stage->mutable_target_surrogate()->set_eta(10);  // 4 / beta^2 by the 40 tokens or so of a pair
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  ASSERT_EQ(Steps().size(), 6u);
  EXPECT_EQ(Steps()[5].at("loss"), plain[5].at("loss"));  // one inner step is the objective's own
  stage->mutable_target_surrogate()->set_inner_steps(3);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> surrogate = Steps();
  EXPECT_EQ(surrogate[0].at("loss"), plain[0].at("loss"));
  EXPECT_LT(surrogate[5].at("loss"), plain[5].at("loss"));
  // Neither micro-batches nor layers that are computed again change a result, and a run that was stopped goes
  // on.
  stage->mutable_training()->set_max_tokens_per_micro_batch(60);
  stage->mutable_training()->set_gradient_checkpointing(true);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_NEAR(Steps()[5].at("loss"), surrogate[5].at("loss"), 1e-3);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));

  stage->mutable_fast_slow();
  recipe.mutable_model()->mutable_lora()->add_target_modules("q_proj");
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[0].target_surrogate: not with fast_slow"));
  recipe = Recipe("tdpo {}", "preference", Pairs());
  recipe.mutable_stage(0)->mutable_target_surrogate();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[0].target_surrogate: an objective of this stage has targets that are no"));
}

TEST_F(TrainRecipeTest, TrainsFromLossesAlone) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Lora* lora = recipe.mutable_model()->mutable_lora();
  lora->set_r(1);
  lora->add_target_modules("q_proj");
  Stage* stage = recipe.mutable_stage(0);
  stage->mutable_optimizer()->mutable_adamw()->set_learning_rate(1e-3);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> exact = Steps();
  // A loss for each weight of the adapter: the gradient that it is, but for mu.
  stage->mutable_zeroth_order()->mutable_sparse_coordinates()->set_density(1);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_EQ(Steps()[0].at("loss"), exact[0].at("loss"));
  EXPECT_NEAR(Steps()[0].at("grad_norm").get<double>() / exact[0].at("grad_norm").get<double>(), 1, 0.05);
  EXPECT_NEAR(Steps()[3].at("loss"), exact[3].at("loss"), 1e-3);
  // ZO-GraSP's densities are known to a run that goes on.
  stage->mutable_zeroth_order()->mutable_sparse_coordinates()->set_density(0.2);
  stage->mutable_zeroth_order()->mutable_sparse_coordinates()->set_pruning_directions(4);
  stage->mutable_training()->set_save_steps(2);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_LT(Steps()[3].at("loss"), exact[0].at("loss").get<double>() - 1e-3);
  const std::string adapter = folder_ + "/run/stage/model/adapter_model.safetensors";
  const std::string weights = ReadFile(adapter).value();
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/stage/checkpoint-4"));
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/stage/model"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_EQ(ReadFile(adapter).value(), weights);

  const auto message = [&] { return std::string(TrainRecipe(recipe, "never").message()); };
  stage->mutable_fast_slow();
  EXPECT_THAT(message(), HasSubstr("stage[0].zeroth_order: not with"));
  recipe = Recipe("kto {}", "unpaired", Pairs());
  recipe.mutable_stage(0)->mutable_zeroth_order();
  EXPECT_THAT(message(), HasSubstr("stage[0].zeroth_order: an objective of this stage keeps a baseline"));
}

TEST_F(TrainRecipeTest, TrainsWithDifferentialPrivacy) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Stage* stage = recipe.mutable_stage(0);
  stage->mutable_training()->set_per_device_train_batch_size(24);  // so that every step takes every example
  stage->mutable_training()->set_max_grad_norm(0);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> plain = Steps();
  // Hardly clipped, and with hardly any noise, it is the training that it was.
  stage->mutable_privacy()->set_noise_multiplier(1e-7);
  stage->mutable_privacy()->set_max_grad_norm(100);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  ASSERT_EQ(Steps().size(), 4u);
  EXPECT_NEAR(Steps()[3].at("loss"), plain[3].at("loss"), 1e-3);
  EXPECT_LT(Steps()[3].at("loss"), 0.9 * plain[0].at("loss").get<double>());
  EXPECT_EQ(Steps()[3].at("clipped_gradients"), 0);

  // A step of 6 of the 18 examples on average.
  stage->mutable_training()->set_per_device_train_batch_size(6);
  stage->mutable_training()->clear_max_grad_norm();
  stage->mutable_privacy()->set_target_epsilon(4);
  stage->mutable_privacy()->set_target_delta(0.01);
  stage->mutable_privacy()->set_max_grad_norm(0.5);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> noisy = Steps();
  EXPECT_EQ(noisy[1].at("clipped_gradients"), 1);
  const auto report = [&] { return ReadFile(folder_ + "/run/report.html").value(); };
  EXPECT_THAT(report(),
              HasSubstr("epsilon 4 at delta 0.01 (4 steps, sampling rate 0.3333, noise multiplier"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));  // nothing is left to do, nor more to tell
  EXPECT_THAT(report(), HasSubstr("epsilon 4 at delta 0.01 (4 steps"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_EQ(Steps()[3].at("loss"), noisy[3].at("loss"));

  const auto message = [&] { return std::string(TrainRecipe(recipe, "never").message()); };
  stage->mutable_training()->set_max_grad_norm(1);
  EXPECT_THAT(message(), HasSubstr("stage[0].training.max_grad_norm: with privacy"));
  stage->mutable_training()->clear_max_grad_norm();
  stage->mutable_fast_slow();
  EXPECT_THAT(message(), HasSubstr("fast_slow"));
  stage->clear_fast_slow();
  stage->mutable_privacy()->clear_target_epsilon();
  EXPECT_THAT(message(), HasSubstr("stage[0].privacy: set target_epsilon or noise_multiplier"));
  stage->mutable_privacy()->set_noise_multiplier(1);
  stage->mutable_objective(0)->mutable_aot();
  stage->mutable_training()->set_max_tokens_per_micro_batch(0);
  EXPECT_THAT(message(), HasSubstr("stage[0].privacy: an objective of this stage compares examples"));
}

// Any optimizer of the oneof, by the same field.
TEST_F(TrainRecipeTest, TrainsByAnyOptimizer) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  OptimizerConfig* optimizer = recipe.mutable_stage(0)->mutable_optimizer();
  recipe.mutable_stage(0)->mutable_training()->set_max_steps(8);
  for (const char* config :
       {"rmsprop { learning_rate: 1e-3 }", "mfac { learning_rate: 0.1 ngrads: 8 damp: 1 }"}) {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(config, optimizer));
    PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
    ASSERT_EQ(Steps().size(), 8u) << config;
    EXPECT_LT(Steps()[7].at("loss"), 0.9 * Steps()[0].at("loss").get<double>()) << config;
  }
}

// Two domains that want the opposite: the second would undo the first.
TEST_F(TrainRecipeTest, DomainsAreCombinedByTheirMemory) {
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", Pairs());
  Lora* lora = recipe.mutable_model()->mutable_lora();
  lora->add_target_modules("all-linear");
  lora->set_lora_alpha(16);
  Stage* first = recipe.mutable_stage(0);
  first->set_name("first");
  first->mutable_training()->set_max_steps(8);
  first->mutable_cross_domain()->set_memory(8);
  Stage* second = recipe.add_stage();
  *second = *first;
  second->set_name("second");
  std::string lines;
  for (Json row : Pairs()) {
    std::swap(row["chosen"], row["rejected"]);
    absl::StrAppend(&lines, row.dump(), "\n");
  }
  const std::string path = folder_ + "/turned.jsonl";
  PLUMB_ASSERT_OK(WriteFileAtomically(path, lines));
  second->mutable_data()->mutable_preference()->add_path(path);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const auto adapter = [&](const std::string& file) {
    const auto opened = Safetensors::Open(absl::StrCat(folder_, "/run/", file, ".safetensors"));
    PLUMB_EXPECT_OK(opened);
    std::map<std::string, at::Tensor> tensors;
    for (const char* part : {"lora_A", "lora_B"}) {
      tensors[part] =
          opened->Get(absl::StrCat("base_model.model.model.layers.0.mlp.up_proj.", part, ".weight"))
              .value()
              .clone();
    }
    return tensors;
  };
  const auto one = adapter("first/checkpoint-8/parameters"), two = adapter("second/checkpoint-8/parameters");
  const auto left = adapter("first/model/adapter_model"), both = adapter("second/model/adapter_model");
  EXPECT_TRUE(left.at("lora_B").equal(one.at("lora_B")));
  // B began at zero in both domains, so that a B_1 + b B_2 is what is left; they all but cancel each other,
  // and the memory wants neither as it is.
  EXPECT_LT((one.at("lora_B") * two.at("lora_B")).sum().item<double>(), 0);
  bool found = false;
  for (int a = 0; a <= 4; ++a) {
    for (int b = 0; b <= 4; ++b) {
      const at::Tensor combined = 0.25 * a * one.at("lora_B") + 0.25 * b * two.at("lora_B");
      if (combined.allclose(both.at("lora_B"), 1e-6, 1e-8)) found = a > 0 || b < 4;
    }
  }
  EXPECT_TRUE(found);
  // A run that goes on combines the same.
  PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/run/second"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  EXPECT_TRUE(adapter("second/model/adapter_model").at("lora_A").equal(both.at("lora_A")));

  recipe.clear_model();
  recipe.mutable_model()->set_pretrained(Golden("trl_dpo/model"));
  EXPECT_THAT(TrainRecipe(recipe, "never").message(), HasSubstr("stage[0].cross_domain: is of adapters"));
  recipe.mutable_model()->mutable_lora()->add_target_modules("q_proj");
  second->mutable_objective(0)->mutable_tdpo();
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[1].cross_domain: the memory keeps a reference's sums"));
  second->mutable_objective(0)->mutable_dpo();
  second->set_merge_adapter(true);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[1].merge_adapter: adapters of domains"));
}

TEST_F(TrainRecipeTest, TellsTheDegreeOfAnswersBesideThePreference) {
  std::vector<Json> rows = Pairs();
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i]["chosen"] = absl::StrCat(" The red house number ", i, " is on the long street, and a small dog.");
  }
  AlignmentRecipe recipe = Recipe("dpo {}", "preference", rows);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> alone = Steps();
  recipe.mutable_stage(0)->mutable_preference_degree()->set_gamma(0.5);
  recipe.mutable_stage(0)->mutable_training()->set_max_steps(12);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> both = Steps();
  ASSERT_EQ(both.size(), 12u);
  const double degree = both[0].at("preference_degree/loss");
  EXPECT_NEAR(degree, 1.0986, 0.05);  // of three classes, by a head that knows nothing
  EXPECT_NEAR(both[0].at("loss").get<double>(), alone[0].at("loss").get<double>() + 0.5 * degree, 1e-5);
  EXPECT_LT(both[11].at("preference_degree/loss"), 0.9 * degree);
  EXPECT_GT(both[11].at("preference_degree/accuracies"), 0.5);
  // The head is no part of the model; a run that goes on has it from the checkpoint.
  const auto model = Safetensors::Open(folder_ + "/run/stage/model/model.safetensors");
  PLUMB_ASSERT_OK(model);
  EXPECT_FALSE(model->Contains("preference_degree.weight"));
  const auto checkpoint = Safetensors::Open(folder_ + "/run/stage/checkpoint-12/parameters.safetensors");
  PLUMB_ASSERT_OK(checkpoint);
  EXPECT_TRUE(checkpoint->Contains("preference_degree.weight"));
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "auto"));
  // Micro-batches change no result.
  recipe.mutable_stage(0)->mutable_training()->set_max_tokens_per_micro_batch(60);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_NEAR(Steps()[11].at("loss"), both[11].at("loss"), 1e-3);
  // Beside the divergence on own answers too.
  recipe.mutable_stage(0)->mutable_on_policy_kl()->set_max_new_tokens(4);
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  EXPECT_TRUE(Steps()[11].contains("kl"));
  EXPECT_TRUE(Steps()[11].contains("preference_degree/loss"));
}

// Two rewards regressed on ratings, and the best answers under the direction that each prompt asks for.
TEST_F(TrainRecipeTest, AnswersInTheDirectionThatPromptsAskFor) {
  std::vector<Json> rows = Pairs();
  for (Json& row : rows) row.update({{"score_chosen", {0.5, -1}}, {"score_rejected", {-0.5, 1}}});
  AlignmentRecipe recipe = Recipe("reward_regression { score_weight: [1, 0] }", "preference", rows);
  recipe.mutable_data()->set_max_length(256);
  recipe.mutable_stage(0)->set_name("helpfulness");
  *recipe.add_stage() = recipe.stage(0);
  recipe.mutable_stage(1)->set_name("verbosity");
  recipe.mutable_stage(1)->mutable_objective(0)->mutable_reward_regression()->set_score_weight(0, 0);
  recipe.mutable_stage(1)->mutable_objective(0)->mutable_reward_regression()->set_score_weight(1, 1);
  Stage* dpa = recipe.add_stage();
  *dpa = recipe.stage(0);
  dpa->set_name("dpa");
  dpa->mutable_objective(0)->mutable_sft();
  dpa->set_iterations(2);
  OnPolicyPairs* pairs = dpa->mutable_on_policy_pairs();
  pairs->add_reward()->set_reward_model("helpfulness");
  pairs->add_reward()->set_reward_model("verbosity");
  pairs->set_num_generations(3);
  pairs->set_max_new_tokens(6);
  pairs->mutable_direction()->add_objective("helpfulness");
  pairs->mutable_direction()->set_instruction("Maximize");
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[2].on_policy_pairs: direction: is between two rewards"));
  pairs->mutable_direction()->add_objective("verbosity");
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::vector<Json> steps = Steps();
  ASSERT_EQ(steps.size(), 16u);
  EXPECT_LT(steps[3].at("loss"), steps[0].at("loss"));
  EXPECT_LT(steps[7].at("loss"), steps[4].at("loss"));
  // The prompts that are learnt have their directions in them, each its own.
  const auto files = ExpandGlob(folder_ + "/run/rollouts/*.train.jsonl");
  PLUMB_ASSERT_OK(files);
  ASSERT_EQ(files->size(), 2u);
  const auto tokenizer = LoadTokenizer(Golden("trl_dpo/model"));
  PLUMB_ASSERT_OK(tokenizer);
  std::set<std::string> told;
  std::istringstream lines(ReadFile(files->front()).value());
  for (std::string line; std::getline(lines, line);) {
    const std::vector<int64_t> ids = Json::parse(line).at("prompt_ids");
    const std::string prompt = (*tokenizer)->Decode(ids, true);
    EXPECT_THAT(prompt, HasSubstr("Maximize helpfulness*"));
    EXPECT_THAT(prompt, HasSubstr(" + verbosity*"));
    EXPECT_THAT(prompt, HasSubstr("Q: "));
    told.insert(prompt.substr(0, prompt.find("Q: ")));
  }
  EXPECT_GT(told.size(), 10u);
}

TEST_F(TrainRecipeTest, MasksComeFromTheData) {
  std::vector<Json> rows = Pairs();
  EXPECT_THAT(TrainRecipe(Recipe("mask_dpo {}", "preference", rows), "never").message(),
              HasSubstr("looks at parts of answers: 0 of 24 pairs have chosen_sentences"));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].update({{"chosen_sentences", {absl::StrCat("It is ", i, "."), "Surely."}},
                    {"chosen_mask", {1, 0}},
                    {"rejected_sentences", {"Ask again."}},
                    {"rejected_mask", {0}}});
  }
  // Of the rejected answers, what comes after the sentence counts.
  PLUMB_ASSERT_OK(TrainRecipe(Recipe("mask_dpo {}", "preference", rows), "never"));
  EXPECT_LT(Steps()[3].at("loss"), Steps()[0].at("loss"));
  EXPECT_NEAR(Steps()[0].at("loss"), 0.6931, 1e-3);
}

TEST_F(TrainRecipeTest, GoldAnswersComeFromTheData) {
  std::vector<Json> rows = Pairs();
  EXPECT_THAT(TrainRecipe(Recipe("tpo {}", "preference", rows), "never").message(),
              HasSubstr("learns gold answers: 0 of 24 pairs have a reference"));
  for (size_t i = 0; i < rows.size(); ++i) rows[i]["reference"] = absl::StrCat(" Number ", i);
  PLUMB_ASSERT_OK(TrainRecipe(Recipe("tpo {}", "preference", rows), "never"));
  EXPECT_LT(Steps()[3].at("loss"), Steps()[0].at("loss"));
}

TEST_F(TrainRecipeTest, AnswersWithLabels) {
  std::vector<Json> rows;
  for (const Json& pair : Pairs()) {
    const bool label = rows.size() % 3 == 0;
    rows.push_back({{"prompt", pair.at("prompt")},
                    {"completion", pair.at(label ? "chosen" : "rejected")},
                    {"label", label}});
  }
  for (const char* objective : {"kto {}", "bco {}", "apo_zero_unpaired {}"}) {
    AlignmentRecipe recipe = Recipe(objective, "unpaired", rows);
    PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
    ASSERT_EQ(Steps().size(), 4u) << objective;
    EXPECT_EQ(Steps()[0].contains("kl"), std::string(objective) == "kto {}");
    EXPECT_LT(Steps()[3].at("loss"), Steps()[0].at("loss")) << objective;
    // Another run finds the same numbers in the cache of the first.
    const double loss = Steps()[3].at("loss");
    EXPECT_TRUE(ExpandGlob(folder_ + "/run/reference_cache/*.safetensors").ok());
    PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
    EXPECT_EQ(Steps()[3].at("loss"), loss);
    recipe.mutable_stage(0)->mutable_reference()->set_precompute(false);
    PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
    EXPECT_NEAR(Steps()[3].at("loss"), loss, 1e-4 * loss);
  }
  AlignmentRecipe lonely = Recipe("kto {}", "unpaired", rows);
  lonely.mutable_stage(0)->mutable_training()->set_per_device_train_batch_size(1);
  EXPECT_THAT(TrainRecipe(lonely, "never").message(),
              HasSubstr("stage[0].training.per_device_train_batch_size: an objective of this stage"));
  EXPECT_EQ(TrainRecipe(Recipe("kto {}", "preference", rows), "never").message(),
            "stage[0]: no data: data.unpaired names it");
}

// What one stage holds out the other must not learn: both answers of a pair are held out, or neither, and the
// same pairs as by a stage that reads pairs.
TEST_F(TrainRecipeTest, BothAnswersOfAPairAreHeldOut) {
  AlignmentRecipe recipe = Recipe("kto {}", "unpaired", Pairs());
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  Stage* dpo = recipe.add_stage();
  *dpo = recipe.stage(0);
  dpo->set_name("dpo");
  dpo->mutable_objective(0)->mutable_dpo();
  *recipe.mutable_data()->mutable_preference() = recipe.data().unpaired();
  PLUMB_ASSERT_OK(TrainRecipe(recipe, "never"));
  const std::string facts = ReadFile(folder_ + "/run/facts.json").value_or("");
  EXPECT_THAT(facts, HasSubstr("36 examples, 12 held out, 18 good and 18 bad"));
  EXPECT_THAT(facts, HasSubstr("18 examples, 6 held out"));
  recipe.mutable_data()->mutable_preference()->set_max_examples(20);
  recipe.mutable_data()->mutable_unpaired()->set_max_examples(20);
  EXPECT_THAT(TrainRecipe(recipe, "never").message(),
              HasSubstr("stage[1].data: reads the files of stage[0]"));
}

}  // namespace
}  // namespace plumb
