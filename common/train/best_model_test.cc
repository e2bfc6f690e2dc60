#include "common/train/best_model.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/train/train.pb.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EvalOptions Options(const std::string& text) {
  EvalOptions options;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &options)) << text;
  return options;
}

// The state after these values of the metric "eval_x_loss", one each step, as far as training goes.
TrainState After(const std::string& options, const std::vector<double>& values) {
  TrainState state;
  for (const double value : values) {
    ++state.step;
    EXPECT_TRUE(CompareWithBest(Options(options), {{"eval_x_loss", value}}, &state).ok());
    if (state.stopped_early) break;
  }
  return state;
}

TEST(BestModelTest, ALossIsBetterWhenSmallerUnlessSaidOtherwise) {
  EXPECT_EQ(After("metric_for_best_model: 'x_loss'", {3, 2, 4}).best_step, 2);
  EXPECT_EQ(After("metric_for_best_model: 'eval_x_loss'", {3, 2, 4}).best_metric, 2);
  EXPECT_EQ(After("metric_for_best_model: 'x_loss' greater_is_better: true", {3, 2, 4}).best_step, 3);
  EXPECT_EQ(After("metric_for_best_model: 'x_loss'", {3, 3, 3}).best_step, 1);
  EXPECT_EQ(After("", {3, 2}).best_step, 0);
}

TEST(BestModelTest, NotANumberIsNeverBest) {
  EXPECT_EQ(After("metric_for_best_model: 'x_loss'", {NAN, 5, NAN, 6}).best_step, 2);
}

TEST(BestModelTest, PatienceCountsEvaluationsWithoutAGain) {
  const std::string options = "metric_for_best_model: 'x_loss' early_stopping_patience: 2";
  EXPECT_EQ(After(options, {3, 4, 2, 4, 5, 1}).step, 5);
  EXPECT_TRUE(After(options, {3, 4, 2, 4, 5, 1}).stopped_early);
  EXPECT_FALSE(After(options, {3, 4, 2, 4, 1, 4}).stopped_early);
}

TEST(BestModelTest, AGainBelowTheThresholdIsBestButDoesNotCount) {
  const TrainState state =
      After("metric_for_best_model: 'x_loss' early_stopping_patience: 2 early_stopping_threshold: 0.5",
            {3, 2.9, 2.8, 2.7});
  EXPECT_TRUE(state.stopped_early);
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(state.best_step, 3);
}

TEST(BestModelTest, AMetricThatIsNotThereIsNamedWithTheNearest) {
  TrainState state;
  const EvalOptions options = Options("metric_for_best_model: 'rewards/acuracies'");
  EXPECT_THAT(std::string(CompareWithBest(options, {{"eval_loss", 1}, {"eval_rewards/accuracies", 1}}, &state)
                              .status()
                              .message()),
              HasSubstr("no metric eval_rewards/acuracies; did you mean 'eval_rewards/accuracies'?"));
  EXPECT_THAT(std::string(CompareWithBest(options, {}, &state).status().message()),
              HasSubstr("there is no held-out data"));
}

TEST(BestModelTest, OptionsThatNeedAMetricSayso) {
  EXPECT_TRUE(CheckBestModelOptions(Options("")).ok());
  EXPECT_FALSE(CheckBestModelOptions(Options("load_best_model_at_end: true")).ok());
  EXPECT_FALSE(CheckBestModelOptions(Options("early_stopping_patience: 1")).ok());
  EXPECT_TRUE(
      CheckBestModelOptions(Options("early_stopping_patience: 1 metric_for_best_model: 'eval_loss'")).ok());
}

}  // namespace
}  // namespace plumb
