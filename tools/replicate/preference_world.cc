#include "tools/replicate/preference_world.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

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

// What each answer's terms [T] add up to: [N].
at::Tensor Sums(const at::Tensor& terms, const Answers& answers) {
  return at::zeros_like(answers.lengths).index_add(0, answers.rows, terms);
}

// The tables after each step of Adam from `start`; what the objective sees of a table is `logps`.
absl::StatusOr<std::vector<at::Tensor>> Descend(
    const std::string& objective, const at::Tensor& start,
    const std::function<PreferenceLogps(const at::Tensor& table)>& logps,
    const PreferenceWorld::Training& training) {
  ObjectiveConfig config;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(objective, "objective", /*overrides=*/{}, &config));
  PLUMB_ASSIGN_OR_RETURN(const Objective method, Objective::Create(config));
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  at::Tensor table = start.detach().clone();
  at::Tensor mean = at::zeros_like(table), square = at::zeros_like(table);
  std::vector<at::Tensor> tables = {table};
  const bool has_running_mean = method.traits().baseline == Baseline::kRunningMean;
  double log_ratio_sum = 0;  // of the means at all steps so far
  for (int64_t step = 1; step <= training.steps; ++step) {
    table = table.detach().requires_grad_(true);
    PreferenceLogps inputs = logps(table);
    if (has_running_mean) {
      log_ratio_sum += (inputs.policy_chosen_logps - inputs.reference_chosen_logps).mean().item<double>();
      inputs.baseline = at::full_like(inputs.label, log_ratio_sum / static_cast<double>(step));
    }
    const at::Tensor losses = method.Compute(inputs).loss;
    at::Tensor loss = method.traits().mean_over_tokens
                          ? (losses * inputs.chosen_length).sum() / inputs.chosen_length.sum()
                          : losses.mean();
    if (training.beside) loss = loss + training.beside(table, step);
    loss.backward();
    const at::NoGradGuard no_grad;
    const at::Tensor& gradient = table.grad();
    mean = kBeta1 * mean + (1 - kBeta1) * gradient;
    square = kBeta2 * square + (1 - kBeta2) * gradient * gradient;
    const double correction1 = 1 - std::pow(kBeta1, step), correction2 = 1 - std::pow(kBeta2, step);
    table = table.detach() -
            training.learning_rate / correction1 * mean / ((square / correction2).sqrt() + kEpsilon);
    tables.push_back(table);
  }
  return tables;
}

}  // namespace

Answers Select(const Answers& answers, absl::Span<const int64_t> places) {
  const at::Tensor ends = answers.lengths.cumsum(0).to(at::kLong), lengths = answers.lengths.to(at::kLong);
  const int64_t *end = ends.const_data_ptr<int64_t>(), *length = lengths.const_data_ptr<int64_t>();
  std::vector<int64_t> tokens, rows;
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t place = places[i];
    for (int64_t token = end[place] - length[place]; token < end[place]; ++token) {
      tokens.push_back(token);
      rows.push_back(static_cast<int64_t>(i));
    }
  }
  const at::Tensor token = Indices(tokens), place = Indices({places.begin(), places.end()});
  return {answers.cells.index_select(0, token),         Indices(rows),
          answers.token_rewards.index_select(0, token), answers.lengths.index_select(0, place),
          answers.rewards.index_select(0, place),       answers.other_rewards.index_select(0, place)};
}

absl::Span<const double> RewardsOfPrompt(const Answers& answers, int64_t prompt, int64_t num_generations) {
  return {answers.rewards.const_data_ptr<double>() + prompt * num_generations,
          static_cast<size_t>(num_generations)};
}

Answers Joined(const Answers& a, const Answers& b) {
  return {at::cat({a.cells, b.cells}),
          at::cat({a.rows, b.rows + a.lengths.size(0)}),
          at::cat({a.token_rewards, b.token_rewards}),
          at::cat({a.lengths, b.lengths}),
          at::cat({a.rewards, b.rewards}),
          at::cat({a.other_rewards, b.other_rewards})};
}

