#include "alignment/on_policy_pairs.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "alignment/pair_batch.h"
#include "alignment/reward_task.h"
#include "alignment/rollouts.h"
#include "alignment/selection/answer_pair.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int64_t kPromptsAtATime = 32;  // between looks at interrupts

std::set<int64_t> EndTokens(const TextModel& policy) {
  const std::vector<int64_t>& ids = policy.model->config().eos_token_ids;
  std::set<int64_t> ends(ids.begin(), ids.end());
  if (const auto own = policy.tokenizer->eos_token_id(); own.has_value()) ends.insert(*own);
  return ends;
}

// The same answer twice competes once.
void DropRepeated(std::vector<std::vector<int64_t>>* answers) {
  std::vector<std::vector<int64_t>> distinct;
  for (std::vector<int64_t>& answer : *answers) {
    if (std::find(distinct.begin(), distinct.end(), answer) == distinct.end()) {
      distinct.push_back(std::move(answer));
    }
  }
  *answers = std::move(distinct);
}

}  // namespace

absl::StatusOr<std::vector<double>> AnswerRewards(absl::Span<WeightedReward> rewards,
                                                  const std::vector<int64_t>& prompt_ids,
                                                  absl::Span<const std::vector<int64_t>> answers,
                                                  absl::Span<const double> direction) {
  const at::NoGradGuard no_grad;
  std::vector<TokenizedPreference> rows(answers.size());
  Pairs pairs;
  for (size_t i = 0; i < answers.size(); ++i) {
    rows[i].prompt_ids = prompt_ids;
    rows[i].chosen_ids = answers[i];
    pairs.push_back(&rows[i]);
  }
  const PairBatch batch = PackPairs(pairs, /*with_rejected=*/false);
  std::vector<double> sums(answers.size(), 0);
  for (size_t k = 0; k < rewards.size(); ++k) {
    WeightedReward& reward = rewards[k];
    const double weight = direction.empty() ? reward.weight : reward.weight * direction[k];
    const at::Tensor values = LastTokenRewards(reward.model, batch, {}).to(at::kDouble).contiguous();
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] += weight * values.const_data_ptr<double>()[i];
      if (!std::isfinite(sums[i])) return absl::InvalidArgumentError("a reward model gave no finite reward");
    }
  }
  return sums;
}

std::vector<double> WinRates(absl::Span<const double> rewards) {
  std::vector<double> rates(rewards.size(), 0.5);
  if (rewards.size() < 2) return rates;
  for (size_t i = 0; i < rewards.size(); ++i) {
    double sum = 0;
    for (size_t j = 0; j < rewards.size(); ++j) {
      if (j != i) sum += 1 / (1 + std::exp(rewards[j] - rewards[i]));
    }
    rates[i] = sum / static_cast<double>(rewards.size() - 1);
  }
  return rates;
}

std::vector<std::pair<int64_t, int64_t>> PairsByWinRate(absl::Span<const double> win_rates,
                                                        OnPolicyPairs::Selection selection,
                                                        double min_margin) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  if (selection == OnPolicyPairs::BEST_AND_WORST) {
    const std::optional<AnswerPair> pair = BestAgainstWorst(win_rates, min_margin);
    if (pair.has_value()) pairs.emplace_back(pair->chosen, pair->rejected);
    return pairs;
  }
  const auto margin = [&](const std::pair<int64_t, int64_t>& pair) {
    return win_rates[pair.first] - win_rates[pair.second];
  };
  const auto count = static_cast<int64_t>(win_rates.size());
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      if (margin({i, j}) > min_margin) pairs.emplace_back(i, j);
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [&](const auto& a, const auto& b) { return margin(a) > margin(b); });
  return pairs;
}

