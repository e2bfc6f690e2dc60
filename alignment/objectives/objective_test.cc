#include "alignment/objectives/objective.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "alignment/objectives/objective_testing.h"
#include "common/config/recipe.h"
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

TEST(Objective, RefusesOptionsThatWouldBeIgnored) {
  const auto message_of = [](const std::string& text) {
    ObjectiveConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    return std::string(Objective::Create(config).status().message());
  };
  EXPECT_EQ(message_of("tdpo { version: TDPO1 alpha: 0.7 }"),
            "objective: tdpo.alpha: is of version TDPO2; leave it out");
  EXPECT_EQ(message_of("f_dpo { divergence: FORWARD_KL alpha_trl: 0.3 }"),
            "objective: f_dpo.alpha_trl: is of divergence ALPHA; leave it out");
  EXPECT_EQ(message_of("tpo { tpo_l_gamma: 0.7 }"),
            "objective: tpo.tpo_l_gamma: is of version TPO_L; leave it out");
  for (const char* text : {"tdpo { version: TDPO1 alpha: 0.5 }", "tdpo { alpha: 0.7 }",
                           "f_dpo { divergence: ALPHA alpha_trl: 0.3 }", "f_dpo { alpha_trl: 0.5 }",
                           "tpo { version: TPO_L tpo_l_gamma: 0.7 }", "tpo { tpo_l_gamma: 0.5 }"}) {
    EXPECT_EQ(message_of(text), "");
  }
}

// The option's message with another value than its default; a list has one for each of two scores.
ObjectiveConfig WithAnotherValue(const google::protobuf::FieldDescriptor* method,
                                 const google::protobuf::FieldDescriptor* option, int enum_value) {
  using Field = google::protobuf::FieldDescriptor;
  ObjectiveConfig config;
  google::protobuf::Message* message = config.GetReflection()->MutableMessage(&config, method);
  const google::protobuf::Reflection& fields = *message->GetReflection();
  if (option->is_repeated()) {
    fields.AddDouble(message, option, 0.3);
    fields.AddDouble(message, option, 0.1);
  } else if (option->cpp_type() == Field::CPPTYPE_DOUBLE) {
    const double value = option->default_value_double();
    fields.SetDouble(message, option, value == 0 ? 0.3 : 0.7 * value);
  } else if (option->cpp_type() == Field::CPPTYPE_BOOL) {
    fields.SetBool(message, option, !option->default_value_bool());
  } else {
    fields.SetEnumValue(message, option, enum_value);
  }
  return config;
}

TEST(Objective, EveryOptionCountsOrIsRefused) {
  const PreferenceLogps logps = TestPairs();
  const auto* oneof = ObjectiveConfig::descriptor()->FindOneofByName("objective");
  int counted = 0, refused = 0;
  for (int i = 0; i < oneof->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* method = oneof->field(i);
    const at::Tensor by_default = MakeObjective(method->name() + " {}").Compute(logps).loss;
    for (int k = 0; k < method->message_type()->field_count(); ++k) {
      const google::protobuf::FieldDescriptor* option = method->message_type()->field(k);
      const int values = option->enum_type() == nullptr ? 1 : option->enum_type()->value_count();
      for (int value = 0; value < values; ++value) {
        if (option->enum_type() != nullptr && value == option->default_value_enum()->number()) continue;
        const auto objective = Objective::Create(WithAnotherValue(method, option, value));
        if (!objective.ok()) {
          EXPECT_THAT(objective.status().message(), testing::HasSubstr(option->name()));
          ++refused;
          continue;
        }
        // Without the pairs of log-ratios of 1e4, where a loss may be flat.
        const at::Tensor change = (objective->Compute(logps).loss - by_default).slice(0, 8).abs();
        EXPECT_GT(change.max().item<double>(), 1e-9) << option->full_name() << ", value " << value;
        ++counted;
      }
    }
  }
  EXPECT_EQ(refused, 2);  // of a version or divergence that is not the default: above
  EXPECT_GT(counted, 45);
}

// As recipes are read: a name that no option has, and a value beyond its limits.
TEST(Objective, UnknownOptionsAreRefused) {
  ObjectiveConfig config;
  EXPECT_THAT(ParseRecipe("dpo { bta: 0.1 }", "objective", {}, &config).message(),
              testing::HasSubstr("did you mean 'beta'"));
  EXPECT_FALSE(ParseRecipe("dppo {}", "objective", {}, &config).ok());
  const auto* oneof = ObjectiveConfig::descriptor()->FindOneofByName("objective");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const std::string name = oneof->field(i)->name();
    EXPECT_FALSE(ParseRecipe(name + " { no_such_option: 1 }", "objective", {}, &config).ok()) << name;
    if (oneof->field(i)->message_type()->FindFieldByName("beta") == nullptr) continue;
    EXPECT_FALSE(ParseRecipe(name + " { beta: 0 }", "objective", {}, &config).ok()) << name;
    EXPECT_FALSE(ParseRecipe(name + " { beta: nan }", "objective", {}, &config).ok()) << name;
  }
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
