#include "alignment/preference_direction.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace plumb {
namespace {

PreferenceDirection Config() {
  PreferenceDirection config;
  config.add_objective("helpfulness");
  config.add_objective("verbosity");
  config.set_instruction("Maximize");
  return config;
}

TEST(PreferenceDirections, AreUnitVectorsAroundTheFirstReward) {
  const PreferenceDirections directions(Config(), RandomStream(1, "directions"));
  double lowest = 90, highest = -90, sum = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const std::vector<double> v = directions.Direction(i);
    EXPECT_NEAR(v[0] * v[0] + v[1] * v[1], 1, 1e-12);
    const double degrees = std::atan2(v[1], v[0]) * 180 / std::acos(-1.0);
    lowest = std::min(lowest, degrees);
    highest = std::max(highest, degrees);
    sum += degrees;
  }
  EXPECT_NEAR(lowest, -45, 0.5);
  EXPECT_NEAR(highest, 45, 0.5);
  EXPECT_NEAR(sum / 2000, 0, 2);
  EXPECT_EQ(directions.Direction(7), directions.Direction(7));
  PreferenceDirection one = Config();
  one.set_min_angle(30);
  one.set_max_angle(30);
  const std::vector<double> v = PreferenceDirections(one, RandomStream(1, "directions")).Direction(0);
  EXPECT_NEAR(v[0], std::sqrt(0.75), 1e-12);
  EXPECT_NEAR(v[1], 0.5, 1e-12);
}

TEST(PreferenceDirections, AreToldInHundredths) {
  const PreferenceDirections directions(Config(), RandomStream(1, "directions"));
  const std::vector<double> v = {std::sqrt(0.75), -0.5};
  const std::string told = "Maximize helpfulness*87 + verbosity*-50";
  EXPECT_EQ(directions.Instruction(v), told);
  EXPECT_EQ(std::get<std::string>(directions.WithInstruction(std::string("Hi"), v)), told + "\n\nHi");
  const std::vector<ChatMessage> chat = {{"user", "Hi", "", ""}};
  auto messages = std::get<std::vector<ChatMessage>>(directions.WithInstruction(chat, v));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, told);
  EXPECT_EQ(messages[1].content, "Hi");
  messages[0].content = "Be kind.";
  messages = std::get<std::vector<ChatMessage>>(directions.WithInstruction(messages, v));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].content, "Be kind. " + told);
}

}  // namespace
}  // namespace plumb
