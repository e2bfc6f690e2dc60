#include "common/train/schedule.h"

#include <google/protobuf/text_format.h>

#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/testing/testing.h"
#include "common/train/train.pb.h"

namespace plumb {
namespace {

Schedule Parse(const std::string& text) {
  Schedule schedule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &schedule)) << text;
  return schedule;
}

TEST(ScheduleTest, EveryRateIsTransformers) {
  const auto golden =
      nlohmann::json::parse(ReadFile(Runfile("common/train/testdata/schedules.json")).value());
  ASSERT_GE(golden["schedules"].size(), 12);
  for (const auto& table : golden["schedules"]) {
    SCOPED_TRACE(table["config"]);
    const int64_t total = table["total_steps"];
    ASSERT_EQ(table["factors"].size(), total);
    for (int64_t step = 0; step < total; ++step) {
      EXPECT_NEAR(LearningRateFactor(Parse(table["config"]), step, total), table["factors"][step], 1e-15)
          << step;
    }
  }
}

}  // namespace
}  // namespace plumb
