#include "tools/replicate/preference_world.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <utility>

#include "common/config/recipe.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr double kReferenceSpread = 0.7;  // standard deviation of its logits

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

at::Tensor Indices(const std::vector<int64_t>& values) {
  return at::tensor(at::ArrayRef<int64_t>(values), at::kLong);
}

at::Tensor Doubles(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kDouble);
}

Answers Packed(const std::vector<std::vector<int64_t>>& cells, const std::vector<double>& rewards) {
  std::vector<int64_t> all, rows;
  std::vector<double> lengths;
  for (size_t i = 0; i < cells.size(); ++i) {
    all.insert(all.end(), cells[i].begin(), cells[i].end());
    rows.insert(rows.end(), cells[i].size(), i);
    lengths.push_back(cells[i].size());
  }
  return {Indices(all), Indices(rows), Doubles(lengths), Doubles(rewards)};
}

}  // namespace

PreferenceWorld::PreferenceWorld(uint64_t seed, const PreferenceWorldOptions& options)
    : options_(options), random_(seed, "preference world") {
  const int64_t prompts = options.prompts, vocabulary = options.vocabulary;
  token_rewards_ =
      random_.Child("rewards").NormalTensor({prompts, vocabulary}, at::kDouble).mul_(options.reward_scale);
  token_rewards_.select(1, 0).zero_();
  reference_ = random_.Child("reference")
                   .NormalTensor({prompts, vocabulary, vocabulary}, at::kDouble)
                   .mul_(kReferenceSpread);
  pairs_ = SamplePairs(reference_, options.pairs, random_.Child("pairs"));
}

PreferencePairs PreferenceWorld::SamplePairs(const at::Tensor& policy, int64_t pairs,
                                             const RandomStream& stream) const {
  const int64_t vocabulary = options_.vocabulary;
  const at::Tensor probabilities = at::log_softmax(policy.detach(), -1).exp().contiguous();
  const double* p = probabilities.const_data_ptr<double>();
  const double* token_reward = token_rewards_.const_data_ptr<double>();
  std::vector<std::vector<int64_t>> cells[2];  // chosen, rejected
  std::vector<double> rewards[2];
  for (int64_t i = 0; i < pairs; ++i) {
    const int64_t prompt = i % options_.prompts;
    const RandomStream random = stream.Child(i);
    std::vector<int64_t> answer[2];
    double reward[2] = {};
    for (int a = 0; a < 2; ++a) {
      int64_t token = 0;
      for (int64_t t = 0; t < options_.max_length; ++t) {
        const int64_t row = (prompt * vocabulary + token) * vocabulary;
        double left = random.Uniform(a * options_.max_length + t);
        for (token = 0; token + 1 < vocabulary && left >= p[row + token]; ++token) left -= p[row + token];
        answer[a].push_back(row + token);
        reward[a] += token_reward[prompt * vocabulary + token];
        if (token == 0) break;
      }
    }
    const RandomStream label = random.Child("label");
    bool first = label.Uniform(0) < Sigmoid(reward[0] - reward[1]);
    if (label.Uniform(1) < options_.flipped) first = !first;
    for (int side = 0; side < 2; ++side) {
      const int a = (side == 0) == first ? 0 : 1;
      cells[side].push_back(std::move(answer[a]));
      rewards[side].push_back(reward[a]);
    }
  }
  return {Packed(cells[0], rewards[0]), Packed(cells[1], rewards[1])};
}

PolicyFigures PreferenceWorld::Measure(const at::Tensor& policy) const {
  const at::NoGradGuard no_grad;
  const at::Tensor logps = at::log_softmax(policy, -1), p = logps.exp();
  const at::Tensor reference = at::log_softmax(reference_, -1);
  // Of the next token, at each prompt and token before: [P, V].
  const at::Tensor kl = (p * (logps - reference)).sum(-1), entropy = -(p * logps).sum(-1);
  const at::Tensor reward = at::bmm(p, token_rewards_.unsqueeze(-1)).squeeze(-1);
  // How likely an answer is alive after `token`: [P, 1, V].
  at::Tensor alive = at::zeros({options_.prompts, 1, options_.vocabulary}, at::kDouble);
  alive.select(2, 0).fill_(1);
  PolicyFigures figures;
  const auto expected = [&](const at::Tensor& value) {
    return (alive.squeeze(1) * value).sum().item<double>() / options_.prompts;
  };
  for (int64_t t = 0; t < options_.max_length; ++t) {
    figures.reward += expected(reward);
    figures.kl += expected(kl);
    figures.entropy += expected(entropy);
    figures.length += alive.sum().item<double>() / options_.prompts;
    alive = at::bmm(alive, p);
    alive.select(2, 0).zero_();
  }
  return figures;
}

