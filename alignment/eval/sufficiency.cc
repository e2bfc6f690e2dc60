#include "alignment/eval/sufficiency.h"

#include <glog/logging.h>

#include <algorithm>

namespace plumb {

double SufficiencyAtK(absl::Span<const std::vector<int64_t>> ranks, int64_t k) {
  int64_t sufficient = 0;
  for (const std::vector<int64_t>& of_query : ranks) {
    CHECK(!of_query.empty()) << "a query that needs no tool";
    sufficient += *std::max_element(of_query.begin(), of_query.end()) <= k;
  }
  return ranks.empty() ? 0 : static_cast<double>(sufficient) / static_cast<double>(ranks.size());
}

}  // namespace plumb
