#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/testing/testing.h"
#include "optim/private/pld_accountant.h"
#include "optim/private/rdp_accountant.h"

namespace plumb {
namespace {

using testing::HasSubstr;

nlohmann::json Golden() {
  return nlohmann::json::parse(ReadFile(Runfile("optim/private/testdata/dp_accounting.json")).value());
}

std::vector<SampledGaussian> Phases(const nlohmann::json& rows) {
  std::vector<SampledGaussian> phases;
  for (const auto& row : rows) phases.push_back({row[0], row[1], row[2]});
  return phases;
}

double UpperTail(double x) { return 0.5 * std::erfc(x * M_SQRT1_2); }

// The delta of one Gaussian step (Balle and Wang 2018, arXiv 1805.06530, Theorem 8).
double GaussianDelta(double noise_multiplier, double epsilon) {
  const double half = 0.5 / noise_multiplier, shift = epsilon * noise_multiplier;
  return UpperTail(shift - half) - std::exp(epsilon) * UpperTail(shift + half);
}

#define EXPECT_WITHIN_A_THOUSANDTH(found, expected) EXPECT_NEAR(found, expected, 1e-3 * std::abs(expected))

TEST(GoldenTest, PldFiguresAreThoseOfDpAccounting) {
  const nlohmann::json golden = Golden();
  ASSERT_GE(golden["cases"].size(), 53);
  for (const auto& row : golden["cases"]) {
    SCOPED_TRACE(row.dump());
    const double epsilon = row["pld_epsilon"];
    // The largest losses need no finer grid, which would take seconds.
    const double interval = epsilon < 20 ? 1e-4 : 1e-3;
    const auto distribution = PrivacyLossDistribution::Compose(Phases(row["phases"]), interval).value();
    EXPECT_WITHIN_A_THOUSANDTH(distribution.Epsilon(row["delta"]).value(), epsilon);
    EXPECT_WITHIN_A_THOUSANDTH(distribution.Delta(epsilon / 2).value(), row["pld_delta"].get<double>());
  }
}

// With integer orders, for which dp-accounting's sum is exact.
TEST(GoldenTest, RdpFiguresOfIntegerOrdersAreThoseOfDpAccounting) {
  std::vector<double> orders;
  for (int order = 2; order < 64; ++order) orders.push_back(order);
  for (const double order : {128, 256, 512, 1024}) orders.push_back(order);
  for (const auto& row : Golden()["cases"]) {
    SCOPED_TRACE(row.dump());
    const std::vector<SampledGaussian> phases = Phases(row["phases"]);
    const double epsilon = row["rdp_integer_epsilon"], delta = row["rdp_integer_delta"];
    EXPECT_NEAR(RdpEpsilon(phases, row["delta"], orders).value(), epsilon, 1e-9 * epsilon);
    EXPECT_NEAR(RdpDelta(phases, epsilon / 2, orders).value(), delta, 1e-8 * delta);
  }
}

// Where a fractional order is the best one, dp-accounting is above its own formula (rdp_accountant.h says
// why): there the figure is the formula's, between dp-accounting's and that of privacy loss distributions.
TEST(GoldenTest, RdpFiguresAreThoseOfDpAccountingOrBetter) {
  const nlohmann::json golden = Golden();
  int same = 0;
  for (const auto& row : golden["cases"]) {
    SCOPED_TRACE(row.dump());
    const std::vector<SampledGaussian> phases = Phases(row["phases"]);
    const double peer = row["rdp_epsilon"], exact = row["rdp_exact_epsilon"];
    const double exact_delta = row["rdp_exact_delta"];
    const double epsilon = RdpEpsilon(phases, row["delta"]).value();
    EXPECT_NEAR(epsilon, exact, 1e-9 * exact);
    EXPECT_NEAR(RdpDelta(phases, peer / 2).value(), exact_delta, 1e-8 * exact_delta);
    EXPECT_LE(epsilon, peer * (1 + 1e-9));
    EXPECT_GT(epsilon, row["pld_epsilon"].get<double>());
    const bool is_same = std::abs(epsilon - peer) <= 1e-3 * peer;
    EXPECT_TRUE(is_same || epsilon > 9) << "differs though epsilon is small";
    same += is_same;
  }
  EXPECT_EQ(same, 48);
}

TEST(GoldenTest, NoiseMultipliersAreThoseOfDpAccounting) {
  const nlohmann::json golden = Golden();
  ASSERT_EQ(golden["calibrations"].size(), 4);
  for (const auto& row : golden["calibrations"]) {
    SCOPED_TRACE(row.dump());
    const double epsilon = row["epsilon"], delta = row["delta"], rate = row["sampling_rate"];
    const int64_t steps = row["steps"];
    const double rdp = RdpNoiseMultiplier(epsilon, delta, rate, steps).value();
    const double pld = PldNoiseMultiplier(epsilon, delta, rate, steps).value();
    EXPECT_WITHIN_A_THOUSANDTH(rdp, row["rdp_noise_multiplier"].get<double>());
    EXPECT_WITHIN_A_THOUSANDTH(pld, row["pld_noise_multiplier"].get<double>());
    EXPECT_LE(RdpEpsilon({{rdp, rate, steps}}, delta).value(), epsilon);
    EXPECT_LE(PrivacyLossDistribution::Compose({{pld, rate, steps}}).value().Epsilon(delta).value(), epsilon);
  }
}

// Noise 1, rate 0.01, 1000 steps, delta 1e-5.
TEST(GoldenTest, TheUsualExample) {
  const std::vector<SampledGaussian> phases = {{1, 0.01, 1000}};
  EXPECT_NEAR(RdpEpsilon(phases, 1e-5).value(), 2.1014, 1e-4);
  EXPECT_NEAR(PrivacyLossDistribution::Compose(phases).value().Epsilon(1e-5).value(), 1.8282, 1e-4);
}

TEST(RdpTest, FractionalOrdersJoinIntegerOnes) {
  for (const double noise : {0.3, 1.0, 8.0}) {
    for (const int order : {2, 5, 10}) {
      const double sum = SampledGaussianRdp(noise, 0.02, order);
      // Quadrature a hair beside: the mean of both sides leaves the curvature alone.
      const double quadrature = 0.5 * (SampledGaussianRdp(noise, 0.02, order - 1e-4) +
                                       SampledGaussianRdp(noise, 0.02, order + 1e-4));
      EXPECT_NEAR(quadrature, sum, 1e-6 * sum) << noise << " " << order;
    }
  }
}

// Composed by convolution (rate just below 1) and in closed form, k steps are one of noise / sqrt(k).
TEST(PldTest, GaussianStepsComposeToAGaussianStep) {
  for (const double rate : {1.0, 1 - 1e-12}) {
    const auto distribution = PrivacyLossDistribution::Compose({{4, rate, 9}, {3, rate, 2}}).value();
    const double noise = 1 / std::sqrt(9.0 / 16 + 2.0 / 9);
    for (const double epsilon : {0.0, 0.3, 1.0, 3.0, 5.0}) {
      EXPECT_NEAR(distribution.Delta(epsilon).value(), GaussianDelta(noise, epsilon),
                  1e-6 * GaussianDelta(noise, epsilon) + 1e-13)
          << epsilon;
    }
  }
}

// On the grid a single step is exact: delta(epsilon) = q delta'(log(1 + (e^epsilon - 1) / q)) (Balle, Barthe
// and Gaboardi 2018, arXiv 1807.01647) when the example is removed, which is the worse direction.
TEST(PldTest, OneSampledStepIsAmplification) {
  const double q = 0.1, noise = 0.8;
  const auto distribution = PrivacyLossDistribution::Compose({{noise, q, 1}}).value();
  for (const double epsilon : {0.0, 0.25, 1.0, 2.5}) {
    const double inner = std::log1p(std::expm1(epsilon) / q);
    EXPECT_NEAR(distribution.Delta(epsilon).value(), q * GaussianDelta(noise, inner),
                1e-9 * q * GaussianDelta(noise, inner));
  }
}

TEST(PldTest, EpsilonAndDeltaAreInverse) {
  const auto distribution = PrivacyLossDistribution::Compose({{1.1, 0.02, 200}}).value();
  for (const double epsilon : {0.1, 0.77773, 2.0}) {
    EXPECT_NEAR(distribution.Epsilon(distribution.Delta(epsilon).value()).value(), epsilon, 1e-7);
  }
  EXPECT_EQ(distribution.Epsilon(0.999).value(), 0);
  EXPECT_EQ(distribution.Epsilon(1e-16).value(), INFINITY);  // below what the window leaves out
}

TEST(AccountantTest, NothingSampledOrNoStepsCostNothing) {
  const std::vector<SampledGaussian> phases = {{1, 0, 1000}, {1, 0.5, 0}};
  EXPECT_EQ(RdpEpsilon(phases, 1e-5).value(), 0);
  EXPECT_EQ(PrivacyLossDistribution::Compose(phases).value().Epsilon(1e-5).value(), 0);
}

TEST(AccountantTest, SaysWhatIsWrong) {
  const auto message = [](SampledGaussian phase, double delta) {
    return std::string(RdpEpsilon({phase}, delta).status().message());
  };
  EXPECT_THAT(message({0, 0.1, 1}, 1e-5), HasSubstr("noise multiplier 0: must be a number above 0"));
  EXPECT_THAT(message({1, 1.5, 1}, 1e-5), HasSubstr("sampling rate 1.5: must be within [0, 1]"));
  EXPECT_THAT(message({1, 0.1, -1}, 1e-5), HasSubstr("steps -1"));
  EXPECT_THAT(message({1, 0.1, 1}, 0), HasSubstr("delta 0: must be within (0, 1)"));
  EXPECT_THAT(RdpEpsilon({{1, 0.1, 1}}, 1e-5, {2.0, 1.0}).status().message(),
              HasSubstr("order 1: must be a number above 1"));
  EXPECT_THAT(PrivacyLossDistribution::Compose({{NAN, 0.1, 1}}).status().message(), HasSubstr("nan"));
  EXPECT_THAT(PrivacyLossDistribution::Compose({{0.001, 0.1, 1}}).status().message(),
              HasSubstr("more than 2^24 intervals"));
  EXPECT_THAT(RdpNoiseMultiplier(0, 1e-5, 0.1, 1).status().message(), HasSubstr("target epsilon 0"));
  EXPECT_THAT(RdpNoiseMultiplier(1e-9, 1e-9, 1, 1000000000).status().message(),
              HasSubstr("needs a noise multiplier above"));
}

}  // namespace
}  // namespace plumb
