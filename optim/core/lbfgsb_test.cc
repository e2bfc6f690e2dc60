#include "optim/core/lbfgsb.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Function = at::Tensor (*)(const at::Tensor&);  // [B, D] -> [B]

at::Tensor Column(const at::Tensor& x, int64_t i) { return x.select(1, i); }

at::Tensor Rosenbrock(const at::Tensor& x) {
  const int64_t size = x.size(1) - 1;
  const at::Tensor head = x.narrow(1, 0, size), tail = x.narrow(1, 1, size);
  return (100 * (tail - head.pow(2)).pow(2) + (1 - head).pow(2)).sum(1);
}

const std::map<std::string, Function> kFunctions = {
    {"rosenbrock", Rosenbrock},
    {"quadratic",
     [](const at::Tensor& x) {
       const at::Tensor i = at::arange(x.size(1), at::kDouble);
       const at::Tensor scale = (i * (4 * std::log(10.0) / (x.size(1) - 1))).exp();
       return 0.5 * (scale * (x - 2 * (i * M_PI).cos()).pow(2)).sum(1);
     }},
    {"hs3", [](const at::Tensor& x) { return Column(x, 1) + 1e-5 * (Column(x, 1) - Column(x, 0)).pow(2); }},
    {"hs4", [](const at::Tensor& x) { return (Column(x, 0) + 1).pow(3) / 3 + Column(x, 1); }},
    {"hs5",
     [](const at::Tensor& x) {
       const at::Tensor a = Column(x, 0), b = Column(x, 1);
       return (a + b).sin() + (a - b).pow(2) - 1.5 * a + 2.5 * b + 1;
     }},
    {"hs38",
     [](const at::Tensor& x) {
       const at::Tensor b = Column(x, 1) - 1, d = Column(x, 3) - 1;
       return Rosenbrock(x.narrow(1, 0, 2)) + 90 * (Column(x, 3) - Column(x, 2).pow(2)).pow(2) +
              (1 - Column(x, 2)).pow(2) + 10.1 * (b.pow(2) + d.pow(2)) + 19.8 * b * d;
     }},
    {"hs45", [](const at::Tensor& x) { return 2 - x.prod(1) / 120; }},
    {"hs110",
     [](const at::Tensor& x) {
       return (at::log(x - 2).pow(2) + at::log(10 - x).pow(2)).sum(1) - x.prod(1).pow(0.2);
     }},
};

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

at::Tensor Bounds(const nlohmann::json& values) {
  std::vector<double> bounds = values;
  for (double& bound : bounds) bound = std::abs(bound) >= 1e30 ? bound * HUGE_VAL : bound;
  return Tensor(bounds);
}

LbfgsbOptions Tight() {
  LbfgsbOptions options;
  options.set_ftol(0);
  options.set_gtol(1e-9);
  return options;
}

LbfgsbResult Minimize(const Objective& objective, const at::Tensor& starts,
                      const LbfgsbOptions& options = Tight(), const at::Tensor& lower = {},
                      const at::Tensor& upper = {}) {
  return MinimizeLbfgsb(objective, starts, lower, upper, options).value();
}

