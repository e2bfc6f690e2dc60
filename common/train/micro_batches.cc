#include "common/train/micro_batches.h"

#include <algorithm>
#include <numeric>

namespace plumb {

std::vector<std::vector<int64_t>> MicroBatches(absl::Span<const int64_t> examples,
                                               absl::Span<const int64_t> tokens, int64_t max_examples,
                                               int64_t max_tokens) {
  std::vector<std::vector<int64_t>> batches;
  bool fits = true;
  for (size_t begin = 0; begin < examples.size(); begin += max_examples) {
    const auto some = examples.subspan(begin, max_examples);
    const auto their_tokens = tokens.subspan(begin, max_examples);
    fits = fits && std::accumulate(their_tokens.begin(), their_tokens.end(), int64_t{0}) <= max_tokens;
    batches.emplace_back(some.begin(), some.end());
  }
  if (fits || max_tokens == 0) return batches;

  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return tokens[a] > tokens[b]; });
  batches.clear();
  int64_t room = 0;  // tokens that the last batch may still take
  for (const size_t i : order) {
    if (batches.empty() || tokens[i] > room || static_cast<int64_t>(batches.back().size()) == max_examples) {
      batches.emplace_back();
      room = max_tokens;
    }
    batches.back().push_back(examples[i]);
    room -= tokens[i];
  }
  return batches;
}

}  // namespace plumb
