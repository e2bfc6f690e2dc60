#include "alignment/selection/rejection_sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/testing/testing.h"

namespace plumb {
namespace {

constexpr int kTrials = 40000;

std::vector<int64_t> Sample(absl::Span<const double> rewards, int64_t num_samples, double beta,
                            uint64_t seed) {
  const auto taken = RejectionSample(rewards, num_samples, beta, RandomStream(seed, "test"));
  PLUMB_EXPECT_OK(taken);
  return taken.value_or(std::vector<int64_t>());
}

// That `count` of kTrials came with probability p: within five standard deviations.
void ExpectFrequency(int count, double p) {
  EXPECT_NEAR(count, kTrials * p, 5 * std::sqrt(kTrials * p * (1 - p)) + 1e-9);
}

TEST(RejectionSampling, AcceptanceIsTheClosedForm) {
  EXPECT_EQ(AcceptanceProbability(1.5, 1.5, 0.5), 1);
  EXPECT_DOUBLE_EQ(AcceptanceProbability(1, 2, 0.5), std::exp(-2.0));
  EXPECT_EQ(AcceptanceProbability(0, 1, 1e-4), 0);
}

TEST(RejectionSampling, TakesEachAnswerWithItsProbability) {
  const std::vector<double> rewards = {0.2, -0.3, 1.0, 0.7};
  const double beta = 0.8;
  std::vector<int> counts(rewards.size());
  for (int trial = 0; trial < kTrials; ++trial) ++counts[Sample(rewards, 1, beta, trial)[0]];
  // The first one taken: those before it were rejected, and none is reached after the best.
  double reached = 1;
  for (size_t i = 0; i < rewards.size(); ++i) {
    const double p = std::exp((rewards[i] - 1.0) / beta);
    ExpectFrequency(counts[i], reached * p);
    reached *= 1 - p;
  }
  EXPECT_EQ(counts[3], 0);
}

TEST(RejectionSampling, LooksUpTheBestAgainBeforeEachSweep) {
  // Two answers, two samples: the best first unless the other was taken in the first sweep, before it.
  const std::vector<double> rewards = {0, 1};
  int other_first = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<int64_t> taken = Sample(rewards, 2, 0.5, trial);
    ASSERT_EQ(taken.size(), 2u);
    other_first += taken[0] == 0;
  }
  ExpectFrequency(other_first, std::exp(-2.0));
  // With the best's reward still standing, a sweep would take the other once in e^1000.
  EXPECT_EQ(Sample({0, 1000}, 2, 1, 1), (std::vector<int64_t>{1, 0}));
}

TEST(RejectionSampling, SamplesTheTiltedPolicy) {
  // Theorem 1: of many answers drawn from a policy over three texts, those taken follow pi(y) exp(r(y) /
  // beta).
  const std::vector<double> policy = {0.6, 0.3, 0.1}, reward = {0, 0.5, 1.2};
  const double beta = 0.7;
  std::vector<int> counts(3);
  for (int trial = 0; trial < kTrials; ++trial) {
    const RandomStream draws(trial, "draws");
    std::vector<int> texts;
    std::vector<double> rewards;
    for (int i = 0; i < 200; ++i) {  // without the third text there: once in a billion
      const double u = draws.Uniform(i);
      texts.push_back(u < 0.6 ? 0 : u < 0.9 ? 1 : 2);
      rewards.push_back(reward[texts.back()]);
    }
    ++counts[texts[Sample(rewards, 1, beta, trial)[0]]];
  }
  double total = 0;
  for (int y = 0; y < 3; ++y) total += policy[y] * std::exp(reward[y] / beta);
  for (int y = 0; y < 3; ++y) ExpectFrequency(counts[y], policy[y] * std::exp(reward[y] / beta) / total);
}

TEST(RejectionSampling, ASmallBetaTakesTheBestALargeOneTheFirst) {
  const std::vector<double> rewards = {3, 1, 4, 1.5, 5, 9, 2, 6};
  EXPECT_EQ(Sample(rewards, 3, 1e-6, 7), (std::vector<int64_t>{5, 7, 4}));
  EXPECT_EQ(Sample(rewards, 3, 1e12, 7), (std::vector<int64_t>{0, 1, 2}));
}

TEST(RejectionSampling, TakesEachAnswerOnce) {
  std::vector<int64_t> taken = Sample({1, 2, 2, 0, -5}, 5, 0.3, 11);
  std::sort(taken.begin(), taken.end());
  EXPECT_EQ(taken, (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(Sample({}, 0, 1, 1).empty());
}

TEST(RejectionSampling, RefusesWhatItCannotSample) {
  const RandomStream random(1, "test");
  EXPECT_EQ(RejectionSample({1, 2}, 3, 1, random).status().message(),
            "expected at least 3 answers to sample from, found 2");
  EXPECT_EQ(RejectionSample({1, 2}, 1, 0, random).status().message(), "beta: 0: expected more than 0");
  EXPECT_EQ(RejectionSample({1, std::nan("")}, 1, 1, random).status().message(),
            "the reward of answer 1 is not finite");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(RejectionSample({infinity, 1}, 1, 1, random).ok());
}

TEST(RejectionSampling, PairsWhatWasTaken) {
  const std::vector<double> rewards = {5, 1, 1, 3, 4};
  const std::vector<int64_t> taken = {4, 0, 3, 1, 2};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<int> used(rewards.size());
    for (const AnswerPair& pair : FirstRoundPairs(taken, rewards, RandomStream(seed, "pairs"))) {
      EXPECT_GT(rewards[pair.chosen], rewards[pair.rejected]);
      ++used[pair.chosen];
      ++used[pair.rejected];
    }
    EXPECT_LE(*std::max_element(used.begin(), used.end()), 1);
    const int total = std::accumulate(used.begin(), used.end(), 0);
    EXPECT_TRUE(total == 4 || total == 2) << total;  // two answers have equal rewards
  }
  EXPECT_TRUE(FirstRoundPairs({2}, rewards, RandomStream(1, "pairs")).empty());
}

}  // namespace
}  // namespace plumb
