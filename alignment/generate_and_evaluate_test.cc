#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/generate_recipe.h"
#include "alignment/recipe_checks.h"
#include "common/data/tokenizer.h"
#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/nn/rollout_logps.h"
#include "common/program/interrupt.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/trl_dpo/" + path); }

class GenerateAndEvaluate : public testing::Test {
 protected:
  ~GenerateAndEvaluate() override { SetInterruptRequested(false); }

  static GenerateRecipe Generation() {
    GenerateRecipe recipe;
    recipe.mutable_model()->set_pretrained(Golden("model"));
    recipe.mutable_generation()->set_max_new_tokens(2);
    recipe.add_prompt("Q: Hi");
    return recipe;
  }

  static EvaluateRecipe Evaluation() {
    EvaluateRecipe recipe;
    recipe.mutable_model()->set_pretrained(Golden("model"));
    recipe.mutable_data()->mutable_preference()->add_path(Golden("eval.jsonl"));
    recipe.mutable_data()->set_max_length(128);
    return recipe;
  }

  static std::string Generate(const GenerateRecipe& recipe) {
    std::istringstream input;
    std::ostringstream output;
    const absl::Status status = GenerateFromRecipe(recipe, input, output);
    return status.ok() ? output.str() : std::string(status.message());
  }

  static std::string Evaluate(const EvaluateRecipe& recipe) {
    const auto figures = EvaluateFromRecipe(recipe);
    return std::string(figures.status().message());
  }
};

// The model, with a chat template that is not known.
std::string FolderWithAnUnknownTemplate() {
  const std::string folder = TemporaryFolder();
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                           "tokenizer_config.json"}) {
    const std::string contents = ReadFile(Golden(absl::StrCat("model/", name))).value();
    PLUMB_EXPECT_OK(WriteFileAtomically(absl::StrCat(folder, "/", name), contents));
  }
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/chat_template.jinja", "{{ messages[0].content }}"));
  return folder;
}

TEST_F(GenerateAndEvaluate, AnUnknownTemplateIsNoHarmToPlainText) {
  const std::string folder = FolderWithAnUnknownTemplate();
  EvaluateRecipe evaluation = Evaluation();
  evaluation.mutable_model()->set_pretrained(folder);
  EXPECT_EQ(Evaluate(evaluation), "");
  GenerateRecipe generation = Generation();
  generation.mutable_model()->set_pretrained(folder);
  EXPECT_TRUE(
      absl::StartsWith(Generate(generation), "prompt[0]: the tokenizer's chat template is none of those"));
  generation.set_chat_template("none");
  EXPECT_TRUE(absl::StartsWith(Generate(generation), "Q: Hi"));
}

TEST_F(GenerateAndEvaluate, AnswersWithLabelsHaveTheFiguresOfTheirPairs) {
  EvaluateRecipe pairs = Evaluation();
  pairs.mutable_reference()->set_pretrained(Golden("model"));
  EvaluateRecipe answers = pairs;  // a pair is read as two answers
  *answers.mutable_data()->mutable_unpaired() = pairs.data().preference();
  const auto expected = EvaluateFromRecipe(pairs), figures = EvaluateFromRecipe(answers);
  PLUMB_ASSERT_OK(expected);
  PLUMB_ASSERT_OK(figures);
  EXPECT_EQ(figures->at("examples"), 2 * expected->at("examples"));
  for (const char* name : {"logps/chosen", "logps/rejected", "perplexity/chosen", "perplexity/rejected"}) {
    EXPECT_NEAR(figures->at(name), expected->at(name), 1e-4 * std::abs(expected->at(name))) << name;
  }
  for (const char* name : {"rewards/chosen", "rewards/rejected", "rewards/margins", "kl/token"}) {
    EXPECT_NEAR(figures->at(name), 0, 1e-4) << name;
  }
}

