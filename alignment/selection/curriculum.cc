#include "alignment/selection/curriculum.h"

#include <algorithm>
#include <numeric>

namespace plumb {

std::vector<CurriculumPair> CurriculumPairs(absl::Span<const double> scores,
                                            const CurriculumOptions& options) {
  const int64_t size = scores.size();
  std::vector<int64_t> ranking(size);
  std::iota(ranking.begin(), ranking.end(), 0);
  std::stable_sort(ranking.begin(), ranking.end(),
                   [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<CurriculumPair> pairs;
  for (int64_t better = 0; better < (options.all_pairs ? size : std::min<int64_t>(1, size)); ++better) {
    for (int64_t worse = size - 1; worse > better; --worse) {
      const AnswerPair answers = {ranking[better], ranking[worse]};
      const double gap = scores[answers.chosen] - scores[answers.rejected];
      if (gap > 0 && gap > options.min_gap) pairs.push_back({answers, gap, 0});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const CurriculumPair& a, const CurriculumPair& b) { return a.gap > b.gap; });
  const int64_t count = pairs.size();
  for (int64_t i = 0; i < count; ++i) pairs[i].stage = i * options.stages / count;
  return pairs;
}

}  // namespace plumb
