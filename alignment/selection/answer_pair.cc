#include "alignment/selection/answer_pair.h"

#include <algorithm>

namespace plumb {

std::optional<AnswerPair> BestAgainstWorst(absl::Span<const double> rewards, double min_margin) {
  if (rewards.empty()) return std::nullopt;
  AnswerPair pair;
  pair.chosen = std::max_element(rewards.begin(), rewards.end()) - rewards.begin();
  pair.rejected = std::min_element(rewards.begin(), rewards.end()) - rewards.begin();
  const double margin = rewards[pair.chosen] - rewards[pair.rejected];
  if (!(margin > 0 && margin > min_margin)) return std::nullopt;
  return pair;
}

}  // namespace plumb