TEST_F(GenerateAndEvaluate, ToolsOfPromptsReachTheTemplate) {
  const std::string path = TemporaryFolder() + "/rows.jsonl";
  PLUMB_ASSERT_OK(WriteFileAtomically(path, R"({"prompt": "Hi", "tools": [{"name": "f"}]})"));
  GenerateRecipe recipe = Generation();
  recipe.clear_prompt();
  recipe.mutable_prompts()->add_path(path);
  recipe.set_chat_template("chatml");
  EXPECT_TRUE(
      absl::StartsWith(Generate(recipe), path + ":1: tools: the chat template chatml has no place for tools"))
      << Generate(recipe);
}

TEST_F(GenerateAndEvaluate, APromptWithoutTokensIsNamed) {
  GenerateRecipe recipe = Generation();
  recipe.add_prompt("");
  EXPECT_EQ(Generate(recipe), "prompt[1]: the prompt has no tokens");
}

TEST_F(GenerateAndEvaluate, OnlyAPretrainedModelIsAsked) {
  GenerateRecipe generation = Generation();
  generation.mutable_model()->mutable_from_scratch();
  EXPECT_EQ(Generate(generation), "model: expected pretrained, a Hugging Face folder");
  EvaluateRecipe evaluation = Evaluation();
  evaluation.mutable_reference()->mutable_from_scratch();
  EXPECT_EQ(Evaluate(evaluation), "reference: expected pretrained, a Hugging Face folder");
  evaluation.mutable_model()->mutable_from_scratch();
  EXPECT_EQ(Evaluate(evaluation), "model: expected pretrained, a Hugging Face folder");
}

TEST_F(GenerateAndEvaluate, AnotherVocabularyIsNamed) {
  ModelConfig model, other;
  model.vocab_size = 512;
  other.vocab_size = 32000;
  PLUMB_EXPECT_OK(CheckSameVocabulary(model, model, "reference"));
  EXPECT_EQ(CheckSameVocabulary(other, model, "reference").message(),
            "reference: its vocabulary has 32000 tokens, the model's 512");
}

TEST_F(GenerateAndEvaluate, AMissingFolderOfTheOutputIsToldBeforeTheWork) {
  const std::string expected = "output_file: /nowhere/rows: there is no folder /nowhere";
  GenerateRecipe generation = Generation();
  generation.mutable_model()->set_pretrained("/not/looked/at");
  generation.set_output_file("/nowhere/rows");
  EXPECT_EQ(Generate(generation), expected);
  EvaluateRecipe evaluation = Evaluation();
  evaluation.mutable_model()->set_pretrained("/not/looked/at");
  evaluation.set_output_file("/nowhere/rows");
  EXPECT_EQ(Evaluate(evaluation), expected);
}

// What DPO made of the model.
std::string TrainedFolder() {
  const std::string folder = TemporaryFolder();
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    const std::string contents = ReadFile(Golden(absl::StrCat("model/", name))).value();
    PLUMB_EXPECT_OK(WriteFileAtomically(absl::StrCat(folder, "/", name), contents));
  }
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/model.safetensors",
                                      ReadFile(Golden("final/model.safetensors")).value()));
  return folder;
}

using Json = nlohmann::json;

