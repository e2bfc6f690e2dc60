#include "optim/zeroth_order/rank_sgd.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(RankWeightsTest, SumToZeroForEveryRanking) {
  for (int64_t m = 2; m < 20; ++m) {
    for (int64_t k = 1; k <= m; ++k) {
      const std::vector<double> weights = RankWeights(m, k);
      EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 0, 1e-14) << m << " " << k;
    }
  }
  EXPECT_THAT(RankWeights(4, 4), ElementsAre(-3.0 / 6, -1.0 / 6, 1.0 / 6, 3.0 / 6));
  EXPECT_THAT(RankWeights(4, 1), ElementsAre(-3.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3));
}

// The weights are the mean over the edges of the ranking's graph.
TEST(RankGradientTest, IsTheMeanOverTheGraphsEdges) {
  const at::Tensor xi = Numbers({6, 4}, 0.1);
  const std::vector<int64_t> order = {4, 1, 5, 0, 2, 3};
  for (const int64_t k : {1, 2, 5, 6}) {
    at::Tensor sum = at::zeros({4}, at::kDouble);
    int edges = 0;
    for (int64_t i = 0; i < k; ++i) {
      for (size_t j = i + 1; j < order.size(); ++j, ++edges) sum += xi[order[j]] - xi[order[i]];
    }
    EXPECT_LT(Difference(RankGradient(xi, absl::MakeSpan(order).subspan(0, k)), sum / edges), 1e-14);
  }
}

TEST(RankingOfTest, PutsFailuresLast) {
  EXPECT_THAT(RankingOf({2, NAN, -1, 2, INFINITY}, 5), ElementsAre(2, 0, 3, 4, 1));
  EXPECT_THAT(RankingOf({2, NAN, -1, 2, INFINITY}, 2), ElementsAre(2, 0));
}

// For f(x) = a . x the estimator points along a: the mean of many is parallel to it (the paper's Lemma on the
// inner product with the gradient), for each k.
TEST(RankGradientTest, PointsUphillInTheMean) {
  const at::Tensor a = Numbers({8}, 0.7);
  for (const int64_t k : {1, 5, 15}) {
    at::Tensor sum = at::zeros({8}, at::kDouble);
    for (int64_t trial = 0; trial < 4000; ++trial) {
      const at::Tensor xi = RandomStream(1, "xi").Child(trial).NormalTensor({15, 8}, at::kDouble);
      const at::Tensor values = at::mv(xi, a);
      sum += RankGradient(xi, RankingOf({values.const_data_ptr<double>(), 15}, k));
    }
    const double cosine = (sum * a).sum().item<double>() / (sum.norm() * a.norm()).item<double>();
    EXPECT_GT(cosine, 0.998) << k;
  }
}

double Quadratic(const at::Tensor& x) { return x.square().sum().item<double>(); }

// After the given number of queries of 15 points.
double Minimized(const RankSgdOptions& options, int64_t queries, uint64_t seed) {
  RankSgd method =
      RankSgd::Create(at::full({100}, 1.0, at::kDouble), options, RandomStream(seed, "rank")).value();
  for (int64_t query = 0; query < queries; ++query) {
    std::vector<double> values;
    for (int64_t i = 0; i < method.Ask().size(0); ++i) values.push_back(Quadratic(method.Ask()[i]));
    PLUMB_EXPECT_OK(method.Tell(RankingOf(values, method.WantedRanks())));
  }
  return Quadratic(method.current());
}

// The paper's figures on the value of more ranks: a full ranking does better than the best one alone at the
// same number of queries.
TEST(RankSgdTest, MoreRanksDescendFaster) {
  for (const uint64_t seed : {1, 2, 3}) {
    const double full = Minimized({15, 15, 0.01, 0.5}, 150, seed);
    EXPECT_LT(full, 0.5 * Minimized({15, 1, 0.01, 0.5}, 150, seed));
    EXPECT_LT(full, 20);  // from 100
  }
}

TEST(RankSgdTest, LineSearchNeverMakesItWorse) {
  RankSgd method = RankSgd::Create(at::full({20}, 1.0, at::kDouble), {10, 10, 0.1, /*step_size=*/64, 8, 0.5},
                                   RandomStream(1, "rank"))
                       .value();
  double before = Quadratic(method.current());
  while (method.rounds() < 60) {
    std::vector<double> values;
    for (int64_t i = 0; i < method.Ask().size(0); ++i) values.push_back(Quadratic(method.Ask()[i]));
    PLUMB_ASSERT_OK(method.Tell(RankingOf(values, method.WantedRanks())));
    EXPECT_LE(Quadratic(method.current()), before);
    before = Quadratic(method.current());
  }
  EXPECT_LT(before, 1);  // from 20, with a first step far too large
}

TEST(RankSgdTest, SaysWhatIsWrong) {
  const at::Tensor start = at::zeros({3});
  const auto message = [&](const RankSgdOptions& options) {
    return std::string(RankSgd::Create(start, options, RandomStream(1, "")).status().message());
  };
  EXPECT_THAT(message({1, 1}), HasSubstr("m 1"));
  EXPECT_THAT(message({5, 6}), HasSubstr("k 6: must be within [1, 5]"));
  EXPECT_THAT(message({5, 5, 0}), HasSubstr("mu 0"));
  RankSgd method = RankSgd::Create(start, {5, 3}, RandomStream(1, "")).value();
  EXPECT_THAT(method.Tell({0, 1}).message(), HasSubstr("2 points: 3 were asked for"));
  EXPECT_THAT(method.Tell({0, 1, 5}).message(), HasSubstr("point 5"));
  EXPECT_THAT(method.Tell({0, 1, 0}).message(), HasSubstr("point 0 comes twice"));
  EXPECT_EQ(method.rounds(), 0);
}

}  // namespace
}  // namespace plumb
