#include "alignment/selection/mixture.h"

#include <algorithm>

#include "common/testing/testing.h"

namespace plumb {
namespace {

std::vector<MixedRow> Mix(absl::Span<const MixtureSource> sources, std::optional<int64_t> size, bool shuffle,
                          uint64_t seed = 1) {
  const auto rows = Mixture(sources, size, shuffle, RandomStream(seed, "mix"));
  PLUMB_EXPECT_OK(rows);
  return rows.value_or(std::vector<MixedRow>());
}

// How often each row of a source comes.
std::vector<int> Copies(const std::vector<MixedRow>& rows, int64_t source, int64_t size) {
  std::vector<int> copies(size);
  for (const MixedRow& row : rows) {
    if (row.source == source) ++copies.at(row.row);
  }
  return copies;
}

TEST(Mixture, WeightsAreCopiesOfASource) {
  EXPECT_EQ(MixtureCounts({{10, 0.5}, {4, 1}, {3, 2.5}, {7, 0}}, std::nullopt).value(),
            (std::vector<int64_t>{5, 4, 8, 0}));
  const auto rows = Mix({{10, 0.5}, {4, 1}, {3, 2.5}}, std::nullopt, /*shuffle=*/true);
  EXPECT_EQ(rows.size(), 17u);
  std::vector<int> copies = Copies(rows, 0, 10);
  EXPECT_EQ(std::count(copies.begin(), copies.end(), 1), 5);
  EXPECT_EQ(*std::max_element(copies.begin(), copies.end()), 1);
  EXPECT_EQ(Copies(rows, 1, 4), (std::vector<int>{1, 1, 1, 1}));
  copies = Copies(rows, 2, 3);
  std::sort(copies.begin(), copies.end());
  EXPECT_EQ(copies, (std::vector<int>{2, 3, 3}));
}

TEST(Mixture, WithASizeWeightsAreShares) {
  // 10 * (1/6, 2/6, 3/6) = 1.67, 3.33, 5.
  EXPECT_EQ(MixtureCounts({{100, 1}, {100, 2}, {100, 3}}, 10).value(), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_EQ(MixtureCounts({{5, 1}, {5, 1}, {5, 1}}, 4).value(), (std::vector<int64_t>{2, 1, 1}));
  EXPECT_EQ(MixtureCounts({{5, 1}, {0, 0}}, 4).value(), (std::vector<int64_t>{4, 0}));
  // A source with fewer rows than its share.
  const auto rows = Mix({{2, 1}, {100, 1}}, 10, /*shuffle=*/false);
  std::vector<int> copies = Copies(rows, 0, 2);
  std::sort(copies.begin(), copies.end());
  EXPECT_EQ(copies, (std::vector<int>{2, 3}));
}

TEST(Mixture, UnshuffledKeepsTheOrder) {
  EXPECT_EQ(Mix({{2, 2}, {1, 1}}, std::nullopt, false),
            (std::vector<MixedRow>{{0, 0}, {0, 1}, {0, 0}, {0, 1}, {1, 0}}));
  const auto rows = Mix({{100, 0.3}}, std::nullopt, false);
  EXPECT_EQ(rows.size(), 30u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(),
                             [](const MixedRow& a, const MixedRow& b) { return a.row < b.row; }));
}

TEST(Mixture, IsAFunctionOfTheSeedAndOfEachSourceAlone) {
  const std::vector<MixtureSource> two = {{50, 0.4}, {50, 0.4}};
  EXPECT_EQ(Mix(two, std::nullopt, true, 3), Mix(two, std::nullopt, true, 3));
  EXPECT_FALSE(Mix(two, std::nullopt, true, 3) == Mix(two, std::nullopt, true, 4));
  const auto both = Mix(two, std::nullopt, false);
  EXPECT_NE(Copies(both, 0, 50), Copies(both, 1, 50));
  // Another source beside it changes nothing for the first.
  EXPECT_EQ(Copies(both, 0, 50), Copies(Mix({{50, 0.4}, {7, 3}}, std::nullopt, false), 0, 50));
}

TEST(Mixture, ShufflingIsOverAllSources) {
  const auto rows = Mix({{500, 1}, {500, 1}}, std::nullopt, true);
  int changes = 0;
  for (size_t i = 1; i < rows.size(); ++i) changes += rows[i].source != rows[i - 1].source;
  EXPECT_NEAR(changes, 500, 80);  // five standard deviations
}

TEST(Mixture, TakesEachRowAlikeOften) {
  std::vector<int> copies(10);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    for (const MixedRow& row : Mix({{10, 0.3}}, std::nullopt, false, seed)) ++copies[row.row];
  }
  for (const int count : copies) EXPECT_NEAR(count, 1200, 145);  // five standard deviations
}

TEST(Mixture, RefusesWhatGivesNoRows) {
  EXPECT_EQ(MixtureCounts({{5, 0}, {5, 0}}, std::nullopt).status().message(),
            "all weights are 0: expected one above 0");
  EXPECT_EQ(MixtureCounts({{5, 1}, {0, 1}}, 10).status().message(),
            "source 1 has no rows, but 5 are its share");
  EXPECT_EQ(MixtureCounts({{5, 1}, {0, 1}}, std::nullopt).value(), (std::vector<int64_t>{5, 0}));
}

}  // namespace
}  // namespace plumb