std::vector<Json> Rows(const std::string& path) {
  std::vector<Json> rows;
  std::istringstream lines(ReadFile(path).value_or(""));
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

std::vector<float> TokenLogps(const std::string& folder, const std::vector<int64_t>& prompt,
                              const std::vector<int64_t>& answer) {
  auto model = LoadCausalLm(folder);
  PLUMB_EXPECT_OK(model);
  const at::Tensor logps =
      RolloutLogps(**model, PackRollouts(prompt, std::vector<std::vector<int64_t>>{answer})).detach();
  return {logps.const_data_ptr<float>(), logps.const_data_ptr<float>() + logps.numel()};
}

TEST_F(GenerateAndEvaluate, CreditOfEachToken) {
  const std::string trained = TrainedFolder();
  EvaluateRecipe recipe = Evaluation();
  recipe.mutable_model()->set_pretrained(trained);
  recipe.set_credit_file(TemporaryFolder() + "/credit.jsonl");
  recipe.set_beta(0.3);
  EXPECT_EQ(Evaluate(recipe), "credit_file: a token's credit is against a reference; name one");
  recipe.mutable_reference()->set_pretrained(Golden("model"));
  const auto figures = EvaluateFromRecipe(recipe);
  PLUMB_ASSERT_OK(figures);
  const std::vector<Json> rows = Rows(recipe.credit_file());
  ASSERT_EQ(rows.size(), figures->at("examples"));
  const auto tokenizer = LoadTokenizer(trained);
  PLUMB_ASSERT_OK(tokenizer);
  for (const char* name : {"chosen", "rejected"}) {
    double sum = 0;
    for (const Json& row : rows) {
      for (const double credit : row.at(name).at("credit")) sum += credit;
      EXPECT_EQ(row.at(name).at("tokens").size(), row.at(name).at("credit").size());
    }
    EXPECT_NEAR(sum / static_cast<double>(rows.size()), figures->at(std::string("rewards/") + name), 1e-4);
  }
  const Json& answer = rows[3].at("rejected");
  const std::vector<int64_t> prompt = (*tokenizer)->Encode(rows[3].at("prompt").get<std::string>(), true);
  const std::vector<int64_t> ids = answer.at("token_ids");
  const std::vector<float> policy = TokenLogps(trained, prompt, ids);
  const std::vector<float> reference = TokenLogps(Golden("model"), prompt, ids);
  ASSERT_EQ(policy.size(), answer.at("credit").size());
  for (size_t t = 0; t < ids.size(); ++t) {
    EXPECT_NEAR(answer.at("credit")[t].get<double>(), 0.3 * (policy[t] - reference[t]), 1e-5) << t;
    EXPECT_EQ(answer.at("tokens")[t], (*tokenizer)->Decode({ids[t]}, false));
  }

  EvaluateRecipe answers = recipe;
  *answers.mutable_data()->mutable_unpaired() = recipe.data().preference();
  PLUMB_ASSERT_OK(EvaluateFromRecipe(answers));
  const std::vector<Json> one_by_one = Rows(recipe.credit_file());
  ASSERT_EQ(one_by_one.size(), 2 * rows.size());
  for (const Json& row : one_by_one) EXPECT_TRUE(row.contains("label"));
  for (size_t t = 0; t < ids.size(); ++t) {
    EXPECT_NEAR(one_by_one[7].at("completion").at("credit")[t].get<double>(),
                answer.at("credit")[t].get<double>(), 1e-5);
  }
}

TEST_F(GenerateAndEvaluate, ExplicitRewardsBesideImplicitOnes) {
  const std::string folder = Runfile("alignment/testdata/trl_reward/model");
  EvaluateRecipe recipe = Evaluation();
  recipe.set_reward_model(folder);
  const auto figures = EvaluateFromRecipe(recipe);
  PLUMB_ASSERT_OK(figures);

  // Text by text.
  const auto model = LoadRewardModel(folder);
  const auto tokenizer = LoadTokenizer(Golden("model"));
  PLUMB_ASSERT_OK(model);
  PLUMB_ASSERT_OK(tokenizer);
  const auto reward = [&](const Json& row, const char* answer) {
    std::vector<int64_t> ids = (*tokenizer)->Encode(row.at("prompt").get<std::string>(), true);
    const std::vector<int64_t> rest = (*tokenizer)->Encode(row.at(answer).get<std::string>(), false);
    ids.insert(ids.end(), rest.begin(), rest.end());
    ids.push_back(*(*tokenizer)->eos_token_id());
    const PackedTokens tokens = PackSequences({ids});
    return model->Rewards(model->body->Hidden(tokens).narrow(0, tokens.size() - 1, 1)).item<double>();
  };
  double chosen = 0, rejected = 0, right = 0;
  const std::vector<Json> rows = Rows(Golden("eval.jsonl"));
  ASSERT_EQ(rows.size(), figures->at("examples"));
  const auto count = static_cast<double>(rows.size());
  for (const Json& row : rows) {
    const double good = reward(row, "chosen"), bad = reward(row, "rejected");
    chosen += good / count;
    rejected += bad / count;
    right += (good > bad) / count;
  }
  EXPECT_NEAR(figures->at("reward_model/chosen"), chosen, 1e-4);
  EXPECT_NEAR(figures->at("reward_model/rejected"), rejected, 1e-4);
  EXPECT_NEAR(figures->at("reward_model/margins"), chosen - rejected, 1e-4);
  EXPECT_NEAR(figures->at("reward_model/accuracies"), right, 1e-9);

  EvaluateRecipe answers = recipe;
  *answers.mutable_data()->mutable_unpaired() = recipe.data().preference();
  const auto one_by_one = EvaluateFromRecipe(answers);
  PLUMB_ASSERT_OK(one_by_one);
  for (const char* name : {"reward_model/chosen", "reward_model/rejected", "reward_model/margins"}) {
    EXPECT_NEAR(one_by_one->at(name), figures->at(name), 1e-4) << name;
  }

  EvaluateRecipe text = recipe;
  *text.mutable_data()->mutable_text() = recipe.data().preference();
  text.mutable_data()->clear_preference();
  EXPECT_EQ(Evaluate(text), "reward_model: scores answers; expected data.preference or data.unpaired");
}

TEST_F(GenerateAndEvaluate, BeamSearchByLikelihoodAndByValue) {
  const std::string trained = TrainedFolder();
  GenerateRecipe recipe = Generation();
  recipe.mutable_model()->set_pretrained(trained);
  recipe.mutable_generation()->set_max_new_tokens(6);
  recipe.mutable_beam_search()->set_num_beams(4);
  recipe.mutable_beam_search()->set_length_penalty(0);
  recipe.set_num_return_sequences(2);
  recipe.set_output_file(TemporaryFolder() + "/rows.jsonl");
  for (const bool by_value : {false, true}) {
    if (by_value) recipe.mutable_beam_search()->mutable_reference()->set_pretrained(Golden("model"));
    EXPECT_EQ(Generate(recipe), "");
    const std::vector<Json> rows = Rows(recipe.output_file());
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_GE(rows[0].at("score"), rows[1].at("score"));
    if (by_value) {
      EXPECT_GT(rows[0].at("score"), 0);
    } else {
      EXPECT_LT(rows[0].at("score"), 0);
    }
  }
  recipe.clear_output_file();
  EXPECT_TRUE(absl::StartsWith(Generate(recipe), "--- Q: Hi\n"));
  recipe.set_num_return_sequences(5);
  EXPECT_EQ(Generate(recipe), "num_return_sequences: 5 is more than beam_search.num_beams, 4");
  recipe.mutable_generation()->set_top_p(0.9);
  EXPECT_EQ(Generate(recipe), "generation.top_p: a beam search has no place for it; leave it out");
}

TEST_F(GenerateAndEvaluate, AnswersToAPromptMakeARow) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(
      folder + "/rows.jsonl",
      R"({"prompt": "Q: What", "needed_tools": ["f"], "completions": ["old"], "scores": [1]}
{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}], "id": 2}
)"));
  GenerateRecipe recipe = Generation();
  recipe.set_num_return_sequences(3);
  recipe.mutable_generation()->set_do_sample(true);
  recipe.set_group_completions(true);
  EXPECT_EQ(Generate(recipe), "group_completions: is of the rows of output_file; name one");
  recipe.set_output_file(folder + "/answers.jsonl");
  recipe.mutable_prompts()->add_path(folder + "/rows.jsonl");
  recipe.mutable_prompts()->set_max_examples(1);
  EXPECT_EQ(Generate(recipe), "");
  const std::vector<Json> grouped = Rows(recipe.output_file());
  recipe.set_group_completions(false);
  EXPECT_EQ(Generate(recipe), "");
  const std::vector<Json> one_by_one = Rows(recipe.output_file());
  ASSERT_EQ(grouped.size(), 2u);
  ASSERT_EQ(one_by_one.size(), 6u);
  for (size_t i = 0; i < one_by_one.size(); ++i) {
    EXPECT_EQ(grouped[i / 3].at("prompt"), one_by_one[i].at("prompt"));
    EXPECT_EQ(grouped[i / 3].at("completions")[i % 3], one_by_one[i].at("completion"));
    EXPECT_EQ(grouped[i / 3].at("finish_reasons")[i % 3], one_by_one[i].at("finish_reason"));
  }
  EXPECT_EQ(grouped[0].size(), 3u);
  EXPECT_EQ(grouped[1].at("needed_tools"), Json::parse(R"(["f"])"));
  EXPECT_EQ(grouped[1].count("scores"), 0u);

  // Of a conversation, answers are messages, and the prompt is what was asked.
  recipe.clear_prompt();
  recipe.mutable_prompts()->clear_max_examples();
  recipe.set_group_completions(true);
  recipe.set_chat_template("chatml");
  recipe.set_system("Be kind.");
  EXPECT_EQ(Generate(recipe), "");
  const Json last = Rows(recipe.output_file()).at(1);
  EXPECT_EQ(last.at("prompt"), Json::parse(R"([{"role": "system", "content": "Be kind."},
                                               {"role": "user", "content": "Hi"}])"));
  EXPECT_EQ(last.at("completions")[2].at(0).at("role"), "assistant");
  EXPECT_EQ(last.at("id"), 2);
  EXPECT_EQ(last.count("messages"), 0u);
}