TEST(LbfgsbTest, FindsWhatScipyFindsWithAsFewEvaluations) {
  const nlohmann::json golden =
      nlohmann::json::parse(ReadFile(Runfile("optim/core/testdata/lbfgsb.json")).value());
  ASSERT_EQ(golden["problems"].size(), 14);
  int64_t ours = 0, theirs = 0;
  for (const nlohmann::json& problem : golden["problems"]) {
    SCOPED_TRACE(problem["name"].get<std::string>());
    const Objective objective = WithAutograd(kFunctions.at(problem["function"]));
    const at::Tensor start = Tensor(problem["start"]).unsqueeze(0);
    const at::Tensor lower = Bounds(problem["lower"]), upper = Bounds(problem["upper"]);
    for (const std::string precision : {"default", "tight"}) {
      const LbfgsbOptions options = precision == "tight" ? Tight() : LbfgsbOptions();
      const LbfgsbResult result = Minimize(objective, start, options, lower, upper);
      SCOPED_TRACE(precision + ": " + result.summary.FullReport());
      // At the last digits a line search may find nothing lower before gtol is met, as scipy's does.
      EXPECT_TRUE(result.summary.converged() || precision == "tight");
      const double value = problem[precision]["value"], scale = std::max(1.0, std::abs(value));
      EXPECT_NEAR(result.values.item<double>(), value, (precision == "tight" ? 1e-12 : 1e-5) * scale);
      EXPECT_TRUE(((result.points >= lower) & (result.points <= upper)).all().item<bool>());
      const int64_t evaluations = problem[precision]["evaluations"];
      std::printf("%-22s %-8s %4d evaluations, scipy %4d\n", problem["name"].get<std::string>().c_str(),
                  precision.c_str(), int(result.summary.calls.values), int(evaluations));
      EXPECT_LE(result.summary.calls.values, 1.2 * evaluations + 3);
      ours += result.summary.calls.values;
      theirs += evaluations;
      if (precision == "default") continue;
      const at::Tensor error = result.points[0] - Tensor(problem["tight"]["x"]);
      const double flat = problem["name"] == "hs3" ? 1 : 1e-7;  // hs3 is, along a line
      EXPECT_LE(error.abs().max().item<double>(), flat);
    }
  }
  EXPECT_LE(ours, 1.05 * theirs);
}

TEST(LbfgsbTest, AStartsResultDependsNeitherOnOthersNorOnThreads) {
  const Objective objective = WithAutograd(Rosenbrock);
  const at::Tensor starts = RandomStream(1, "lbfgsb_test").NormalTensor({12, 5}, at::kDouble) * 2;
  const at::Tensor lower = at::full({5}, -1.5, at::kDouble), upper = at::full({5}, 0.8, at::kDouble);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const LbfgsbResult serial = Minimize(objective, starts, Tight(), lower, upper);
  at::set_num_threads(2);
  const LbfgsbResult all = Minimize(objective, starts, Tight(), lower, upper);
  at::set_num_threads(threads);
  EXPECT_TRUE(serial.points.equal(all.points));
  for (int64_t i = 0; i < starts.size(0); ++i) {
    const LbfgsbResult alone = Minimize(objective, starts.narrow(0, i, 1), Tight(), lower, upper);
    EXPECT_TRUE(alone.points[0].equal(all.points[i])) << i;
    EXPECT_EQ(alone.summary.calls.values, all.summaries[i].calls.values);
  }
  EXPECT_EQ(all.best, all.values.argmin().item<int64_t>());
  EXPECT_EQ(all.summary.value, all.values.min().item<double>());
}

TEST(LbfgsbTest, OneCallEvaluatesAllThatNeedIt) {
  std::vector<int64_t> sizes;
  const Objective rosenbrock = WithAutograd(Rosenbrock);
  const Objective counted = [&](const at::Tensor& points) {
    sizes.push_back(points.size(0));
    return rosenbrock(points);
  };
  const LbfgsbResult result =
      Minimize(counted, RandomStream(1, "lbfgsb_test").NormalTensor({6, 2}, at::kDouble));
  int64_t longest = 0, sum = 0;
  for (const Summary& summary : result.summaries) {
    longest = std::max(longest, summary.calls.values);
    sum += summary.calls.values;
  }
  EXPECT_EQ(sizes.front(), 6);
  EXPECT_EQ(sizes.size(), longest);
  EXPECT_EQ(result.summary.calls.values, sum);
  EXPECT_EQ(result.summary.calls.gradients, sum);
}

