#include "optim/core/line_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

namespace plumb {
namespace {

using Phi = std::function<std::pair<double, double>(double)>;  // value, slope

LineSearchOptions Options(double c1, double c2) {
  LineSearchOptions options;
  options.set_sufficient_decrease(c1);
  options.set_curvature(c2);
  return options;
}

// The functions of section 5 of More and Thuente, in their order.
std::pair<double, double> Fractional(double t) {
  const double d = t * t + 2;
  return {-t / d, (t * t - 2) / (d * d)};
}

std::pair<double, double> Quintic(double t) {
  const double u = t + 0.004;
  return {std::pow(u, 5) - 2 * std::pow(u, 4), 5 * std::pow(u, 4) - 8 * std::pow(u, 3)};
}

std::pair<double, double> Wavy(double t) {
  const double b = 0.01, l = 39, wave = l * M_PI / 2;
  const double hinge = t <= 1 - b ? 1 - t : t >= 1 + b ? t - 1 : (t - 1) * (t - 1) / (2 * b) + b / 2;
  const double hinge_slope = t <= 1 - b ? -1 : t >= 1 + b ? 1 : (t - 1) / b;
  return {hinge + 2 * (1 - b) / (l * M_PI) * std::sin(wave * t), hinge_slope + (1 - b) * std::cos(wave * t)};
}

Phi Yanai(double b1, double b2) {
  return [=](double t) {
    const auto gamma = [](double b) { return std::sqrt(1 + b * b) - b; };
    const double left = std::sqrt((1 - t) * (1 - t) + b2 * b2), right = std::sqrt(t * t + b1 * b1);
    return std::pair<double, double>{gamma(b1) * left + gamma(b2) * right,
                                     -gamma(b1) * (1 - t) / left + gamma(b2) * t / right};
  };
}

StrongWolfeSearch Search(const Phi& phi, const LineSearchOptions& options, double first_step,
                         double max_step = std::numeric_limits<double>::infinity()) {
  const auto [value, slope] = phi(0);
  StrongWolfeSearch search(options, value, slope, first_step, max_step);
  while (search.state() == LineSearchState::kSearching) {
    const auto [trial, trial_slope] = phi(search.step());
    search.Tell(trial, trial_slope);
  }
  return search;
}

void ExpectStrongWolfe(const Phi& phi, const LineSearchOptions& options, double step) {
  const auto [value_0, slope_0] = phi(0);
  const auto [value, slope] = phi(step);
  EXPECT_GT(step, 0);
  EXPECT_LE(value, value_0 + options.sufficient_decrease() * step * slope_0 + 1e-15);
  EXPECT_LE(std::abs(slope), -options.curvature() * slope_0);
}

TEST(StrongWolfeTest, FindsThePointsOfMoreAndThuentesHardFunctions) {
  const struct {
    Phi phi;
    double c1, c2;
  } cases[] = {{Fractional, 0.001, 0.1},
               {Quintic, 0.1, 0.1},
               {Wavy, 0.1, 0.1},
               {Yanai(0.001, 0.001), 0.001, 0.001},
               {Yanai(0.01, 0.001), 0.001, 0.001},
               {Yanai(0.001, 0.01), 0.001, 0.001}};
  int number = 0;
  for (const auto& [phi, c1, c2] : cases) {
    ++number;
    for (const double first_step : {1e-3, 1e-1, 1e1, 1e3}) {
      SCOPED_TRACE(testing::Message() << "function " << number << " from " << first_step);
      const StrongWolfeSearch search = Search(phi, Options(c1, c2), first_step);
      EXPECT_EQ(search.state(), LineSearchState::kAccepted);
      ExpectStrongWolfe(phi, Options(c1, c2), search.step());
      EXPECT_LE(search.evaluations(), 14);  // the most of the paper's tables is 13
    }
  }
}

TEST(StrongWolfeTest, StopsAtTheLargestStep) {
  const Phi line = [](double t) { return std::pair<double, double>{-t, -1}; };
  const StrongWolfeSearch search = Search(line, Options(1e-4, 0.9), 1, 7);
  EXPECT_EQ(search.state(), LineSearchState::kAtMaxStep);
  EXPECT_EQ(search.step(), 7);
}

TEST(StrongWolfeTest, AFallingLineWithoutEndIsDecrease) {
  const Phi line = [](double t) { return std::pair<double, double>{-t, -1}; };
  const StrongWolfeSearch search = Search(line, Options(1e-4, 0.9), 1);
  EXPECT_EQ(search.state(), LineSearchState::kDecreased);
  EXPECT_GT(search.step(), 1e6);
}

TEST(StrongWolfeTest, FailedEvaluationsShortenTheStep) {
  const Phi barrier = [](double t) {
    return std::pair<double, double>{-std::log(1 - t) - 3 * t, 1 / (1 - t) - 3};  // minimum 2/3, NaN from 1
  };
  for (const double first_step : {0.01, 0.9, 1.0, 5.0, 1e6}) {
    const StrongWolfeSearch search = Search(barrier, Options(1e-4, 0.1), first_step);
    EXPECT_EQ(search.state(), LineSearchState::kAccepted) << first_step;
    ExpectStrongWolfe(barrier, Options(1e-4, 0.1), search.step());
  }
  const Phi never = [](double t) { return std::pair<double, double>{t == 0 ? 1 : std::nan(""), -1}; };
  const StrongWolfeSearch search = Search(never, Options(1e-4, 0.9), 1);
  EXPECT_EQ(search.state(), LineSearchState::kFailed);
  EXPECT_EQ(search.step(), 0);
}

TEST(StrongWolfeTest, RisingDirectionsAndNoiseFail) {
  const Phi rising = [](double t) { return std::pair<double, double>{t, 1}; };
  EXPECT_EQ(Search(rising, Options(1e-4, 0.9), 1).state(), LineSearchState::kFailed);
  // The slope lies: phi rises whatever the step.
  const Phi liar = [](double t) { return std::pair<double, double>{t, -1}; };
  EXPECT_EQ(Search(liar, Options(1e-4, 0.9), 1).state(), LineSearchState::kFailed);
}

TEST(StrongWolfeTest, RoundingDoesNotHideTheMinimum) {
  // Near 1e6 values differ by 1e-10 at the least, the decrease is 5e-13.
  const Phi phi = [](double t) {
    return std::pair<double, double>{1e6 + 5e-13 * (t - 1) * (t - 1), 1e-12 * (t - 1)};
  };
  const StrongWolfeSearch search = Search(phi, Options(1e-4, 0.1), 1);
  EXPECT_EQ(search.state(), LineSearchState::kAccepted);
  EXPECT_NEAR(search.step(), 1, 0.1);
}

TEST(StrongWolfeTest, TellSaysWhichPointIsKept) {
  for (const double first_step : {1e-3, 1e3}) {
    const auto [value, slope] = Wavy(0);
    StrongWolfeSearch search(Options(0.1, 1e-9), value, slope, first_step);
    double kept = 0;
    while (search.state() == LineSearchState::kSearching) {
      const double step = search.step();
      const auto [trial, trial_slope] = Wavy(step);
      if (search.Tell(trial, trial_slope)) kept = step;
    }
    EXPECT_EQ(kept, search.step());
  }
}

double Backtrack(const std::function<double(double)>& phi, double slope, double first_step,
                 int64_t* evaluations) {
  BacktrackingSearch search({}, phi(0), slope, first_step);
  while (search.state() == LineSearchState::kSearching) search.Tell(phi(search.step()));
  *evaluations = search.evaluations();
  return search.state() == LineSearchState::kAccepted ? search.step() : -1;
}

TEST(BacktrackingTest, InterpolatesQuadraticsExactly) {
  int64_t evaluations;
  const auto quadratic = [](double t) { return 3 * (t - 0.4) * (t - 0.4); };
  EXPECT_NEAR(Backtrack(quadratic, -2.4, 1, &evaluations), 0.4, 1e-15);
  EXPECT_EQ(evaluations, 2);
}

TEST(BacktrackingTest, FindsSmallStepsThroughTheCubic) {
  int64_t evaluations;
  const auto steep = [](double t) { return -t + 1e8 * t * t * t; };
  const double step = Backtrack(steep, -1, 1, &evaluations);
  EXPECT_LE(steep(step), -1e-4 * step);
  EXPECT_GT(step, 2e-6);  // the minimum is at 5.8e-5
  EXPECT_LE(evaluations, 8);
}

TEST(BacktrackingTest, FailedEvaluationsShortenAndARiseFails) {
  int64_t evaluations;
  const auto barrier = [](double t) { return -std::log(1e-3 - t) - 2e3 * t; };
  const double step = Backtrack(barrier, -1e3, 1, &evaluations);
  EXPECT_GT(step, 0);
  EXPECT_LT(step, 1e-3);
  EXPECT_EQ(Backtrack([](double t) { return t; }, -1, 1, &evaluations), -1);
  EXPECT_EQ(evaluations, LineSearchOptions().max_evaluations());
}

}  // namespace
}  // namespace plumb
