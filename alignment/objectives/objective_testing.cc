#include "alignment/objectives/objective_testing.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "common/testing/testing.h"

namespace plumb {
namespace {

constexpr int64_t kPairs = 24;

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

// Splits each sum over `lengths[i]` tokens.
at::Tensor Terms(const std::vector<double>& sums, const std::vector<double>& lengths, std::mt19937* random) {
  std::uniform_real_distribution<double> share(0.5, 1.5);
  std::vector<double> terms;
  for (size_t i = 0; i < sums.size(); ++i) {
    double left = sums[i];
    for (int64_t t = 1; t < lengths[i]; ++t) {
      terms.push_back(sums[i] / lengths[i] * share(*random));
      left -= terms.back();
    }
    terms.push_back(left);
  }
  return Tensor(terms);
}

// A gold answer, what comes from the data (two scores of each answer, which tokens count, labels), a
// baseline.
void AddDataInputs(PreferenceLogps* logps) {
  std::mt19937 random(8);
  std::uniform_real_distribution<double> score(-3, 3);
  std::uniform_real_distribution<double> logp(-60, -1);
  std::uniform_int_distribution<int> length(1, 6);
  std::bernoulli_distribution flag(0.6);
  const auto scores = [&] {
    std::vector<double> values;
    for (int64_t i = 0; i < 2 * kPairs; ++i) values.push_back(score(random));
    return Tensor(values).view({kPairs, 2});
  };
  const auto mask = [&](const at::Tensor& tokens) {
    std::vector<double> values;
    for (int64_t t = 0; t < tokens.numel(); ++t) values.push_back(flag(random));
    return Tensor(values);
  };
  logps->score_chosen = scores();
  logps->score_rejected = scores();
  logps->score_rejected[3].copy_(logps->score_chosen[3]);
  logps->chosen_token_mask = mask(logps->policy_chosen_token_logps);
  logps->rejected_token_mask = mask(logps->policy_rejected_token_logps);
  logps->label = mask(logps->policy_chosen_logps);
  std::vector<double> gold_logps, gold_length;
  for (int64_t i = 0; i < kPairs; ++i) {
    gold_logps.push_back(i == 1 ? -1e4 : logp(random));
    gold_length.push_back(i == 0 ? 1 : length(random));
  }
  logps->policy_gold_logps = Tensor(gold_logps);
  logps->gold_length = Tensor(gold_length);
  logps->baseline = at::full_like(logps->policy_chosen_logps, 1.75);
}

at::Tensor Loss(const Objective& objective, const PreferenceLogps& logps) {
  return objective.Compute(logps).loss.sum();
}

}  // namespace

Objective MakeObjective(const std::string& text) {
  ObjectiveConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  auto objective = Objective::Create(config);
  PLUMB_EXPECT_OK(objective);
  return *std::move(objective);
}

double At(const at::Tensor& tensor, int64_t i) { return tensor[i].item<double>(); }

double LogSigmoid(double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }

PreferenceLogps TestPairs() {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> logp(-60, -1), score(-3, 3), kl(0.01, 0.5);
  std::uniform_int_distribution<int> length(1, 6);
  std::vector<double> policy_chosen, policy_rejected, reference_chosen, reference_rejected, chosen_length,
      rejected_length, margin, rewards_chosen, rewards_rejected, chosen_kl, rejected_kl;
  for (int64_t i = 0; i < kPairs; ++i) {
    policy_chosen.push_back(logp(random));
    policy_rejected.push_back(logp(random));
    reference_chosen.push_back(logp(random));
    reference_rejected.push_back(logp(random));
    chosen_length.push_back(i == 0 ? 1 : length(random));
    rejected_length.push_back(i == 1 ? 1 : length(random));
    margin.push_back(kl(random));
    rewards_chosen.push_back(score(random));
    rewards_rejected.push_back(score(random));
    for (int64_t t = 0; t < chosen_length[i]; ++t) chosen_kl.push_back(kl(random));
    for (int64_t t = 0; t < rejected_length[i]; ++t) rejected_kl.push_back(kl(random));
  }
  // The policy is the reference; both answers are the same; log-ratios of +-1e4.
  reference_chosen[2] = policy_chosen[2];
  reference_rejected[2] = policy_rejected[2];
  policy_rejected[3] = policy_chosen[3];
  reference_rejected[3] = reference_chosen[3];
  rewards_rejected[3] = rewards_chosen[3];
  policy_chosen[4] = reference_chosen[4] - 1e4;
  reference_chosen[5] = policy_chosen[5] - 1e4;
  policy_rejected[6] = reference_rejected[6] - 1e4;
  reference_rejected[7] = policy_rejected[7] - 1e4;

  PreferenceLogps logps;
  logps.policy_chosen_logps = Tensor(policy_chosen);
  logps.policy_rejected_logps = Tensor(policy_rejected);
  logps.reference_chosen_logps = Tensor(reference_chosen);
  logps.reference_rejected_logps = Tensor(reference_rejected);
  logps.chosen_length = Tensor(chosen_length);
  logps.rejected_length = Tensor(rejected_length);
  logps.margin = Tensor(margin);
  logps.rewards_chosen = Tensor(rewards_chosen);
  logps.rewards_rejected = Tensor(rewards_rejected);
  logps.policy_chosen_token_logps = Terms(policy_chosen, chosen_length, &random);
  logps.policy_rejected_token_logps = Terms(policy_rejected, rejected_length, &random);
  logps.reference_chosen_token_logps = Terms(reference_chosen, chosen_length, &random);
  logps.reference_rejected_token_logps = Terms(reference_rejected, rejected_length, &random);
  logps.chosen_token_kl = Tensor(chosen_kl);
  logps.rejected_token_kl = Tensor(rejected_kl);
  AddDataInputs(&logps);
  return logps;
}

PreferenceLogps TestPairsWithHugeRewards() {
  PreferenceLogps logps = TestPairs();
  logps.rewards_chosen[4] += 1e4;
  logps.rewards_chosen[5] -= 1e4;
  logps.rewards_rejected[6] += 1e4;
  logps.rewards_rejected[7] -= 1e4;
  return logps;
}

void ExpectLosses(const Objective& objective, const PreferenceLogps& logps,
                  const std::function<double(int64_t i)>& expected) {
  const at::Tensor loss = objective.Compute(logps).loss;
  ASSERT_EQ(loss.dim(), 1);
  for (int64_t i = 0; i < loss.size(0); ++i) {
    EXPECT_NEAR(At(loss, i), expected(i), 1e-12 * (1 + std::abs(expected(i))))
        << objective.name() << ", example " << i;
  }
}

void ExpectGradients(const Objective& objective, const PreferenceLogps& logps) {
  constexpr double kStep = 1e-5;
  PreferenceLogps inputs = logps;
  for (const PreferenceInput& input : PreferenceInputs()) {
    at::Tensor& tensor = inputs.*input.tensor;
    if (!tensor.defined()) continue;
    if (input.needed(objective.traits()) || input.tensor == &PreferenceLogps::margin) {
      tensor = tensor.clone().set_requires_grad(true);
    } else {
      tensor = at::Tensor();
    }
  }
  Loss(objective, inputs).backward();

  const c10::AutoGradMode no_grad(false);
  for (const PreferenceInput& input : PreferenceInputs()) {
    const at::Tensor original = inputs.*input.tensor;
    if (!original.defined()) continue;
    for (int64_t i = 0; i < original.numel(); ++i) {
      const auto loss_at = [&](double offset) {
        at::Tensor moved = original.detach().clone();
        moved.view(-1)[i] += offset;
        PreferenceLogps moved_inputs = inputs;
        moved_inputs.*input.tensor = moved;
        // By example: the loss of one moves, and the others, which may be huge, must not drown it.
        return objective.Compute(moved_inputs).loss;
      };
      const at::Tensor change = loss_at(kStep) - loss_at(-kStep);
      const double slope = (change / (2 * kStep)).sum().item<double>();
      const double gradient = original.grad().defined() ? At(original.grad().reshape(-1), i) : 0;
      // The digits that a huge loss drops in the difference.
      const double rounding = ((change != 0) * loss_at(0).abs()).max().item<double>() *
                              std::numeric_limits<double>::epsilon() / kStep;
      EXPECT_NEAR(gradient, slope, 1e-6 * (1 + std::abs(slope)) + rounding)
          << objective.name() << ", d loss / d " << input.name << "[" << i << "]";
    }
  }
}

}  // namespace plumb
