#include "alignment/selection/rejection_sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

double MaxReward(absl::Span<const double> rewards, const std::vector<int64_t>& left) {
  double max_reward = -std::numeric_limits<double>::infinity();
  for (const int64_t answer : left) max_reward = std::max(max_reward, rewards[answer]);
  return max_reward;
}

}  // namespace

double AcceptanceProbability(double reward, double max_reward, double beta) {
  return std::exp((reward - max_reward) / beta);
}

absl::StatusOr<std::vector<int64_t>> RejectionSample(absl::Span<const double> rewards, int64_t num_samples,
                                                     double beta, const RandomStream& random) {
  if (!(beta > 0)) return absl::InvalidArgumentError(absl::StrCat("beta: ", beta, ": expected more than 0"));
  const int64_t size = rewards.size();
  if (num_samples > size) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at least ", num_samples, " answers to sample from, found ", size));
  }
  std::vector<int64_t> left;
  for (int64_t i = 0; i < size; ++i) {
    if (!std::isfinite(rewards[i])) {
      return absl::InvalidArgumentError(absl::StrCat("the reward of answer ", i, " is not finite"));
    }
    left.push_back(i);
  }
  std::vector<int64_t> taken;
  uint64_t draw = 0;
  while (static_cast<int64_t>(taken.size()) < num_samples) {  // each sweep takes the best answer at least
    const double max_reward = MaxReward(rewards, left);
    std::vector<int64_t> rejected;
    for (const int64_t answer : left) {
      if (static_cast<int64_t>(taken.size()) == num_samples) break;
      const bool is_taken = random.Uniform(draw++) < AcceptanceProbability(rewards[answer], max_reward, beta);
      (is_taken ? taken : rejected).push_back(answer);
    }
    left = std::move(rejected);
  }
  return taken;
}

std::vector<AnswerPair> FirstRoundPairs(absl::Span<const int64_t> taken, absl::Span<const double> rewards,
                                        const RandomStream& random) {
  const std::vector<int64_t> order = random.Permutation(taken.size());
  std::vector<AnswerPair> pairs;
  for (size_t i = 0; i + 1 < order.size(); i += 2) {
    const int64_t a = taken[order[i]], b = taken[order[i + 1]];
    if (rewards[a] > rewards[b]) pairs.push_back({a, b});
    if (rewards[b] > rewards[a]) pairs.push_back({b, a});
  }
  return pairs;
}

}  // namespace plumb
