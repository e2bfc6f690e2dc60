#include "alignment/objectives/weighted_objectives.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "alignment/objectives/objective_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

absl::StatusOr<WeightedObjectives> Make(const std::vector<std::string>& texts) {
  google::protobuf::RepeatedPtrField<ObjectiveConfig> configs;
  for (const std::string& text : texts) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, configs.Add()));
  }
  return WeightedObjectives::Create(configs);
}

PreferenceLogps Rows(const PreferenceLogps& logps, int64_t begin, int64_t count) {
  PreferenceLogps rows;
  for (const PreferenceInput& input : PreferenceInputs()) {
    if (input.token_count == nullptr) rows.*input.tensor = (logps.*input.tensor).narrow(0, begin, count);
  }
  return rows;
}

LossTotals TotalsOf(const PreferenceLogps& logps) {
  return {static_cast<double>(logps.chosen_length.numel()), logps.chosen_length.sum().item<double>()};
}

TEST(WeightedObjectives, TwoAreTheWeightedSum) {
  const PreferenceLogps logps = TestPairs();
  const auto mixed = Make({"dpo { beta: 0.2 } weight: 0.75", "sft {} weight: 2"});
  PLUMB_ASSERT_OK(mixed);
  MetricSums metrics;
  const at::Tensor loss = mixed->Compute(logps, TotalsOf(logps), &metrics);

  const double dpo = MakeObjective("dpo { beta: 0.2 }").Compute(logps).loss.mean().item<double>();
  const double nll =
      -logps.policy_chosen_logps.sum().item<double>() / logps.chosen_length.sum().item<double>();
  EXPECT_NEAR(loss.item<double>(), 0.75 * dpo + 2 * nll, 1e-10);
  const auto means = metrics.Means();
  EXPECT_NEAR(means.at("loss"), 0.75 * dpo + 2 * nll, 1e-10);
  EXPECT_NEAR(means.at("loss/dpo"), dpo, 1e-10);
  EXPECT_NEAR(means.at("loss/sft"), nll, 1e-10);
  EXPECT_TRUE(mixed->traits().needs_reference && mixed->traits().needs_rejected &&
              mixed->traits().mean_over_tokens);
}

using Gradients = std::map<std::string, at::Tensor>;

// What `loss` gives of fresh leaves with the values of TestPairs(), and its gradients but for those of
// lengths.
std::pair<double, Gradients> LossAndGradients(
    const std::function<at::Tensor(const PreferenceLogps& logps)>& loss) {
  PreferenceLogps logps = TestPairs();
  for (const PreferenceInput& input : PreferenceInputs()) {
    if (!absl::EndsWith(input.name, "_length")) (logps.*input.tensor).requires_grad_();
  }
  const at::Tensor value = loss(logps);
  value.backward();
  Gradients gradients;
  for (const PreferenceInput& input : PreferenceInputs()) {
    if ((logps.*input.tensor).grad().defined()) gradients[input.name] = (logps.*input.tensor).grad();
  }
  return {value.item<double>(), gradients};
}

TEST(WeightedObjectives, AnyTwoThatGoTogetherAreTheWeightedSum) {
  const auto* oneof = ObjectiveConfig::descriptor()->FindOneofByName("objective");
  std::vector<std::string> names;
  std::vector<std::pair<double, Gradients>> alone;
  for (int i = 0; i < oneof->field_count(); ++i) {
    names.push_back(oneof->field(i)->name());
    const Objective objective = MakeObjective(names.back() + " {}");
    alone.push_back(LossAndGradients([&](const PreferenceLogps& logps) {
      const at::Tensor loss = objective.Compute(logps).loss, length = logps.chosen_length;
      return objective.traits().mean_over_tokens ? (loss * length).sum() / length.sum() : loss.mean();
    }));
  }
  int together = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const auto both = Make({names[i] + " {} weight: 0.75", names[j] + " {} weight: 2"});
      if (!both.ok()) {
        EXPECT_THAT(both.status().message(), testing::HasSubstr("do not go together"));
        continue;
      }
      ++together;
      const auto [loss, gradients] = LossAndGradients([&](const PreferenceLogps& logps) {
        MetricSums metrics;
        return both->Compute(logps, TotalsOf(logps), &metrics);
      });
      const double expected = 0.75 * alone[i].first + 2 * alone[j].first;
      EXPECT_NEAR(loss, expected, 1e-12 * (1 + std::abs(expected))) << names[i] << " and " << names[j];
      for (const auto& [name, gradient] : gradients) {
        at::Tensor sum = at::zeros_like(gradient);
        if (const auto of = alone[i].second.find(name); of != alone[i].second.end()) sum += 0.75 * of->second;
        if (const auto of = alone[j].second.find(name); of != alone[j].second.end()) sum += 2 * of->second;
        EXPECT_TRUE(gradient.allclose(sum, 1e-12, 1e-12)) << names[i] << " and " << names[j] << ", " << name;
      }
    }
  }
  // All pairs of what learns from pairs, of what trains rewards, and of what has labels but not two
  // baselines.
  EXPECT_GT(together, 270);
}