PreferenceLogps PreferenceWorld::Logps(const at::Tensor& policy, const at::Tensor& reference,
                                       const PreferencePairs& pairs) const {
  const at::Tensor policy_table = at::log_softmax(policy, -1);
  const at::Tensor reference_table = at::log_softmax(reference.detach(), -1);
  const at::Tensor divergence = (reference_table.exp() * (reference_table - policy_table)).sum(-1).flatten();
  const auto sums = [](const at::Tensor& terms, const Answers& answers) {
    return at::zeros_like(answers.lengths).index_add(0, answers.rows, terms);
  };
  PreferenceLogps logps;
  const auto side = [&](const Answers& answers, at::Tensor& policy_tokens, at::Tensor& policy_sums,
                        at::Tensor& reference_tokens, at::Tensor& reference_sums, at::Tensor& token_kl,
                        at::Tensor& length, at::Tensor& reward) {
    policy_tokens = policy_table.flatten().index_select(0, answers.cells);
    policy_sums = sums(policy_tokens, answers);
    reference_tokens = reference_table.flatten().index_select(0, answers.cells);
    reference_sums = sums(reference_tokens, answers);
    token_kl = divergence.index_select(0, answers.cells.div(options_.vocabulary, "floor"));
    length = answers.lengths;
    reward = answers.rewards;
  };
  side(pairs.chosen, logps.policy_chosen_token_logps, logps.policy_chosen_logps,
       logps.reference_chosen_token_logps, logps.reference_chosen_logps, logps.chosen_token_kl,
       logps.chosen_length, logps.rewards_chosen);
  side(pairs.rejected, logps.policy_rejected_token_logps, logps.policy_rejected_logps,
       logps.reference_rejected_token_logps, logps.reference_rejected_logps, logps.rejected_token_kl,
       logps.rejected_length, logps.rewards_rejected);
  return logps;
}

absl::StatusOr<std::vector<at::Tensor>> PreferenceWorld::Train(const std::string& objective,
                                                               const at::Tensor& start,
                                                               const at::Tensor& reference,
                                                               const PreferencePairs& pairs,
                                                               const Training& training) const {
  ObjectiveConfig config;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(objective, "objective", /*overrides=*/{}, &config));
  PLUMB_ASSIGN_OR_RETURN(const Objective method, Objective::Create(config));
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  at::Tensor policy = start.detach().clone();
  at::Tensor mean = at::zeros_like(policy), square = at::zeros_like(policy);
  std::vector<at::Tensor> policies = {policy};
  for (int64_t step = 1; step <= training.steps; ++step) {
    policy = policy.detach().requires_grad_(true);
    const PreferenceLogps logps = Logps(policy, reference, pairs);
    const at::Tensor loss = method.Compute(logps).loss;
    (method.traits().mean_over_tokens ? (loss * logps.chosen_length).sum() / logps.chosen_length.sum()
                                      : loss.mean())
        .backward();
    const at::NoGradGuard no_grad;
    const at::Tensor& gradient = policy.grad();
    mean = kBeta1 * mean + (1 - kBeta1) * gradient;
    square = kBeta2 * square + (1 - kBeta2) * gradient * gradient;
    const double correction1 = 1 - std::pow(kBeta1, step), correction2 = 1 - std::pow(kBeta2, step);
    policy = policy.detach() -
             training.learning_rate / correction1 * mean / ((square / correction2).sqrt() + kEpsilon);
    policies.push_back(policy);
  }
  return policies;
}

absl::StatusOr<std::vector<at::Tensor>> PreferenceWorld::Train(const std::string& objective,
                                                               const Training& training) const {
  return Train(objective, reference_, reference_, pairs_, training);
}

double PreferenceWorld::Where(const std::vector<at::Tensor>& policies, double PolicyFigures::*x, double value,
                              double PolicyFigures::*y) const {
  PolicyFigures before;
  for (size_t i = 0; i < policies.size(); ++i) {
    const PolicyFigures now = Measure(policies[i]);
    if (i > 0 && (before.*x < value) != (now.*x < value)) {
      const double share = (value - before.*x) / (now.*x - before.*x);
      return before.*y + share * (now.*y - before.*y);
    }
    before = now;
  }
  return before.*y;
}

}  // namespace plumb