PreferencePairs SelectPairs(const Answers& answers, absl::Span<const AnswerPair> pairs) {
  std::vector<int64_t> chosen, rejected;
  for (const AnswerPair& pair : pairs) {
    chosen.push_back(pair.chosen);
    rejected.push_back(pair.rejected);
  }
  PreferencePairs selected;
  selected.chosen = Select(answers, chosen);
  selected.rejected = Select(answers, rejected);
  return selected;
}

PreferencePairs Unpaired(const PreferencePairs& pairs) {
  PreferencePairs unpaired;
  unpaired.chosen = Joined(pairs.chosen, pairs.rejected);
  unpaired.label = at::cat({at::ones_like(pairs.chosen.rewards), at::zeros_like(pairs.rejected.rewards)});
  return unpaired;
}

at::Tensor RewardsBy(const at::Tensor& table, const Answers& answers) {
  return Sums(table.flatten().index_select(0, answers.cells), answers);
}

PreferenceWorld::PreferenceWorld(uint64_t seed, const PreferenceWorldOptions& options)
    : options_(options), random_(seed, "preference world") {
  const int64_t prompts = options.prompts, vocabulary = options.vocabulary;
  const auto token_rewards = [&](const char* name) {
    at::Tensor rewards =
        random_.Child(name).NormalTensor({prompts, vocabulary}, at::kDouble).mul_(options.reward_scale);
    rewards.select(1, 0).zero_();
    return rewards;
  };
  token_rewards_ = token_rewards("rewards");
  other_token_rewards_ = token_rewards("other rewards");
  reference_ = random_.Child("reference")
                   .NormalTensor({prompts, vocabulary, vocabulary}, at::kDouble)
                   .mul_(kReferenceSpread);
  pairs_ = SamplePairs(reference_, options.pairs, random_.Child("pairs"));
}

Answers PreferenceWorld::SampleAnswers(const at::Tensor& policy, int64_t count, int64_t num_generations,
                                       const RandomStream& stream) const {
  const int64_t vocabulary = options_.vocabulary;
  const at::Tensor probabilities = at::log_softmax(policy.detach(), -1).exp().contiguous();
  const double* p = probabilities.const_data_ptr<double>();
  std::vector<int64_t> cells, kinds, rows;  // kinds: of tokens, places in the flattened token rewards
  std::vector<double> lengths;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t prompt = i % options_.prompts;
    const RandomStream random = stream.Child(i);
    for (int64_t k = 0; k < num_generations; ++k) {
      int64_t token = 0, length = 0;
      while (length < options_.max_length) {
        const int64_t row = (prompt * vocabulary + token) * vocabulary;
        double left = random.Uniform(k * options_.max_length + length);
        for (token = 0; token + 1 < vocabulary && left >= p[row + token]; ++token) left -= p[row + token];
        cells.push_back(row + token);
        kinds.push_back(prompt * vocabulary + token);
        rows.push_back(i * num_generations + k);
        ++length;
        if (token == 0) break;
      }
      lengths.push_back(static_cast<double>(length));
    }
  }
  Answers answers;
  answers.cells = Indices(cells);
  answers.rows = Indices(rows);
  answers.lengths = Doubles(lengths);
  answers.token_rewards = token_rewards_.flatten().index_select(0, Indices(kinds));
  answers.rewards = Sums(answers.token_rewards, answers);
  answers.other_rewards = Sums(other_token_rewards_.flatten().index_select(0, Indices(kinds)), answers);
  return answers;
}

PreferencePairs PreferenceWorld::SamplePairs(const at::Tensor& policy, int64_t pairs,
                                             const RandomStream& stream, const RewardWeights& weights) const {
  const Answers answers = SampleAnswers(policy, pairs, 2, stream);
  const at::Tensor rewards = weights.first * answers.rewards + weights.other * answers.other_rewards;
  const double* reward = rewards.const_data_ptr<double>();
  std::vector<AnswerPair> labelled;
  for (int64_t i = 0; i < pairs; ++i) {
    const RandomStream label = stream.Child(i).Child("label");
    bool first = label.Uniform(0) < Sigmoid(reward[2 * i] - reward[2 * i + 1]);
    if (label.Uniform(1) < options_.flipped) first = !first;
    labelled.push_back({2 * i + (first ? 0 : 1), 2 * i + (first ? 1 : 0)});
  }
  return SelectPairs(answers, labelled);
}