// The loss of a step, its gradients and its metrics are the same however the step is cut.
TEST(WeightedObjectives, MicroBatchesAddUp) {
  PreferenceLogps logps = TestPairs();
  logps.policy_chosen_logps.set_requires_grad(true);
  const auto mixed = Make({"dpo {}", "sft {} weight: 0.5"});
  PLUMB_ASSERT_OK(mixed);
  const LossTotals totals = TotalsOf(logps);
  MetricSums whole_metrics;
  const at::Tensor whole = mixed->Compute(logps, totals, &whole_metrics);
  whole.backward();
  const at::Tensor gradient = logps.policy_chosen_logps.grad().clone();
  logps.policy_chosen_logps.mutable_grad().zero_();

  MetricSums metrics;
  double sum = 0;
  int64_t begin = 0;
  for (const int64_t count : {1, 7, 10, 6}) {
    const at::Tensor part = mixed->Compute(Rows(logps, begin, count), totals, &metrics);
    part.backward();
    sum += part.item<double>();
    begin += count;
  }
  ASSERT_EQ(begin, logps.margin.numel());
  EXPECT_NEAR(sum, whole.item<double>(), 1e-10);
  EXPECT_LT((gradient - logps.policy_chosen_logps.grad()).abs().max().item<double>(), 1e-12);
  const auto expected = whole_metrics.Means(), means = metrics.Means();
  ASSERT_EQ(means.size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_NEAR(means.at(name), value, 1e-10) << name;
}

TEST(WeightedObjectives, ReportsRewardsAsTrlNamesThem) {
  const PreferenceLogps logps = TestPairs();
  const auto means_of = [&](const std::string& objective) {
    MetricSums metrics;
    Make({objective})->Compute(logps, TotalsOf(logps), &metrics);
    return metrics.Means();
  };
  const at::Tensor scores = logps.rewards_chosen - logps.rewards_rejected;
  const auto reward = means_of("reward {}");
  EXPECT_EQ(reward.size(), 3);
  EXPECT_NEAR(reward.at("margin"), scores.mean().item<double>(), 1e-12);
  EXPECT_NEAR(reward.at("accuracy"), (scores > 0).sum().item<double>() / scores.numel(), 1e-12);

  const at::Tensor chosen = 0.1 * (logps.policy_chosen_logps - logps.reference_chosen_logps);
  const at::Tensor rejected = 0.1 * (logps.policy_rejected_logps - logps.reference_rejected_logps);
  const auto dpo = means_of("dpo {}");
  EXPECT_EQ(dpo.size(), 5);
  EXPECT_NEAR(dpo.at("rewards/chosen"), chosen.mean().item<double>(), 1e-10);
  EXPECT_NEAR(dpo.at("rewards/rejected"), rejected.mean().item<double>(), 1e-10);
  EXPECT_NEAR(dpo.at("rewards/margins"), (chosen - rejected).mean().item<double>(), 1e-10);
  EXPECT_NEAR(dpo.at("rewards/accuracies"), (chosen > rejected).sum().item<double>() / chosen.numel(), 1e-12);
}

TEST(WeightedObjectives, ReportsRewardsByLabel) {
  const PreferenceLogps logps = TestPairs();
  const auto kto = Make({"kto {}"});
  PLUMB_ASSERT_OK(kto);
  LossTotals totals = TotalsOf(logps);
  totals.good_examples = logps.label.sum().item<double>();
  MetricSums metrics;
  for (const auto& [begin, count] : {std::pair(0, 1), std::pair(1, 13), std::pair(14, 10)}) {
    kto->Compute(Rows(logps, begin, count), totals, &metrics);
  }
  double good = 0, bad = 0;
  for (int64_t i = 0; i < logps.label.numel(); ++i) {
    const double reward = 0.1 * (At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i));
    (At(logps.label, i) == 1 ? good : bad) += reward;
  }
  good /= totals.good_examples;
  bad /= totals.examples - totals.good_examples;
  const auto means = metrics.Means();
  EXPECT_EQ(means.size(), 5);
  EXPECT_NEAR(means.at("rewards/chosen"), good, 1e-10);
  EXPECT_NEAR(means.at("rewards/rejected"), bad, 1e-10);
  EXPECT_NEAR(means.at("rewards/margins"), good - bad, 1e-10);
  EXPECT_NEAR(means.at("kl"), 1.75, 1e-12);
  EXPECT_NEAR(means.at("loss"), MakeObjective("kto {}").Compute(logps).loss.mean().item<double>(), 1e-12);
}

TEST(WeightedObjectives, AnswersCountByTheirWeights) {
  PreferenceLogps logps = TestPairs();
  const auto kto = Make({"kto {}"});
  PLUMB_ASSERT_OK(kto);
  const at::Tensor losses = MakeObjective("kto {}").Compute(logps).loss;
  logps.weight = logps.margin;
  double expected = 0;
  for (int64_t i = 0; i < 24; ++i) expected += At(logps.margin, i) * At(losses, i) / 24;
  MetricSums metrics;
  EXPECT_NEAR(kto->Compute(logps, TotalsOf(logps), &metrics).item<double>(), expected, 1e-12);
  EXPECT_NEAR(metrics.Means().at("loss"), expected, 1e-12);
}

TEST(WeightedObjectives, RefusesWhatDoesNotGoTogether) {
  EXPECT_EQ(Make({}).status().message(), "objective: a stage needs at least one");
  EXPECT_EQ(
      Make({"dpo {}", "reward {}"}).status().message(),
      "objective: dpo and reward do not go together: one works on the scores of a reward model, the other on "
      "log-probabilities; make them two stages");
  EXPECT_EQ(Make({"kto {}", "dpo {}"}).status().message(),
            "objective: kto and dpo do not go together: one learns from answers with labels, the other does "
            "not; make them two stages");
  EXPECT_EQ(Make({"kto {}", "bco {}"}).status().message(),
            "objective: kto and bco do not go together: one compares rewards with an estimate of the KL "
            "divergence, the other with their running mean; make them two stages");
  EXPECT_EQ(Make({"modpo { other_weight: 1 }", "contrastive_policy_gradient { score_weight: [1, 2] }"})
                .status()
                .message(),
            "objective: contrastive_policy_gradient has weights for 2 scores, another one for 1");
}

}  // namespace
}  // namespace plumb
