#include "alignment/selection/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// Shares of `size`: their whole parts, and what that leaves to those of the largest remainders.
std::vector<int64_t> Shares(absl::Span<const MixtureSource> sources, double total_weight, int64_t size) {
  std::vector<int64_t> counts;
  std::vector<double> remainders;
  int64_t left = size;
  for (const MixtureSource& source : sources) {
    const double share = size * (source.weight / total_weight);
    counts.push_back(static_cast<int64_t>(std::floor(share)));
    remainders.push_back(share - std::floor(share));
    left -= counts.back();
  }
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  for (int64_t i = 0; i < left; ++i) ++counts[order[i % order.size()]];
  return counts;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> MixtureCounts(absl::Span<const MixtureSource> sources,
                                                   std::optional<int64_t> size) {
  double total_weight = 0;
  for (const MixtureSource& source : sources) total_weight += source.weight;
  if (!(total_weight > 0)) return absl::InvalidArgumentError("all weights are 0: expected one above 0");
  std::vector<int64_t> counts;
  if (size.has_value()) {
    counts = Shares(sources, total_weight, *size);
  } else {
    for (const MixtureSource& source : sources) counts.push_back(std::llround(source.rows * source.weight));
  }
  for (size_t s = 0; s < sources.size(); ++s) {
    if (counts[s] > 0 && sources[s].rows == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("source ", s, " has no rows, but ", counts[s], " are its share"));
    }
  }
  return counts;
}

absl::StatusOr<std::vector<MixedRow>> Mixture(absl::Span<const MixtureSource> sources,
                                              std::optional<int64_t> size, bool shuffle,
                                              const RandomStream& random) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<int64_t> counts, MixtureCounts(sources, size));
  std::vector<MixedRow> rows;
  for (int64_t s = 0; s < static_cast<int64_t>(sources.size()); ++s) {
    if (counts[s] == 0) continue;
    for (int64_t copy = 0; copy < counts[s] / sources[s].rows; ++copy) {
      for (int64_t row = 0; row < sources[s].rows; ++row) rows.push_back({s, row});
    }
    std::vector<int64_t> rest = random.Child("source").Child(s).Permutation(sources[s].rows);
    rest.resize(counts[s] % sources[s].rows);
    std::sort(rest.begin(), rest.end());
    for (const int64_t row : rest) rows.push_back({s, row});
  }
  if (!shuffle) return rows;
  std::vector<MixedRow> shuffled;
  shuffled.reserve(rows.size());
  for (const int64_t i : random.Child("order").Permutation(rows.size())) shuffled.push_back(rows[i]);
  return shuffled;
}

}  // namespace plumb