PolicyFigures PreferenceWorld::Measure(const at::Tensor& policy) const {
  const at::NoGradGuard no_grad;
  const at::Tensor logps = at::log_softmax(policy, -1), p = logps.exp();
  const at::Tensor reference = at::log_softmax(reference_, -1);
  // Of the next token, at each prompt and token before: [P, V].
  const at::Tensor kl = (p * (logps - reference)).sum(-1), entropy = -(p * logps).sum(-1);
  const at::Tensor reward = at::bmm(p, token_rewards_.unsqueeze(-1)).squeeze(-1);
  const at::Tensor other_reward = at::bmm(p, other_token_rewards_.unsqueeze(-1)).squeeze(-1);
  // How likely an answer is alive after `token`: [P, 1, V].
  at::Tensor alive = at::zeros({options_.prompts, 1, options_.vocabulary}, at::kDouble);
  alive.select(2, 0).fill_(1);
  PolicyFigures figures;
  const auto expected = [&](const at::Tensor& value) {
    return (alive.squeeze(1) * value).sum().item<double>() / options_.prompts;
  };
  for (int64_t t = 0; t < options_.max_length; ++t) {
    figures.reward += expected(reward);
    figures.other_reward += expected(other_reward);
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
  PreferenceLogps logps;
  const auto side = [&](const Answers& answers, at::Tensor& policy_tokens, at::Tensor& policy_sums,
                        at::Tensor& reference_tokens, at::Tensor& reference_sums, at::Tensor& token_kl,
                        at::Tensor& length, at::Tensor& reward) {
    policy_tokens = policy_table.flatten().index_select(0, answers.cells);
    policy_sums = Sums(policy_tokens, answers);
    reference_tokens = reference_table.flatten().index_select(0, answers.cells);
    reference_sums = Sums(reference_tokens, answers);
    token_kl = divergence.index_select(0, answers.cells.div(options_.vocabulary, "floor"));
    length = answers.lengths;
    reward = answers.rewards;
  };
  side(pairs.chosen, logps.policy_chosen_token_logps, logps.policy_chosen_logps,
       logps.reference_chosen_token_logps, logps.reference_chosen_logps, logps.chosen_token_kl,
       logps.chosen_length, logps.rewards_chosen);
  if (pairs.label.defined()) {
    logps.label = pairs.label;
    logps.baseline = at::full_like(pairs.label, Measure(policy.detach()).kl);
    return logps;
  }
  side(pairs.rejected, logps.policy_rejected_token_logps, logps.policy_rejected_logps,
       logps.reference_rejected_token_logps, logps.reference_rejected_logps, logps.rejected_token_kl,
       logps.rejected_length, logps.rewards_rejected);
  if (pairs.gold.cells.defined()) {
    logps.policy_gold_logps = Sums(policy_table.flatten().index_select(0, pairs.gold.cells), pairs.gold);
    logps.gold_length = pairs.gold.lengths;
  }
  logps.score_chosen = pairs.score_chosen;
  logps.score_rejected = pairs.score_rejected;
  logps.chosen_token_mask = pairs.chosen_token_mask;
  logps.rejected_token_mask = pairs.rejected_token_mask;
  return logps;
}

absl::StatusOr<std::vector<at::Tensor>> PreferenceWorld::Train(const std::string& objective,
                                                               const at::Tensor& start,
                                                               const at::Tensor& reference,
                                                               const PreferencePairs& pairs,
                                                               const Training& training) const {
  return Descend(
      objective, start, [&](const at::Tensor& policy) { return Logps(policy, reference, pairs); }, training);
}

absl::StatusOr<std::vector<at::Tensor>> PreferenceWorld::Train(const std::string& objective,
                                                               const Training& training) const {
  return Train(objective, reference_, reference_, pairs_, training);
}

absl::StatusOr<std::vector<at::Tensor>> PreferenceWorld::TrainRewards(const std::string& objective,
                                                                      const PreferencePairs& pairs,
                                                                      const Training& training) const {
  const auto rewards = [&](const at::Tensor& table) {
    PreferenceLogps logps;
    logps.rewards_chosen = RewardsBy(table, pairs.chosen);
    logps.rewards_rejected = RewardsBy(table, pairs.rejected);
    return logps;
  };
  return Descend(objective, at::zeros_like(reference_), rewards, training);
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
