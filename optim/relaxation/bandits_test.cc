#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <string>

#include "common/testing/testing.h"
#include "optim/relaxation/chebyshev_bandit.h"
#include "optim/relaxation/tsallis_inf.h"

namespace plumb {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

TEST(RelaxationGridTest, HasTheExperimentsEnds) {
  const std::vector<double> grid = RelaxationGrid();
  ASSERT_EQ(grid.size(), 20);
  EXPECT_DOUBLE_EQ(grid.front(), 1);
  EXPECT_DOUBLE_EQ(grid[1], 1.05);
  EXPECT_DOUBLE_EQ(grid.back(), 1.95);
}

// The probabilities minimise p'k / scale - 4 / eta sum sqrt(p) over the simplex, where k / scale - 2 / (eta
// sqrt(p)) is the same number for all actions.
TEST(TsallisInfTest, TheProbabilitiesAreTheMinimiser) {
  TsallisInf bandit(4, RandomStream(3, "bandit"));
  EXPECT_THAT(bandit.Probabilities(), Each(DoubleNear(0.25, 1e-12)));
  for (int round = 1; round <= 300; ++round) {
    const int64_t action = bandit.Choose(0);
    bandit.Tell(2 + action * action);
    const std::vector<double> p = bandit.Probabilities();
    EXPECT_NEAR(Sum(p), 1, 1e-10);
    const double eta = 2 / std::sqrt(round + 1);
    const auto level = [&](int i) {
      return bandit.estimates()[i] / bandit.scale() - 2 / (eta * std::sqrt(p[i]));
    };
    for (int i = 1; i < 4; ++i) EXPECT_NEAR(level(i), level(0), 1e-6 * std::abs(level(0)) + 1e-9);
  }
}

TEST(TsallisInfTest, EstimatesAreCostsByProbability) {
  TsallisInf bandit(2, RandomStream(5, "bandit"));
  const int64_t first = bandit.Choose(0);
  bandit.Tell(11);
  EXPECT_DOUBLE_EQ(bandit.estimates()[first], 20);  // 10 / (1 / 2)
  EXPECT_DOUBLE_EQ(bandit.scale(), 10);
  const double probability = bandit.Probabilities()[bandit.Choose(0)];
  bandit.Tell(5);
  EXPECT_NEAR(Sum(bandit.estimates()), 20 + 4 / probability, 1e-9);
  EXPECT_DOUBLE_EQ(bandit.scale(), 7);
}

// Costs are 1 or 21, for one action 21 less often. Uniform choices would take another 4000 times.
TEST(TsallisInfTest, FindsTheActionThatCostsLeast) {
  const RandomStream costs(1, "costs");
  TsallisInf bandit(5, RandomStream(2, "bandit"));
  int64_t other = 0;
  for (int round = 0; round < 5000; ++round) {
    const int64_t action = bandit.Choose(0);
    other += action != 3;
    bandit.Tell(costs.Uniform(round) < (action == 3 ? 0.3 : 0.5) ? 21 : 1);
  }
  EXPECT_LT(other, 1200);
}

TEST(BinnedTsallisInfTest, LearnsForEachContext) {
  BinnedTsallisInf bandit(3, 2, 0, 1, RandomStream(2, "bandit"));
  int64_t right = 0;
  for (int round = 0; round < 2000; ++round) {
    const double context = round % 2 == 0 ? -0.1 : 0.7;
    const int64_t action = bandit.Choose(context), best = round % 2 == 0 ? 0 : 2;
    right += round >= 1000 && action == best;
    bandit.Tell(action == best ? 2 : 10);
  }
  EXPECT_GT(right, 850);
}

TEST(BoundedLeastSquaresTest, IsTheMinimiser) {
  // (x - 1)^2 / 2 + (y + 3)^2 / 2 + 0.6 (x - 1) (y + 3), least at (1, -3).
  const std::vector<double> gram = {1, 0.6, 0.6, 1};
  const std::vector<double> moments = {1 - 0.6 * 3, 0.6 - 3};
  EXPECT_THAT(BoundedLeastSquares(gram, moments, {5, 5}),
              ElementsAre(DoubleNear(1, 1e-7), DoubleNear(-3, 1e-7)));
  // At y = -2 the slope by x is x - 1 + 0.6: x = 0.4.
  EXPECT_THAT(BoundedLeastSquares(gram, moments, {5, 2}),
              ElementsAre(DoubleNear(0.4, 1e-7), DoubleNear(-2, 1e-7)));
  EXPECT_THAT(BoundedLeastSquares({0, 0, 0, 0}, {0, 0}, {1, 1}), ElementsAre(0, 0));
  // Of one example, which leaves a direction open, the shortest solution.
  EXPECT_THAT(BoundedLeastSquares({1, 2, 2, 4}, {5, 10}, {9, 9}),
              ElementsAre(DoubleNear(1, 1e-6), DoubleNear(2, 1e-6)));
}

ChebyshevBandit Chebyshev(int64_t actions, int64_t terms) {
  ChebyshevBanditOptions options;
  options.terms = terms;
  options.lower = -1;
  options.upper = 3;
  return ChebyshevBandit::Create(actions, options, RandomStream(4, "bandit")).value();
}

TEST(ChebyshevBanditTest, FitsAPolynomial) {
  ChebyshevBandit bandit = Chebyshev(1, 4);
  // In u = (context - 1) / 2: 1 + 20 + 5 T_1 + 2 T_2 - T_3 / 2.
  const auto cost = [](double context) {
    const double u = (context - 1) / 2;
    return 21 + 5 * u + 2 * (2 * u * u - 1) - (4 * u * u * u - 3 * u) / 2;
  };
  for (int round = 0; round < 50; ++round) {
    const double context = -1 + 4 * round / 49.0;
    EXPECT_EQ(bandit.Choose(context), 0);
    bandit.Tell(cost(context));
  }
  EXPECT_THAT(bandit.coefficients(0), ElementsAre(DoubleNear(20, 1e-5), DoubleNear(5, 1e-5),
                                                  DoubleNear(2, 1e-5), DoubleNear(-0.5, 1e-5)));
  EXPECT_NEAR(bandit.Predict(0, 0.3), cost(0.3), 1e-5);
  EXPECT_NEAR(bandit.Predict(0, 9), cost(3), 1e-5);  // as the nearest context within
}

TEST(ChebyshevBanditTest, CoefficientsStayWithinTheirBounds) {
  ChebyshevBandit bandit = Chebyshev(1, 6);
  for (int round = 0; round < 40; ++round) {
    bandit.Choose(-1 + 4 * round / 39.0);
    bandit.Tell(round < 20 ? 1 : 101);  // a jump
  }
  EXPECT_LE(std::abs(bandit.coefficients(0)[0]), 101);
  for (int j = 1; j < 6; ++j) EXPECT_LE(std::abs(bandit.coefficients(0)[j]), 200.0 / j + 1e-9);
}

TEST(ChebyshevBanditTest, DrawsByTheGaps) {
  ChebyshevBandit bandit = Chebyshev(3, 2);
  EXPECT_THAT(bandit.Probabilities(0), Each(DoubleNear(1.0 / 3, 1e-12)));
  // Costs that depend on the context in opposite ways, with noise: the best action changes at 1.
  const RandomStream noise(1, "noise");
  double late = 0, late_best = 0;
  for (int round = 0; round < 4000; ++round) {
    const double context = -1 + 4 * noise.Uniform(round);
    const int64_t action = bandit.Choose(context);
    const double means[] = {30 + 10 * (context - 1), 30 - 10 * (context - 1), 45};
    bandit.Tell(means[action] + noise.Normal(round));
    if (round >= 3000) {
      late += means[action];
      late_best += std::min(means[0], means[1]);
    }
  }
  EXPECT_LT(late, 1.01 * late_best);
  const std::vector<double> p = bandit.Probabilities(2);
  EXPECT_NEAR(Sum(p), 1, 1e-12);
  // 1 / p - 3 is gamma times the gap.
  EXPECT_NEAR((1 / p[2] - 3) / (1 / p[0] - 3),
              (bandit.Predict(2, 2) - bandit.Predict(1, 2)) / (bandit.Predict(0, 2) - bandit.Predict(1, 2)),
              1e-9);
}

TEST(ChebyshevBanditTest, SaysWhatIsWrong) {
  const RandomStream random(1, "bandit");
  ChebyshevBanditOptions options;
  options.terms = 0;
  EXPECT_THAT(ChebyshevBandit::Create(2, options, random).status().message(), HasSubstr("terms 0"));
  options = {};
  options.lower = 1;
  EXPECT_THAT(ChebyshevBandit::Create(2, options, random).status().message(),
              HasSubstr("lower must be below upper"));
  EXPECT_FALSE(ChebyshevBandit::Create(0, {}, random).ok());
}

// Rounds whose costs depend on the context and on the action; the actions chosen.
std::vector<int64_t> Play(Bandit* bandit, int first, int last) {
  const RandomStream noise(9, "noise");
  std::vector<int64_t> actions;
  for (int round = first; round < last; ++round) {
    const double context = 4 * noise.Child("context").Uniform(round) - 1;
    actions.push_back(bandit->Choose(context));
    bandit->Tell(2 + actions.back() * context * context + noise.Uniform(round));
  }
  return actions;
}

// A bandit that was saved between Choose and Tell and loaded into a new one goes on as if nothing had been.
template <typename Make>
void ExpectResumes(const Make& make) {
  auto through = make(), killed = make(), resumed = make();
  Play(&through, 0, 100);
  Play(&killed, 0, 100);
  EXPECT_EQ(through.Choose(0.5), killed.Choose(0.5));
  const auto state = killed.State();
  ASSERT_TRUE(resumed.LoadState(state).ok()) << resumed.LoadState(state);
  through.Tell(7);
  resumed.Tell(7);
  EXPECT_EQ(Play(&through, 101, 300), Play(&resumed, 101, 300));

  // What does not fit is refused, and changes nothing.
  for (const auto& [name, tensor] : state) {
    auto damaged = state;
    damaged.erase(name);
    EXPECT_THAT(std::string(resumed.LoadState(damaged).message()), HasSubstr(name + ": is not there"));
    damaged[name] = tensor.slice(0, 1);
    EXPECT_THAT(std::string(resumed.LoadState(damaged).message()), HasSubstr(name + ": shape"));
    damaged[name] = tensor.to(at::kFloat);
    EXPECT_THAT(std::string(resumed.LoadState(damaged).message()), HasSubstr(name + ": dtype"));
    damaged[name] = tensor;
    damaged["other"] = tensor;
    EXPECT_THAT(std::string(resumed.LoadState(damaged).message()), HasSubstr("other: there is no such part"));
    if (name.find("chosen") != std::string::npos) {
      damaged = state;
      damaged[name] = tensor + 100;
      EXPECT_THAT(std::string(resumed.LoadState(damaged).message()), HasSubstr("chosen: "));
    }
  }
  EXPECT_EQ(Play(&through, 300, 400), Play(&resumed, 300, 400));
}

TEST(BanditTest, GoOnWhereTheyWereSaved) {
  const RandomStream random(3, "bandit");
  ExpectResumes([&] { return TsallisInf(4, random); });
  ExpectResumes([&] { return BinnedTsallisInf(4, 3, -1, 3, random); });
  ExpectResumes([] { return Chebyshev(4, 3); });
}

}  // namespace
}  // namespace plumb
