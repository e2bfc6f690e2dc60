#include "alignment/selection/query_rewriting.h"

#include <glog/logging.h>

#include <algorithm>

namespace plumb {

std::vector<int64_t> NeededRanks(absl::Span<const double> scores, absl::Span<const int64_t> needed) {
  std::vector<bool> is_needed(scores.size(), false);
  for (const int64_t tool : needed) is_needed[tool] = true;
  std::vector<int64_t> ranks;
  for (const int64_t tool : needed) {
    int64_t rank = 1;
    for (size_t other = 0; other < scores.size(); ++other) {
      rank += scores[other] > scores[tool] || (scores[other] == scores[tool] && !is_needed[other]);
    }
    // Of equal needed ones the first comes first.
    for (int64_t other = 0; other < tool; ++other) {
      rank += is_needed[other] && scores[other] == scores[tool];
    }
    ranks.push_back(rank);
  }
  return ranks;
}

double RewriteReward(absl::Span<const int64_t> needed_ranks) {
  CHECK(!needed_ranks.empty()) << "a query that needs no tool";
  return 1.0 / static_cast<double>(*std::max_element(needed_ranks.begin(), needed_ranks.end()));
}

}  // namespace plumb
