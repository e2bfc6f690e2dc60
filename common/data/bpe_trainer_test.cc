#include "common/data/bpe_trainer.h"

#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

nlohmann::json Golden() {
  return nlohmann::json::parse(ReadFile(Runfile("common/data/testdata/bpe_trainer.json")).value());
}

BpeTrainer TrainerOn(const nlohmann::json& texts) {
  BpeTrainer trainer;
  for (const auto& text : texts) PLUMB_EXPECT_OK(trainer.Add(text.get<std::string>()));
  return trainer;
}

TEST(BpeTrainerTest, LearnsWhatTokenizersLearns) {
  const nlohmann::json golden = Golden();
  const BpeTrainer trainer = TrainerOn(golden["texts"]);
  for (const auto& run : golden["runs"]) {
    const auto vocabulary =
        trainer.Train(run["vocab_size"], golden["special_tokens"].get<std::vector<std::string>>());
    PLUMB_ASSERT_OK(vocabulary);
    EXPECT_EQ(vocabulary->tokens, run["tokens"].get<std::vector<std::string>>());
    EXPECT_EQ(vocabulary->merges, (run["merges"].get<std::vector<std::pair<std::string, std::string>>>()));
  }
}

TEST(BpeTrainerTest, TheFilesHoldTheVocabulary) {
  const nlohmann::json golden = Golden();
  const auto files = TrainChatTokenizer(TrainerOn(golden["texts"]), 300, 512);
  PLUMB_ASSERT_OK(files);
  const auto tokenizer = nlohmann::json::parse(files->tokenizer_json);
  EXPECT_EQ(tokenizer["model"]["vocab"].size(), 300);
  EXPECT_EQ(tokenizer["model"]["merges"].size(), 300 - 256 - 3);
  EXPECT_EQ(tokenizer["added_tokens"][2]["content"], "<|im_end|>");
  const auto config = nlohmann::json::parse(files->tokenizer_config_json);
  EXPECT_EQ(config["eos_token"], "<|im_end|>");
  EXPECT_EQ(config["model_max_length"], 512);
}

TEST(BpeTrainerTest, RefusesWhatCannotBe) {
  BpeTrainer trainer;
  EXPECT_EQ(trainer.Add("ab\xff").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(trainer.Train(200, {}).status().message(),
            "vocab_size: 200, but the bytes and special tokens alone are 256");
}

}  // namespace
}  // namespace plumb