TEST(LbfgsbTest, FailedPointsAreWalls) {
  // log(1 - x) ends at 1; the first steps go far beyond.
  const Objective barrier =
      WithAutograd([](const at::Tensor& x) { return (-at::log(1 - x) - 300 * x).sum(1); });
  const LbfgsbResult result = Minimize(barrier, at::full({1, 3}, -50.0, at::kDouble));
  EXPECT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_NEAR(result.points[0][2].item<double>(), 1 - 1.0 / 300, 1e-9);
  EXPECT_GT(result.summary.calls.failed, 0);

  // A start that fails, beside one that does not.
  const LbfgsbResult both = Minimize(barrier, at::tensor({2.0, 0.5}, at::kDouble).view({2, 1}));
  EXPECT_EQ(both.summaries[0].termination, Termination::kNumericalFailure);
  EXPECT_THAT(both.summaries[0].reason, HasSubstr("the first point failed"));
  EXPECT_EQ(both.best, 1);
  EXPECT_TRUE(both.summary.converged());
  const LbfgsbResult none = Minimize(barrier, at::full({1, 1}, 2.0, at::kDouble));
  EXPECT_EQ(none.best, -1);
  EXPECT_TRUE(std::isnan(none.values.item<double>()));
}

TEST(LbfgsbTest, EndsAsToldTo) {
  const Objective objective = WithAutograd(Rosenbrock);
  const at::Tensor start = Tensor({-1.2, 1}).unsqueeze(0);
  LbfgsbOptions options = Tight();
  options.mutable_stop()->set_max_iterations(3);
  LbfgsbResult result = Minimize(objective, start, options);
  EXPECT_EQ(result.summary.termination, Termination::kMaxIterations);
  EXPECT_EQ(result.summary.iterations, 3);
  EXPECT_EQ(result.summary.history.size(), 3);
  options.mutable_stop()->set_max_evaluations(3);
  result = Minimize(objective, start, options);
  EXPECT_EQ(result.summary.termination, Termination::kMaxEvaluations);
  EXPECT_EQ(result.summary.calls.values, 3);
  EXPECT_LT(result.summary.value, 24.2);  // the best so far is kept

  const LbfgsbResult stopped =
      MinimizeLbfgsb(objective, at::cat({start, start - 1}), {}, {}, Tight(), [](const IterationRecord&) {
        return false;
      }).value();
  for (const Summary& summary : stopped.summaries) {
    EXPECT_EQ(summary.termination, Termination::kStopped);
    EXPECT_EQ(summary.iterations, 1);
  }
  const Objective falling = WithAutograd([](const at::Tensor& x) { return -x.pow(3).sum(1); });
  EXPECT_EQ(Minimize(falling, at::full({1, 1}, 1.0, at::kDouble)).summary.termination,
            Termination::kUnbounded);
}

TEST(LbfgsbTest, FixedCoordinatesAndStartsOutsideTheBox) {
  const at::Tensor lower = Tensor({0.5, -10}), upper = Tensor({0.5, 10});
  LbfgsbResult result =
      Minimize(WithAutograd(Rosenbrock), at::full({1, 2}, 100.0, at::kDouble), Tight(), lower, upper);
  EXPECT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_EQ(result.points[0][0].item<double>(), 0.5);
  EXPECT_NEAR(result.points[0][1].item<double>(), 0.25, 1e-9);
  result = Minimize(WithAutograd(Rosenbrock), at::full({1, 2}, 100.0, at::kDouble), Tight(), lower, lower);
  EXPECT_TRUE(result.summary.converged());
  EXPECT_EQ(result.summary.calls.values, 1);
}

TEST(LbfgsbTest, WrongInputIsTold) {
  const Objective objective = WithAutograd(Rosenbrock);
  EXPECT_THAT(MinimizeLbfgsb(objective, Tensor({1, 2}), {}, {}, {}).status().message(),
              HasSubstr("starts: shape [2]"));
  EXPECT_THAT(MinimizeLbfgsb(objective, at::zeros({0, 2}), {}, {}, {}).status().message(),
              HasSubstr("starts"));
  EXPECT_THAT(
      MinimizeLbfgsb(objective, at::zeros({1, 2}), Tensor({0, 1}), Tensor({0, 0}), {}).status().message(),
      HasSubstr("coordinate 1"));
}

}  // namespace
}  // namespace plumb