TEST_F(GenerateAndEvaluate, ABeamSearchScoresTheRow) {
  GenerateRecipe recipe = Generation();
  recipe.mutable_beam_search()->set_num_beams(3);
  recipe.set_num_return_sequences(3);
  recipe.set_group_completions(true);
  recipe.set_output_file(TemporaryFolder() + "/rows.jsonl");
  EXPECT_EQ(Generate(recipe), "");
  const Json row = Rows(recipe.output_file()).at(0);
  ASSERT_EQ(row.at("completions").size(), 3u);
  ASSERT_EQ(row.at("scores").size(), 3u);
  EXPECT_GE(row.at("scores")[0], row.at("scores")[1]);
}

// Interrupts as soon as something is written.
class InterruptingBuffer : public std::stringbuf {
 protected:
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    SetInterruptRequested(true);
    return std::stringbuf::xsputn(text, size);
  }
};

TEST_F(GenerateAndEvaluate, AnInterruptStopsAtTheNextToken) {
  GenerateRecipe recipe = Generation();
  for (const char* expected : {"stopped after 0 of 1 prompts", "stopped after 1 of 2 prompts"}) {
    recipe.set_batch_size(1);
    InterruptingBuffer buffer;
    std::ostream output(&buffer);
    std::istringstream input;
    SetInterruptRequested(false);
    const absl::Status status = GenerateFromRecipe(recipe, input, output);
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(status.message(), expected);
    EXPECT_TRUE(absl::EndsWith(buffer.str(), "\n"));
    recipe.add_prompt("Q: What");
  }
  recipe.set_output_file(TemporaryFolder() + "/rows");
  EXPECT_EQ(Generate(recipe),
            absl::StrCat("stopped after 0 of 3 prompts; ", recipe.output_file(), " is not written"));
  const auto figures = EvaluateFromRecipe(Evaluation());
  EXPECT_EQ(figures.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(figures.status().message(), "stopped after 0 of 12 examples");
}

}  // namespace
}  // namespace plumb