absl::Status MakeOnPolicyPairs(const OnPolicyPairs& config, TextModel& policy,
                               absl::Span<WeightedReward> rewards, bool with_rejected, int64_t max_length,
                               const RandomStream& random, std::vector<TokenizedPreference>* examples,
                               OnPolicyCounts* counts) {
  GenerationOptions options = PlainSampling(config.max_new_tokens(), config.max_batch_size());
  options.set_temperature(config.temperature());
  options.set_top_p(config.top_p());
  const std::set<int64_t> ends = EndTokens(policy);
  const auto count = static_cast<int64_t>(examples->size());
  std::vector<TokenizedPreference> pairs;
  for (int64_t begin = 0; begin < count; begin += kPromptsAtATime) {
    if (InterruptRequested()) {
      return absl::CancelledError(
          absl::StrCat("stopped after the answers to ", begin, " of ", count, " prompts"));
    }
    const int64_t end = std::min(count, begin + kPromptsAtATime);
    std::vector<RolloutPrompt> prompts;
    for (int64_t i = begin; i < end; ++i) prompts.push_back({&(*examples)[i].prompt_ids, random.Child(i)});
    PLUMB_ASSIGN_OR_RETURN(const auto generated,
                           SampleAnswers(policy, prompts, config.num_generations(), options));
    for (int64_t i = begin; i < end; ++i) {
      const TokenizedPreference& example = (*examples)[i];
      std::vector<std::vector<int64_t>> answers;
      const auto prompt = static_cast<int64_t>(example.prompt_ids.size());
      const auto room = static_cast<size_t>(std::max<int64_t>(1, max_length - prompt));
      for (const GeneratedSequence& one : generated[i - begin]) {
        answers.push_back(one.token_ids);
        if (answers.back().size() > room) answers.back().resize(room);
      }
      if (config.with_gold()) answers.push_back(example.chosen_ids);
      DropRepeated(&answers);
      // Reward models know nothing of directions.
      const std::vector<int64_t>& judged =
          example.reward_direction.empty() ? example.prompt_ids : example.undirected_prompt_ids;
      PLUMB_ASSIGN_OR_RETURN(std::vector<double> values,
                             AnswerRewards(rewards, judged, answers, example.reward_direction));
      for (size_t k = 0; k < answers.size(); ++k) {
        if (ends.count(answers[k].back()) == 0) values[k] -= config.missing_eos_penalty();
      }
      ++counts->prompts;
      counts->answers += static_cast<int64_t>(answers.size());
      const std::vector<double> win_rates = WinRates(values);
      TokenizedPreference pair;
      pair.prompt_ids = example.prompt_ids;
      if (!with_rejected) {
        const auto best = std::max_element(values.begin(), values.end()) - values.begin();
        pair.chosen_ids = answers[best];
        pairs.push_back(std::move(pair));
        continue;
      }
      for (const auto& [chosen, rejected] :
           PairsByWinRate(win_rates, config.selection(), config.min_margin())) {
        pair.chosen_ids = answers[chosen];
        pair.rejected_ids = answers[rejected];
        const std::vector<double>& scores = config.score() == OnPolicyPairs::WIN_RATE ? win_rates : values;
        pair.score_chosen = {scores[chosen]};
        pair.score_rejected = {scores[rejected]};
        pairs.push_back(pair);
      }
    }
  }
  counts->pairs += static_cast<int64_t>(pairs.size());
  *examples = std::move(pairs);
  return absl::OkStatus();
}

std::vector<int64_t> PromptsOfPart(int64_t count, int64_t part, int64_t parts, const RandomStream& random) {
  const std::vector<int64_t> order = random.Permutation(count);
  std::vector<int64_t> own;
  for (int64_t i = part - 1; i < count; i += parts) own.push_back(order[i]);
  std::sort(own.begin(), own.end());
  return own;
}

std::string WriteSampledPairs(absl::Span<const TokenizedPreference> pairs) {
  std::string text;
  for (const TokenizedPreference& pair : pairs) {
    const nlohmann::ordered_json row = {{"prompt_ids", pair.prompt_ids},
                                        {"chosen_ids", pair.chosen_ids},
                                        {"rejected_ids", pair.rejected_ids},
                                        {"score_chosen", pair.score_chosen},
                                        {"score_rejected", pair.score_rejected}};
    absl::StrAppend(&text, row.dump(), "\n");
  }
  return text;
}

absl::StatusOr<std::vector<TokenizedPreference>> ReadSampledPairs(const std::string& text) {
  std::vector<TokenizedPreference> pairs;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    TokenizedPreference pair;
    try {
      row.at("prompt_ids").get_to(pair.prompt_ids);
      row.at("chosen_ids").get_to(pair.chosen_ids);
      row.at("rejected_ids").get_to(pair.rejected_ids);
      row.at("score_chosen").get_to(pair.score_chosen);
      row.at("score_rejected").get_to(pair.score_rejected);
    } catch (const nlohmann::json::exception&) {
      return absl::DataLossError("a row of sampled pairs is damaged");
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace plumb
