#include "alignment/loss_calculator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "alignment/objectives/objective_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using nlohmann::json;

constexpr char kPair[] =
    R"({"policy_chosen_logps": -10.5, "policy_rejected_logps": -12, "reference_chosen_logps": -11,
        "reference_rejected_logps": -11.25, "chosen_length": 7, "rejected_length": 8})";

json LossOf(const std::string& objective, const std::string& pair) {
  const auto line = LossOfJson(MakeObjective(objective), pair);
  EXPECT_TRUE(line.ok()) << line.status();
  return line.ok() ? json::parse(*line) : json();
}

std::string ErrorOf(const std::string& objective, const std::string& pair) {
  return std::string(LossOfJson(MakeObjective(objective), pair).status().message());
}

TEST(LossCalculator, GivesLossRewardsMarginAndGradients) {
  const json result = LossOf("dpo { beta: 0.1 }", kPair);
  const double d = 0.5 + 0.75, slope = -0.1 / (1 + std::exp(0.1 * d));
  EXPECT_NEAR(result["loss"], -LogSigmoid(0.1 * d), 1e-15);
  EXPECT_NEAR(result["rewards_chosen"], 0.05, 1e-15);
  EXPECT_NEAR(result["rewards_rejected"], -0.075, 1e-15);
  EXPECT_NEAR(result["margin"], 0.125, 1e-15);
  const json& gradients = result["gradients"];
  EXPECT_EQ(gradients.size(), 6);
  EXPECT_NEAR(gradients["policy_chosen_logps"], slope, 1e-15);
  EXPECT_NEAR(gradients["policy_rejected_logps"], -slope, 1e-15);
  EXPECT_NEAR(gradients["reference_chosen_logps"], -slope, 1e-15);
  EXPECT_NEAR(gradients["reference_rejected_logps"], slope, 1e-15);
  EXPECT_EQ(gradients["chosen_length"], 0);
  EXPECT_EQ(gradients["rejected_length"], 0);
}

TEST(LossCalculator, ScoresAreNumbersOrArrays) {
  const auto with_scores = [](const std::string& chosen, const std::string& rejected) {
    return R"({"policy_chosen_logps": -10.5, "policy_rejected_logps": -12, "reference_chosen_logps": -11,
        "reference_rejected_logps": -11.25, "score_chosen": )" +
           chosen + R"(, "score_rejected": )" + rejected + "}";
  };
  const double d = 0.1 * (0.5 + 0.75);
  const json one = LossOf("modpo { weight: 0.5 }", with_scores("2", "1"));
  EXPECT_NEAR(one["loss"], -LogSigmoid((d - 0.5) / 0.5), 1e-15);
  EXPECT_NEAR(one["gradients"]["score_chosen"], 1 / (1 + std::exp((d - 0.5) / 0.5)), 1e-15);
  const json two = LossOf("modpo { weight: 0.5 other_weight: [1, 3] }", with_scores("[2, 1]", "[1, 1]"));
  EXPECT_NEAR(two["loss"], -LogSigmoid((d - 1) / 0.5), 1e-15);
  EXPECT_EQ(two["gradients"]["score_rejected"].size(), 2);
  EXPECT_EQ(ErrorOf("modpo {}", kPair), "score_chosen: is missing; modpo needs it");
  EXPECT_EQ(ErrorOf("modpo { other_weight: 1 }", with_scores("[2, 1]", "[1, 1]")),
            "score_chosen: has 2 numbers; modpo needs 1");
  EXPECT_EQ(ErrorOf("modpo {}", with_scores("[2, 1]", "1")), "score_rejected: has 1 numbers; modpo needs 2");
  EXPECT_EQ(ErrorOf("modpo {}", with_scores("[]", "[]")), "score_chosen: has 0 numbers; modpo needs 1");
}

TEST(LossCalculator, AnswersWithLabelsHaveOneReward) {
  const auto with_label = [](const std::string& label) {
    return R"({"policy_chosen_logps": -10, "reference_chosen_logps": -11, "baseline": 0.25, "label": )" +
           label + "}";
  };
  const json good = LossOf("kto {}", with_label("1")), bad = LossOf("kto {}", with_label("0"));
  EXPECT_NEAR(good["loss"], 1 / (1 + std::exp(0.075)), 1e-15);
  EXPECT_NEAR(bad["loss"], 1 / (1 + std::exp(-0.075)), 1e-15);
  EXPECT_NEAR(good["reward"], 0.1, 1e-15);
  EXPECT_EQ(good["kl"], 0.25);
  EXPECT_FALSE(good.contains("margin"));
  EXPECT_EQ(ErrorOf("kto {}", with_label("2")), "label: 2 is not 1 (good) or 0 (bad)");
  EXPECT_EQ(ErrorOf("bco {}", kPair), "label: is missing; bco needs it");
}

TEST(LossCalculator, NumbersKeepTheirF64) {
  const json result = LossOf("sft {}", R"({"policy_chosen_logps": -0.1, "chosen_length": 3})");
  EXPECT_EQ(result["loss"].get<double>(), 0.1 / 3.0);
  EXPECT_FALSE(result.contains("margin"));
}

TEST(LossCalculator, WeighsTheLoss) {
  const double plain = LossOf("dpo {}", kPair)["loss"];
  const json weighted = LossOf("dpo {} weight: 0.25", kPair);
  EXPECT_DOUBLE_EQ(weighted["loss"], 0.25 * plain);
  EXPECT_DOUBLE_EQ(weighted["gradients"]["policy_chosen_logps"],
                   0.25 * LossOf("dpo {}", kPair)["gradients"]["policy_chosen_logps"].get<double>());
}

TEST(LossCalculator, WhatIsNotFiniteIsNamed) {
  const json result = LossOf("reward { center_rewards_coefficient: 1 }",
                             R"({"rewards_chosen": 1e200, "rewards_rejected": 1e200})");
  EXPECT_EQ(result["loss"], "Infinity");
}

TEST(LossCalculator, ErrorsNameTheField) {
  EXPECT_EQ(ErrorOf("dpo {}", R"({"policy_chosen_logps": -1, "policy_rejected_logps": -2})"),
            "reference_chosen_logps: is missing; dpo needs it");
  EXPECT_EQ(ErrorOf("reward {}", kPair), "rewards_chosen: is missing; reward needs it");
  EXPECT_EQ(ErrorOf("dpo {}", R"({"policy_chosen_logp": -1})"),
            "policy_chosen_logp: there is no such input; did you mean 'policy_chosen_logps'?");
  EXPECT_EQ(ErrorOf("dpo {}", R"({"policy_chosen_logps": "-1"})"),
            "policy_chosen_logps: \"-1\" is not a number");
  EXPECT_EQ(ErrorOf("sft {}", R"({"policy_chosen_logps": -1, "chosen_length": 0})"),
            "chosen_length: 0 is not a number of tokens: 1, 2, 3, ...");
  EXPECT_EQ(ErrorOf("sft {}", R"({"policy_chosen_logps": -1, "chosen_length": 2, "chosen_token_kl": [1]})"),
            "chosen_token_kl: has 1 numbers for 2 tokens");
  EXPECT_EQ(ErrorOf("sft {}", R"({"policy_chosen_logps": -1, "chosen_length": 2, "chosen_token_kl": 1})"),
            "chosen_token_kl: an array is expected, with a number a token");
  for (const char* text : {"", "[1]", "{\"policy_chosen_logps\": -1", "{\"margin\": 1e999}", "{} {}"}) {
    EXPECT_FALSE(LossOfJson(MakeObjective("sft {}"), text).ok()) << text;
  }
}

}  // namespace
}  // namespace plumb
