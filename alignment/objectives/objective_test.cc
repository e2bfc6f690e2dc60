#include "alignment/objectives/objective.h"

#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(Objective, EveryFieldOfTheOneofHasItsMethod) {
  const auto* oneof = ObjectiveConfig::descriptor()->FindOneofByName("objective");
  for (int i = 0; i < oneof->field_count(); ++i) {
    ObjectiveConfig config;
    config.GetReflection()->MutableMessage(&config, oneof->field(i));
    const auto objective = Objective::Create(config);
    PLUMB_ASSERT_OK(objective);
    EXPECT_EQ(objective->name(), oneof->field(i)->name());
    EXPECT_EQ(objective->weight(), 1);
  }
}

TEST(Objective, RefusesAConfigThatNamesNone) {
  ObjectiveConfig config;
  config.set_weight(2);
  const auto objective = Objective::Create(config);
  EXPECT_EQ(objective.status().message(),
            "objective: no method is named; write, for instance, dpo { beta: 0.1 }");
}

TEST(PreferenceInputs, AreTiedToTraits) {
  const auto needed = [](const ObjectiveTraits& traits) {
    std::vector<std::string> names;
    for (const PreferenceInput& input : PreferenceInputs()) {
      if (input.needed(traits)) names.push_back(input.name);
    }
    return names;
  };
  EXPECT_EQ(needed(MakeObjective("dpo {}").traits()),
            (std::vector<std::string>{"policy_chosen_logps", "policy_rejected_logps",
                                      "reference_chosen_logps", "reference_rejected_logps"}));
  EXPECT_EQ(needed(MakeObjective("sft {}").traits()),
            (std::vector<std::string>{"policy_chosen_logps", "chosen_length"}));
  EXPECT_EQ(needed(MakeObjective("reward {}").traits()),
            (std::vector<std::string>{"rewards_chosen", "rewards_rejected"}));
  EXPECT_EQ(
      needed(MakeObjective("modpo {}").traits()),
      (std::vector<std::string>{"policy_chosen_logps", "policy_rejected_logps", "reference_chosen_logps",
                                "reference_rejected_logps", "score_chosen", "score_rejected"}));
  ObjectiveTraits mask;
  mask.needs_token_mask = true;
  mask.needs_rejected = false;
  EXPECT_EQ(needed(mask),
            (std::vector<std::string>{"policy_chosen_logps", "chosen_length", "chosen_token_mask"}));
  ObjectiveTraits tokens;
  tokens.needs_token_logps = tokens.needs_vocab_divergence = true;
  EXPECT_EQ(needed(tokens), (std::vector<std::string>{
                                "policy_chosen_logps", "policy_rejected_logps", "chosen_length",
                                "rejected_length", "policy_chosen_token_logps", "policy_rejected_token_logps",
                                "chosen_token_kl", "rejected_token_kl"}));
}

}  // namespace
}  // namespace plumb
