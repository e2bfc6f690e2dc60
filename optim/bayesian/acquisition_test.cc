#include "optim/bayesian/acquisition.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"
#include "optim/bayesian/augmented_improvement.h"
#include "optim/bayesian/batch_improvement.h"
#include "optim/bayesian/confidence_bound.h"
#include "optim/bayesian/derivative_prior.h"
#include "optim/bayesian/deup.h"
#include "optim/bayesian/environment.h"
#include "optim/bayesian/expected_improvement.h"
#include "optim/bayesian/fantasy_improvement.h"
#include "optim/bayesian/fit_derivatives.h"
#include "optim/bayesian/fit_gaussian_process.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/knowledge_gradient.h"
#include "optim/bayesian/log_posterior_testing.h"
#include "optim/bayesian/max_value_entropy.h"
#include "optim/bayesian/maximize_acquisition.h"
#include "optim/bayesian/multi_fidelity.h"
#include "optim/bayesian/multi_fidelity_bound.h"
#include "optim/bayesian/multi_fidelity_entropy.h"
#include "optim/bayesian/normal_distribution.h"
#include "optim/bayesian/predictive_entropy.h"
#include "optim/bayesian/recommend.h"

namespace plumb {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor Tensor(const nlohmann::json& numbers) {
  return at::tensor(numbers.get<std::vector<double>>(), at::kDouble);
}

at::Tensor Uniform(at::IntArrayRef sizes, uint64_t seed) {
  return RandomStream(seed, "acquisition_test").UniformTensor(sizes, at::kDouble);
}

double Largest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

// By central differences of `step`, which is to be wide where values are rough.
void ExpectGradients(const Acquisition& acquisition, const at::Tensor& groups, double tolerance = 1e-6,
                     double step = 1e-6) {
  const at::Tensor gradients = acquisition.Evaluate(groups, true).gradients;
  ASSERT_TRUE(gradients.sizes() == groups.sizes());
  for (int64_t i = 0; i < groups.size(1); ++i) {
    at::Tensor above = groups.clone(), below = groups.clone();
    above.select(1, i).add_(step);
    below.select(1, i).sub_(step);
    const at::Tensor slope =
        (acquisition.Evaluate(above, false).values - acquisition.Evaluate(below, false).values) / (2 * step);
    const at::Tensor error = (gradients.select(1, i) - slope).abs() / (1 + slope.abs());
    EXPECT_LT(error.max().item<double>(), tolerance) << i;
  }
}

// The values that all tests here have; 12 points of 3 coordinates.
class AcquisitionTest : public testing::Test {
 protected:
  AcquisitionTest()
      : golden_(nlohmann::json::parse(
            ReadFile(Runfile("optim/bayesian/testdata/botorch_acquisitions.json")).value())) {
    const at::Tensor points = Tensor(golden_["points"]).view({-1, 3});
    model_ = std::make_shared<GaussianProcess>(
        GaussianProcess::Create(GaussianProcessOptions::MATERN_5_2,
                                {golden_["lengthscales"], 1, golden_["noise"], golden_["mean"]}, points,
                                Tensor(golden_["values"]))
            .value());
    const nlohmann::json& constraint = golden_["constraint"];
    constraint_ = std::make_shared<GaussianProcess>(
        GaussianProcess::Create(GaussianProcessOptions::MATERN_5_2,
                                {constraint["lengthscales"], 1, constraint["noise"], 0}, points,
                                Tensor(constraint["values"]))
            .value());
    single_ = Tensor(golden_["single"]).view({-1, 3});
    best_ = golden_["best"];
  }

  void ExpectGolden(const Acquisition& acquisition, const std::string& name, const at::Tensor& groups,
                    double tolerance = 1e-9) {
    SCOPED_TRACE(name);
    const Evaluation found = acquisition.Evaluate(groups, true);
    EXPECT_LT(Largest(found.values, Tensor(golden_[name]["values"])), tolerance);
    EXPECT_LT(Largest(found.gradients.flatten(), Tensor(golden_[name]["gradients"])), 100 * tolerance);
    ExpectGradients(acquisition, groups);
  }

  nlohmann::json golden_;
  std::shared_ptr<const GaussianProcess> model_, constraint_;
  at::Tensor single_;  // [4, 3]
  double best_;
};

TEST(NormalDistributionTest, KeepsItsDigitsFarOut) {
  // Values from 50-digit arithmetic: log Phi(-10), log Phi(-40), log h(-10), log h(-40), log h(2).
  EXPECT_NEAR(LogNormalCumulative(-10), -53.23128515051247, 1e-12);
  EXPECT_NEAR(LogNormalCumulative(-40), -804.6084420137538, 1e-11);
  EXPECT_NEAR(LogExpectedPositivePart(-10), -55.553122036122356, 1e-12);
  EXPECT_NEAR(LogExpectedPositivePart(-40), -808.29856835661996, 1e-11);
  EXPECT_NEAR(LogExpectedPositivePart(2), 0.69738354578822831, 1e-14);
  for (const double u : {-1e8, -50.0, -5.001, -4.999, -1.0, 0.0, 1.0, 4.0, 30.0}) {
    for (const auto function : {LogNormalCumulative, LogExpectedPositivePart}) {
      double slope;
      function(u, &slope);
      const double step = 1e-5 * std::max(1.0, std::abs(u));
      const double difference = (function(u + step, nullptr) - function(u - step, nullptr)) / (2 * step);
      EXPECT_NEAR(slope, difference, 1e-6 * std::max(1.0, std::abs(u))) << u;
    }
  }
  // No seam where the continued fraction takes over.
  double above, below;
  EXPECT_NEAR(LogExpectedPositivePart(-5 - 1e-13, &below), LogExpectedPositivePart(-5 + 1e-13, &above), 1e-9);
  EXPECT_NEAR(above, below, 1e-7);
}

TEST(NormalDistributionTest, SamplesHaveItsMoments) {
  const at::Tensor samples = NormalSamples(1024, 5, RandomStream(1, "normal"));
  EXPECT_LT(samples.mean(0).abs().max().item<double>(), 0.01);
  EXPECT_LT(Largest(at::mm(samples.t(), samples) / 1024, at::eye(5, at::kDouble)), 0.06);
  EXPECT_EQ(NormalSamples(10, 100, RandomStream(1, "normal")).size(1), 100);
}

TEST_F(AcquisitionTest, OfMomentsAreBotorchs) {
  ExpectGolden(MomentAcquisition(model_, ExpectedImprovement(best_)), "expected_improvement", single_);
  ExpectGolden(MomentAcquisition(model_, LogExpectedImprovement(best_)), "log_expected_improvement", single_);
  ExpectGolden(MomentAcquisition(model_, ProbabilityOfImprovement(best_)), "probability_of_improvement",
               single_);
  ExpectGolden(MomentAcquisition(model_, LowerConfidenceBound(4)), "lower_confidence_bound", single_);
  ExpectGolden(LogConstrainedExpectedImprovement(model_, {constraint_}, best_),
               "log_constrained_expected_improvement", single_);
  ExpectGradients(MomentAcquisition(model_, LogProbabilityOfImprovement(best_)), single_);
}

TEST_F(AcquisitionTest, LogExpectedImprovementHasAGradientWhereTheExpectationIsZero) {
  const MomentFunction log_improvement = LogExpectedImprovement(-100),
                       improvement = ExpectedImprovement(-100);
  EXPECT_EQ(improvement(0, 1).value, 0);
  EXPECT_LT(log_improvement(0, 1).value, -5000);
  EXPECT_NEAR(log_improvement(0, 1).d_mean, -100, 0.1);
}

TEST_F(AcquisitionTest, ConstraintsAloneCountWhileNothingIsFeasible) {
  const MomentAcquisition acquisition = LogConstrainedExpectedImprovement(model_, {constraint_}, NAN);
  const at::Tensor expected =
      MomentAcquisition(constraint_, LogProbabilityOfFeasibility()).Evaluate(single_, false).values;
  EXPECT_TRUE(acquisition.Evaluate(single_, false).values.equal(expected));
}

// H[f] - H[f | f > f*] for a normal f, by fine sums.
TEST_F(AcquisitionTest, MaxValueEntropyIsADifferenceOfEntropies) {
  const std::vector<double> minima = {-1.2, -0.3, 0.4};
  const double mean = 0.3, sigma = 0.7;
  double expected = 0;
  for (const double minimum : minima) {
    const double above = NormalCumulative((mean - minimum) / sigma), step = 1e-5;
    double entropy = 0;
    for (double f = minimum + step / 2; f < mean + 9 * sigma; f += step) {
      const double density = NormalDensity((f - mean) / sigma) / (sigma * above);
      entropy -= step * density * std::log(density);
    }
    expected += (0.5 * std::log(2 * M_PI * M_E * sigma * sigma) - entropy) / minima.size();
  }
  EXPECT_NEAR(MaxValueEntropy(minima)(mean, sigma).value, expected, 1e-5);
  ExpectGradients(MomentAcquisition(model_, MaxValueEntropy({best_ - 0.1, best_ - 0.4})), single_);
}

// A Gumbel distribution through the quartiles of the minimum of independent values: those of the samples are
// the exact ones.
TEST_F(AcquisitionTest, SampledMinimaHaveTheQuartiles) {
  const at::Tensor candidates = Uniform({40, 3}, 1);
  std::vector<double> minima = SampleMinima(*model_, candidates, 4000, RandomStream(1, "minima"));
  std::sort(minima.begin(), minima.end());
  const GroupPosterior posterior = model_->Posterior(candidates.unsqueeze(1), false);
  for (const double share : {0.25, 0.5, 0.75}) {
    const double at_quantile = minima[4000 * share];
    double above = 1;
    for (int64_t i = 0; i < 40; ++i) {
      const double sigma = std::sqrt(posterior.covariances.view({-1})[i].item<double>());
      above *= NormalCumulative((posterior.means.view({-1})[i].item<double>() - at_quantile) / sigma);
    }
    EXPECT_NEAR(1 - above, share, 0.03);
  }
}

TEST_F(AcquisitionTest, BatchImprovementIsBotorchs) {
  const at::Tensor normals = Tensor(golden_["normals"]).view({-1, 3}),
                   groups = Tensor(golden_["batch"]["groups"]).view({-1, 6}),
                   pending = Tensor(golden_["batch_pending"]["pending"]).view({-1, 3});
  ExpectGolden(BatchImprovement(model_, best_, normals.narrow(1, 0, 2).contiguous()), "batch", groups, 1e-7);
  ExpectGolden(BatchImprovement(model_, best_, normals, pending, {}), "batch_pending", groups, 1e-7);
}

// With one point and many samples it is the exact expectation.
TEST_F(AcquisitionTest, BatchImprovementOfOnePointIsTheExpectation) {
  const at::Tensor normals = NormalSamples(1 << 14, 1, RandomStream(1, "normals"));
  const at::Tensor exact =
      MomentAcquisition(model_, LogExpectedImprovement(best_)).Evaluate(single_, false).values;
  for (int64_t i = 0; i < exact.numel(); ++i) {
    if (exact[i].item<double>() < -5) continue;
    const at::Tensor sampled =
        BatchImprovement(model_, best_, normals).Evaluate(single_.narrow(0, i, 1), false).values;
    EXPECT_NEAR(sampled.item<double>(), exact[i].item<double>(), 0.01);
  }
}

TEST_F(AcquisitionTest, BatchImprovementDoesNotDependOnThreads) {
  const BatchImprovement acquisition(model_, best_, NormalSamples(64, 4, RandomStream(1, "normals")));
  const at::Tensor groups = Uniform({64, 12}, 1);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Evaluation alone = acquisition.Evaluate(groups, true);
  at::set_num_threads(2);
  const Evaluation together = acquisition.Evaluate(groups, true);
  at::set_num_threads(threads);
  EXPECT_TRUE(alone.values.equal(together.values));
  EXPECT_TRUE(alone.gradients.equal(together.gradients));
}

// Two points that are the same are worth what one is; nothing is NaN there.
TEST_F(AcquisitionTest, BatchImprovementTakesPointsThatComeTwice) {
  const BatchImprovement acquisition(model_, best_, NormalSamples(256, 2, RandomStream(1, "normals")));
  const Evaluation found = acquisition.Evaluate(single_.repeat({1, 2}), true);
  EXPECT_TRUE(found.values.isfinite().all().item<bool>());
  EXPECT_TRUE(found.gradients.isfinite().all().item<bool>());
}

// The mean over many fantasies is the expectation of what one more point gains beside the pending ones, as
// plain Monte Carlo has it.
TEST_F(AcquisitionTest, FantasiesOfPendingPointsAreTheirDistribution) {
  const at::Tensor pending = Uniform({2, 3}, 7);
  const FantasyImprovement acquisition =
      FantasyImprovement::Pending(*model_, best_, pending, 4096, RandomStream(1, "fantasies")).value();
  ExpectGradients(acquisition, single_, 1e-5);
  const at::Tensor values = acquisition.Evaluate(single_, false).values;
  for (int64_t i = 0; i < single_.size(0); ++i) {
    const at::Tensor samples = SamplePosterior(*model_, at::cat({pending, single_.narrow(0, i, 1)}), 1 << 16,
                                               RandomStream(2, "monte_carlo"))
                                   .value();
    const at::Tensor reached = std::get<0>(samples.narrow(1, 0, 2).min(1)).clamp_max(best_);
    const double expected = (reached - samples.select(1, 2)).clamp_min(0).mean().item<double>();
    if (expected < 1e-3) continue;
    EXPECT_NEAR(std::exp(values[i].item<double>()), expected, 0.03 * expected) << i;
  }
}

// Letham et al. 2019: f at the observed points is not known; without noise it is, and what is left is the
// ordinary expectation.
TEST_F(AcquisitionTest, NoisyImprovementIsTheMeanOverWhatTheIncumbentMayBe) {
  const at::Tensor no_pending = at::zeros({0, 3}, at::kDouble);
  const FantasyImprovement acquisition =
      FantasyImprovement::Noisy(*model_, no_pending, 4096, RandomStream(1, "fantasies")).value();
  ExpectGradients(acquisition, single_, 1e-5);
  const at::Tensor values = acquisition.Evaluate(single_, false).values;
  for (int64_t i = 0; i < single_.size(0); ++i) {
    const at::Tensor samples = SamplePosterior(*model_, at::cat({model_->points(), single_.narrow(0, i, 1)}),
                                               1 << 16, RandomStream(2, "monte_carlo"))
                                   .value();
    const at::Tensor reached = std::get<0>(samples.narrow(1, 0, model_->size()).min(1));
    const double expected = (reached - samples.select(1, model_->size())).clamp_min(0).mean().item<double>();
    if (expected < 1e-3) continue;
    EXPECT_NEAR(std::exp(values[i].item<double>()), expected, 0.05 * expected) << i;
  }
  GaussianProcessParameters parameters = model_->parameters();
  parameters.noise = 1e-8;
  const auto exact = std::make_shared<GaussianProcess>(
      GaussianProcess::Create(model_->kernel(), parameters, model_->points(), model_->values()).value());
  const FantasyImprovement known =
      FantasyImprovement::Noisy(*exact, no_pending, 64, RandomStream(1, "fantasies")).value();
  const at::Tensor plain =
      MomentAcquisition(exact, LogExpectedImprovement(best_)).Evaluate(single_, false).values;
  EXPECT_LT(Largest(known.Evaluate(single_, false).values, plain), 0.02);
}

// E[max_i (a_i + b_i Z)] - max_i a_i by fine sums over Z.
TEST(LogExpectedMaximumGainTest, IsTheIntegral) {
  const std::vector<double> a = {0.3, -0.2, 0.1, 0.25, 0.3}, b = {0.1, 0.9, -0.7, 0.1, -0.2};
  const auto integral = [&] {
    double sum = 0;
    for (int i = -80000; i <= 80000; ++i) {
      const double z = 1e-4 * i;
      double most = -kInfinity;
      for (size_t j = 0; j < a.size(); ++j) most = std::max(most, a[j] + b[j] * z);
      sum += 1e-4 * most * NormalDensity(z);
    }
    return sum - *std::max_element(a.begin(), a.end());
  };
  std::vector<double> d_a, d_b;
  EXPECT_NEAR(std::exp(LogExpectedMaximumGain(a, b, &d_a, &d_b)), integral(), 1e-7);
  for (size_t i = 0; i < a.size(); ++i) {
    for (const bool slope : {false, true}) {
      auto above = std::make_pair(a, b), below = above;
      (slope ? above.second : above.first)[i] += 1e-6;
      (slope ? below.second : below.first)[i] -= 1e-6;
      if (!slope && (i == 0 || i == 4)) continue;  // the best of a has a kink where it is a tie
      const double difference = (LogExpectedMaximumGain(above.first, above.second, nullptr, nullptr) -
                                 LogExpectedMaximumGain(below.first, below.second, nullptr, nullptr)) /
                                2e-6;
      if (i == 3 && slope) continue;  // as steep as another that is higher
      EXPECT_NEAR((slope ? d_b : d_a)[i], difference, 1e-5) << i << slope;
    }
  }
  EXPECT_EQ(LogExpectedMaximumGain({1, 2}, {0.5, 0.5}, nullptr, nullptr), -kInfinity);
  EXPECT_GT(LogExpectedMaximumGain({0, 100}, {1, 0}, nullptr, nullptr), -6000);  // where the gain is 0
}

// What is expected of the least posterior mean after one more observation, by observing it many times.
TEST_F(AcquisitionTest, KnowledgeGradientIsTheMeanOverObservations) {
  const at::Tensor candidates = at::cat({model_->points(), Uniform({20, 3}, 9)});
  const KnowledgeGradient acquisition(model_, candidates);
  ExpectGradients(acquisition, single_, 1e-5);
  // Where there is something to gain.
  const at::Tensor points = Uniform({200, 3}, 10), values = acquisition.Evaluate(points, false).values;
  for (const int64_t i :
       {values.argmax().item<int64_t>(), values.narrow(0, 0, 50).argmax().item<int64_t>()}) {
    const at::Tensor x = points.narrow(0, i, 1), all = at::cat({candidates, x});
    const GroupPosterior before = model_->Posterior(all.unsqueeze(1), false);
    const double mean = before.means[-1][0].item<double>(),
                 scale = std::sqrt(before.covariances[-1][0][0].item<double>() + model_->parameters().noise);
    double sum = 0;
    const int64_t steps = 400;
    for (int64_t k = 0; k < steps; ++k) {
      GaussianProcess after = *model_;
      const double z = NormalSamples(steps, 1, RandomStream(3, "z"))[k].item<double>();
      PLUMB_ASSERT_OK(after.Append(x, at::full({1}, mean + scale * z, at::kDouble)));
      sum += before.means.min().item<double>() -
             after.Posterior(all.unsqueeze(1), false).means.min().item<double>();
    }
    EXPECT_NEAR(std::exp(values[i].item<double>()), sum / steps, 0.03 * sum / steps) << i;
  }
}

TEST_F(AcquisitionTest, KnowledgeOfWeightedSumsIsThatOfTheirMeans) {
  const at::Tensor points = Uniform({5, 3}, 10), sums = Uniform({6, 2, 3}, 11);
  const at::Tensor weights = at::tensor({0.3, 0.7}, at::kDouble);
  const KnowledgeGradient acquisition(model_, sums, weights);
  ExpectGradients(acquisition, points, 1e-5);
  // E of the least of the sums after an observation, by its law: they are jointly normal.
  const at::Tensor x = points.narrow(0, 0, 1), all = at::cat({sums.view({12, 3}), x}).unsqueeze(0);
  const GroupPosterior joint = model_->Posterior(all, false);
  const double scale = std::sqrt(joint.covariances[0][12][12].item<double>() + model_->parameters().noise);
  std::vector<double> a, b;
  for (int64_t m = 0; m < 6; ++m) {
    double mean = 0, covariance = 0;
    for (int64_t w = 0; w < 2; ++w) {
      mean += weights[w].item<double>() * joint.means[0][2 * m + w].item<double>();
      covariance += weights[w].item<double>() * joint.covariances[0][12][2 * m + w].item<double>();
    }
    a.push_back(-mean);
    b.push_back(-covariance / scale);
  }
  EXPECT_NEAR(acquisition.Evaluate(x, false).values.item<double>(),
              LogExpectedMaximumGain(a, b, nullptr, nullptr), 1e-9);
}

TEST_F(AcquisitionTest, KnowledgeByCostHasItsGradient) {
  const auto acquisition = MultiFidelityKnowledgeGradient(model_, Uniform({20, 3}, 9), {2, 0.5, 3});
  const at::Tensor points = Uniform({5, 3}, 10);
  ExpectGradients(*acquisition, points, 1e-5);
  at::Tensor highest = Uniform({20, 3}, 9);
  highest.select(1, 2).fill_(1);
  const KnowledgeGradient plain(model_, highest.unsqueeze(1), at::ones({1}, at::kDouble));
  const at::Tensor cost = 0.5 + 3 * points.select(1, 2);
  EXPECT_LT(Largest(acquisition->Evaluate(points, false).values,
                    plain.Evaluate(points, false).values - at::log(cost)),
            1e-12);
}

// Against the entropies themselves, integrated on a fine grid; and of u = v it is max-value entropy.
TEST(TruncatedInformationTest, IsADifferenceOfEntropies) {
  for (const double gamma : {-3.0, -0.5, 0.0, 1.2, 4.0}) {
    for (const double correlation : {0.05, 0.6, 0.95, 0.9999}) {
      const double c = std::sqrt(1 - correlation * correlation), step = 1e-5;
      double entropy = 0;
      for (double u = -9 + step / 2; u < 9; u += step) {
        const double density =
            NormalDensity(u) * NormalCumulative((gamma + correlation * u) / c) / NormalCumulative(gamma);
        if (density > 0) entropy -= step * density * std::log(density);
      }
      const double expected = 0.5 * std::log(2 * M_PI * M_E) - entropy;
      const InformationValue found = TruncatedInformation(gamma, correlation);
      EXPECT_NEAR(found.value, expected, 1e-7 + 1e-5 * expected) << gamma << " " << correlation;
      const double h = 1e-6;
      EXPECT_NEAR(found.d_gamma,
                  (TruncatedInformation(gamma + h, correlation).value -
                   TruncatedInformation(gamma - h, correlation).value) /
                      (2 * h),
                  1e-5 * (1 + std::abs(found.d_gamma)));
      EXPECT_NEAR(found.d_correlation,
                  (TruncatedInformation(gamma, correlation + h).value -
                   TruncatedInformation(gamma, correlation - h).value) /
                      (2 * h),
                  1e-2 + 1e-4 * std::abs(found.d_correlation))
          << gamma << " " << correlation;
    }
    EXPECT_NEAR(TruncatedInformation(gamma, 1).value, MaxValueEntropy({-gamma})(0, 1).value, 1e-2);
    EXPECT_EQ(TruncatedInformation(gamma, 0).value, 0);
  }
}

TEST_F(AcquisitionTest, MultiFidelityEntropyIsInformationByCost) {
  const FidelityCost cost{2, 0.5, 3};
  const std::vector<double> minima = {best_ - 0.3, best_ - 0.7};
  const PerCost acquisition(std::make_unique<MultiFidelityEntropy>(model_, minima, cost.coordinate), cost);
  const at::Tensor points = Uniform({5, 3}, 10);
  ExpectGradients(acquisition, points, 1e-4);
  at::Tensor highest = points.clone();
  highest.select(1, 2).fill_(1);
  const GroupPosterior posterior = model_->Posterior(at::stack({points, highest}, 1), false);
  const at::Tensor found = acquisition.Evaluate(points, false).values;
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor covariance = posterior.covariances[i];
    const double sigma = std::sqrt(covariance[1][1].item<double>()),
                 total = covariance[0][0].item<double>() + model_->parameters().noise;
    const double correlation = std::abs(covariance[0][1].item<double>()) / (sigma * std::sqrt(total));
    double sum = 0;
    for (const double minimum : minima) {
      sum +=
          TruncatedInformation((posterior.means[i][1].item<double>() - minimum) / sigma, correlation).value;
    }
    EXPECT_NEAR(found[i].item<double>(), std::log(sum / 2 / (0.5 + 3 * points[i][2].item<double>())), 1e-9);
  }
}

TEST_F(AcquisitionTest, AugmentedImprovementIsAProductOfItsParts) {
  const FidelityCost cost{2, 0.5, 3};
  const double best = EffectiveBest(*model_, 2), noise = model_->parameters().noise;
  const PerCost acquisition(std::make_unique<AugmentedImprovement>(model_, best, cost.coordinate), cost);
  const at::Tensor points = Uniform({5, 3}, 10);
  ExpectGradients(acquisition, points, 1e-5);
  at::Tensor highest = points.clone();
  highest.select(1, 2).fill_(1);
  const at::Tensor pairs = at::stack({points, highest}, 1);
  const at::Tensor covariances = model_->Posterior(pairs, false).covariances;
  const at::Tensor low = covariances.select(1, 0).select(1, 0), high = covariances.select(1, 1).select(1, 1);
  const at::Tensor expected =
      MomentAcquisition(model_, ExpectedImprovement(best)).Evaluate(highest, false).values *
      (covariances.select(1, 0).select(1, 1) / (low * high).sqrt()).clamp_min(1e-6) *
      (1 - (noise / (low + noise)).sqrt()) / (0.5 + 3 * points.select(1, 2));
  EXPECT_LT(Largest(acquisition.Evaluate(points, false).values.exp() / expected, at::ones({5}, at::kDouble)),
            1e-6);
  at::Tensor observed = model_->points().clone();
  observed.select(1, 2).fill_(1);
  EXPECT_EQ(best, model_->Posterior(observed.unsqueeze(1), false).means.min().item<double>());
}

// The bound is that of fidelity 1; the cheapest fidelity is chosen where nothing is known, a dearer one once
// that is known, and 1 where beta rules out fidelities that are not the farthest from it.
TEST_F(AcquisitionTest, TheBoundsFidelityIsTheCheapestThatTells) {
  const FidelityCost cost{2, 0.5, 3};
  const std::vector<double> fidelities = {0, 0.25, 0.5, 0.75, 1};
  const at::Tensor points = Uniform({5, 3}, 10);
  const MultiFidelityBound bound(model_, 4, cost, fidelities);
  ExpectGradients(bound, points, 1e-5);
  EXPECT_TRUE(bound.Evaluate(points, false)
                  .values.equal(MomentAcquisition(model_, LowerConfidenceBound(4))
                                    .Evaluate(AtHighestFidelity(points, 2), false)
                                    .values));
  const at::Tensor x = points.narrow(0, 0, 1), far = x + 100;
  const auto make = [&](const GaussianProcess& model, double beta) {
    return MultiFidelityBound(std::make_shared<GaussianProcess>(model), beta, cost, fidelities);
  };
  GaussianProcess model = GaussianProcess::Create(GaussianProcessOptions::RBF, {{0.5, 0.5, 1}, 2, 1e-4, 0},
                                                  far, at::zeros({1}, at::kDouble))
                              .value();
  const auto chosen = [&](double beta) {
    const at::Tensor point = make(model, beta).Chosen(x);
    EXPECT_TRUE(point.narrow(1, 0, 2).equal(x.narrow(1, 0, 2)));
    return point[0][2].item<double>();
  };
  EXPECT_EQ(chosen(4), 0);
  at::Tensor low = x.clone();
  low.select(1, 2).fill_(0);
  PLUMB_ASSERT_OK(model.Append(low, at::zeros({1}, at::kDouble)));
  // By hand: xi(s)^2 = 1 - exp(-(1 - s)^2), and sigma^2 = 2 (1 - exp(-s^2)) but for the noise.
  double expected = 1;
  for (const double s : {0.75, 0.5, 0.25}) {
    const double xi = std::sqrt(1 - std::exp(-(1 - s) * (1 - s))), most = std::sqrt(1 - std::exp(-1.0));
    const double sigma = std::sqrt(2 * (1 - std::exp(-s * s)));
    if (sigma > std::sqrt(2.0) * xi * std::pow((0.5 + 3 * s) / 3.5, 0.2) && xi > most / 2) expected = s;
  }
  EXPECT_GT(expected, 0);
  EXPECT_LT(expected, 1);
  EXPECT_EQ(chosen(4), expected);
  EXPECT_EQ(chosen(1), 1);
}

TEST_F(AcquisitionTest, MeansOverConditionsAreMeans) {
  const Environment environment{
      {1}, at::tensor({0.2, 0.9}, at::kDouble).view({2, 1}), at::tensor({0.25, 0.75}, at::kDouble)};
  const at::Tensor under = environment.Under(single_);
  EXPECT_TRUE(under.select(1, 1).select(1, 1).equal(at::full({4}, 0.9, at::kDouble)));
  EXPECT_TRUE(under.select(1, 0).select(1, 2).equal(single_.select(1, 2)));
  const NegativePosteriorMean mean(model_, environment.Under(at::full({1, 3}, NAN, at::kDouble))[0],
                                   environment.probabilities);
  ExpectGradients(mean, single_);
  const at::Tensor means = model_->Posterior(under, false).means;
  EXPECT_LT(
      Largest(mean.Evaluate(single_, false).values, -(0.25 * means.select(1, 0) + 0.75 * means.select(1, 1))),
      1e-12);
}

// The variance of f(x) where f(x) > f(x*), of pairs drawn from the posterior.
TEST_F(AcquisitionTest, PredictiveEntropyHasTheVarianceGivenTheMinimiser) {
  const at::Tensor points = Uniform({5, 3}, 10), minimisers = Uniform({1, 3}, 11);
  const PredictiveEntropy acquisition(model_, kInfinity, minimisers);
  const double noise = model_->parameters().noise;
  for (int64_t i = 0; i < points.size(0); ++i) {
    const at::Tensor x = points.narrow(0, i, 1);
    const at::Tensor samples =
        SamplePosterior(*model_, at::cat({x, minimisers}), 1 << 18, RandomStream(2, "monte_carlo")).value();
    const at::Tensor kept = samples.select(1, 0).masked_select(samples.select(1, 0) > samples.select(1, 1));
    if (kept.numel() < 10000) continue;
    const double before = model_->Posterior(x.unsqueeze(0), false).covariances.item<double>();
    const double expected = 0.5 * std::log((before + noise) / (kept.var().item<double>() + noise));
    EXPECT_NEAR(acquisition.Evaluate(x, false).values.item<double>(), expected, 0.01) << i;
  }
  ExpectGradients(PredictiveEntropy(model_, best_, Uniform({6, 3}, 12)), points, 1e-5);
  const at::Tensor candidates = Uniform({100, 3}, 13);
  const at::Tensor sampled =
      SampleMinimisers(*model_, candidates, 200, RandomStream(1, "minimisers")).value();
  const double all = model_->Posterior(candidates.unsqueeze(1), false).means.mean().item<double>(),
               chosen = model_->Posterior(sampled.unsqueeze(1), false).means.mean().item<double>();
  EXPECT_LT(chosen, all);
}

TEST_F(AcquisitionTest, LeaveOneOutErrorsAreThoseOfModelsWithoutThePoint) {
  const LeaveOneOut left_out = LeaveOneOutErrors(*model_);
  for (int64_t i = 0; i < model_->size(); ++i) {
    std::vector<at::Tensor> points, values;
    for (int64_t j = 0; j < model_->size(); ++j) {
      if (j == i) continue;
      points.push_back(model_->points().narrow(0, j, 1));
      values.push_back(model_->values().narrow(0, j, 1));
    }
    const GaussianProcess without =
        GaussianProcess::Create(model_->kernel(), model_->parameters(), at::cat(points), at::cat(values))
            .value();
    const GroupPosterior posterior = without.Posterior(model_->points().narrow(0, i, 1).unsqueeze(0), false);
    EXPECT_NEAR(left_out.errors[i].item<double>(),
                model_->values()[i].item<double>() - posterior.means.item<double>(), 1e-9);
    EXPECT_NEAR(left_out.variances[i].item<double>(), posterior.covariances.item<double>(), 1e-9);
  }
}

TEST_F(AcquisitionTest, DeupHasItsGradientInAnyAcquisition) {
  const auto deup = std::make_shared<Deup>(Deup::Fit(model_, {}).value());
  ExpectGradients(DeupAcquisition(*deup, LogExpectedImprovement(best_)), single_, 1e-5);
  ExpectGradients(DeupAcquisition(*deup, LowerConfidenceBound(4)), single_, 1e-5);
  EXPECT_TRUE(
      deup->At(single_, false).means.equal(model_->Posterior(single_.unsqueeze(1), false).means.view({4})));
}

// Rough on the left, smooth on the right: a stationary process is as unsure on either side, DEUP is not.
TEST(DeupTest, PredictsErrorsThatAStationaryProcessDoesNot) {
  const at::Tensor points = Uniform({40, 1}, 1), queries = Uniform({400, 1}, 2);
  const auto f = [](const at::Tensor& x) { return (60 * x).sin() * (x < 0.5).to(at::kDouble) + x; };
  const auto model = std::make_shared<GaussianProcess>(
      GaussianProcess::Create(GaussianProcessOptions::MATERN_5_2, {{0.1}, 0.5, 1e-4, 0.5}, points,
                              f(points.select(1, 0)))
          .value());
  const Deup deup = Deup::Fit(model, {}).value();
  const GroupPosterior posterior = model->Posterior(queries.unsqueeze(1), false);
  const at::Tensor errors = (f(queries.select(1, 0)) - posterior.means.view({400})).abs();
  const auto left_over_right = [&](const at::Tensor& sizes) {
    const at::Tensor left = (queries.select(1, 0) < 0.45).to(at::kDouble),
                     right = (queries.select(1, 0) > 0.6).to(at::kDouble);
    return ((sizes * left).sum() / left.sum() / ((sizes * right).sum() / right.sum())).item<double>();
  };
  const double predicted = left_over_right(deup.At(queries, false).variances.sqrt()),
               stationary = left_over_right(posterior.covariances.view({400}).clamp_min(0).sqrt());
  EXPECT_GT(predicted, 3 * stationary) << "errors: " << left_over_right(errors);
  // Where the model knows the value, it is sure.
  const auto mean = [&](const at::Tensor& at) { return deup.At(at, false).variances.mean().item<double>(); };
  EXPECT_LT(mean(points), 0.1 * mean(queries));
}

// Of finite differences: values close together tell what a derivative does, with a noise that is theirs
// over twice the squared step. It hides what the values tell of curvature.
TEST(GaussianProcessWithDerivativesTest, KnowsWhatCloseValuesTell) {
  const at::Tensor points = Uniform({4, 2}, 1), queries = Uniform({5, 2}, 2), values = Uniform({4}, 3);
  at::Tensor gradients = Uniform({4, 2}, 4);
  gradients[1][0] = NAN;
  for (const Kernel kernel : {GaussianProcessOptions::RBF, GaussianProcessOptions::MATERN_5_2}) {
    const GaussianProcessParameters parameters{{0.5, 0.8}, 1.3, 1e-9, 0.2};
    const auto model = std::make_shared<GaussianProcess>(
        GaussianProcessWithDerivatives(kernel, parameters, points, values, gradients, {5e-4, 5e-4}).value());
    std::vector<at::Tensor> near = {points}, told = {values};
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t d = 0; d < 2; ++d) {
        if (std::isnan(gradients[i][d].item<double>())) continue;
        for (const double step : {-1e-3, 1e-3}) {
          at::Tensor moved = points[i].clone();
          moved[d] += step;
          near.push_back(moved.unsqueeze(0));
          told.push_back((values[i] + step * gradients[i][d]).view({1}));
        }
      }
    }
    const GaussianProcess plain =
        GaussianProcess::Create(kernel, parameters, at::cat(near), at::cat(told)).value();
    const GroupPosterior expected = plain.Posterior(queries.unsqueeze(1), false);
    const GroupPosterior found = model->Posterior(queries.unsqueeze(1), false);
    EXPECT_LT(Largest(found.means, expected.means), 0.03) << kernel;
    EXPECT_LT(Largest(found.covariances, expected.covariances), 0.03) << kernel;
    // Hardly any noise: the covariances' condition makes values rough.
    ExpectGradients(MomentAcquisition(model, LogExpectedImprovement(0)), queries, 1e-4, /*step=*/1e-4);
    ExpectGradients(MomentAcquisition(model, LowerConfidenceBound(1)), queries, 1e-4, /*step=*/1e-4);
    // The posterior goes through what was observed.
    EXPECT_TRUE(model->ValuePoints().equal(points));
    const GroupPosterior there = model->Posterior(points.unsqueeze(1), true);
    EXPECT_LT(Largest(there.means.view({4}), values), 1e-3);
    const at::Tensor slopes =
        model->Gradient(there, at::ones({4, 1}, at::kDouble), at::zeros({4, 1, 1}, at::kDouble)).view({4, 2});
    EXPECT_LT((slopes - gradients).nan_to_num(0).abs().max().item<double>(), 0.1);
  }
  EXPECT_THAT(GaussianProcessWithDerivatives(GaussianProcessOptions::MATERN_3_2, {{1, 1}, 1, 0.1, 0}, points,
                                             values, gradients, {0, 0})
                  .status()
                  .message(),
              testing::HasSubstr("kernel MATERN_3_2"));
}

// Without derivatives it is the plain process.
TEST(GaussianProcessWithDerivativesTest, IsAPlainProcessWithoutDerivatives) {
  const at::Tensor points = Uniform({6, 2}, 1), queries = Uniform({5, 2}, 2), values = Uniform({6}, 3);
  const GaussianProcessParameters parameters{{0.5, 0.8}, 1.3, 0.01, 0.2};
  const GaussianProcess model =
      GaussianProcessWithDerivatives(GaussianProcessOptions::RBF, parameters, points, values,
                                     at::full({6, 2}, NAN, at::kDouble), {0, 0})
          .value();
  const GaussianProcess plain =
      GaussianProcess::Create(GaussianProcessOptions::RBF, parameters, points, values).value();
  const GroupPosterior expected = plain.Posterior(queries.unsqueeze(0), true),
                       found = model.Posterior(queries.unsqueeze(0), true);
  EXPECT_LT(Largest(found.means, expected.means), 1e-12);
  EXPECT_LT(Largest(found.covariances, expected.covariances), 1e-12);
  const at::Tensor d_means = Uniform({1, 5}, 5), d_covariances = Uniform({1, 5, 5}, 6);
  EXPECT_LT(Largest(model.Gradient(found, d_means, d_covariances),
                    plain.Gradient(expected, d_means, d_covariances)),
            1e-12);
  EXPECT_NEAR(model.LogMarginalLikelihood(), plain.LogMarginalLikelihood(), 1e-10);
}

// Samples of f, lines over candidates, batches: all that is made of covariances with what is observed.
TEST(GaussianProcessWithDerivativesTest, IsAModelOfAnyAcquisition) {
  const at::Tensor points = Uniform({4, 2}, 1), queries = Uniform({5, 2}, 2), values = Uniform({4}, 3),
                   gradients = Uniform({4, 2}, 4), others = Uniform({3, 2}, 5);
  const auto model = std::make_shared<GaussianProcess>(
      GaussianProcessWithDerivatives(GaussianProcessOptions::RBF, {{0.5, 0.8}, 1.3, 1e-2, 0.2}, points,
                                     values, gradients, {1e-1, 1e-1})
          .value());
  const RandomStream stream(1, "samples");
  ExpectGradients(FantasyImprovement::Noisy(*model, others, 8, stream).value(), queries, 1e-4);
  ExpectGradients(FantasyImprovement::Pending(*model, 0.1, others, 8, stream).value(), queries, 1e-4);
  ExpectGradients(KnowledgeGradient(model, at::cat({points, others})), queries, 1e-4);
  ExpectGradients(PredictiveEntropy(model, 0.1, others), queries, 1e-4);
  ExpectGradients(BatchImprovement(model, 0.1, NormalSamples(16, 2, stream), {}, BatchImprovement::Options()),
                  Uniform({3, 4}, 6), 1e-4);
  // What comes later is values of f; where they are what it expects, it expects the same and is surer.
  GaussianProcess grown = *model;
  const GroupPosterior expected = model->Posterior(others.unsqueeze(1), false);
  PLUMB_ASSERT_OK(grown.Append(others, expected.means.view({3})));
  const GroupPosterior believing = grown.Posterior(others.unsqueeze(1), false);
  EXPECT_LT(Largest(believing.means, expected.means), 1e-9);
  EXPECT_LT(believing.covariances.max().item<double>(), expected.covariances.min().item<double>() + 0.01);
  EXPECT_EQ(grown.ValuePoints().size(0), 7);
  // Other values in place of these: derivatives stay.
  const at::Tensor told = Uniform({4}, 7);
  const GaussianProcess replaced = grown.WithValues(points, told, 1e-3).value();
  const GaussianProcess made =
      GaussianProcessWithDerivatives(GaussianProcessOptions::RBF, {{0.5, 0.8}, 1.3, 1e-3, 0.2}, points, told,
                                     gradients, {1e-1, 1e-1})
          .value();
  EXPECT_NEAR(replaced.LogMarginalLikelihood(), made.LogMarginalLikelihood(), 1e-9);
  EXPECT_LT(Largest(replaced.Posterior(queries.unsqueeze(0), false).covariances,
                    made.Posterior(queries.unsqueeze(0), false).covariances),
            1e-9);
}

// Of values and derivatives, some of them unknown, with points of which one comes twice.
TEST(DerivativeLogPosteriorTest, GradientsAreFiniteDifferences) {
  at::Tensor points = Uniform({5, 2}, 1);
  points[4].copy_(points[0]);
  at::Tensor gradients = Uniform({5, 2}, 4);
  gradients[1][0] = NAN;
  gradients[2].fill_(NAN);
  const at::Tensor values = Uniform({5}, 3);
  for (const Kernel kernel : {GaussianProcessOptions::RBF, GaussianProcessOptions::MATERN_5_2}) {
    for (const bool given : {false, true}) {
      GaussianProcessOptions options;
      options.set_kernel(kernel);
      options.set_fit_outputscale(true);
      const std::optional<double> ratio = given ? std::optional<double>(0.1) : std::nullopt;
      const DerivativeLogPosterior posterior(points, values, gradients, options, ratio);
      ASSERT_EQ(posterior.parameter_count(), 4);
      const std::vector<double> theta = {-0.5, 0.1, -2, 0.3};
      double mean = 0;
      const double value = posterior.Evaluate(theta.data(), nullptr, &mean);
      ExpectGradientIsFiniteDifferences(
          [&](const double* at, double* gradient) { return posterior.Evaluate(at, gradient, nullptr); },
          theta, absl::StrCat(kernel, given));
      // The likelihood is the process's own, at its best mean; 12 numbers are observed.
      GaussianProcessParameters parameters = posterior.Parameters(theta.data());
      const std::vector<double> noise = posterior.GradientNoise(parameters);
      EXPECT_NEAR(noise[0], (given ? 0.1 * std::exp(0.3) : std::exp(-2)) / std::exp(-1.0), 1e-12);
      const auto likelihood = [&](double at) {
        parameters.mean = at;
        return GaussianProcessWithDerivatives(kernel, parameters, points, values, gradients, noise)
            .value()
            .LogMarginalLikelihood();
      };
      double priors = 0, ignored;
      for (int d = 0; d < 2; ++d) {
        priors += LogNormalPrior(theta[d], std::sqrt(2.0) + 0.5 * std::log(2.0), std::sqrt(3.0), &ignored);
      }
      priors += LogNormalPrior(theta[2], -4, 1, &ignored) + GammaPrior(theta[3], 2, 0.15, &ignored);
      EXPECT_NEAR(12 * value, likelihood(mean) + priors, 1e-9);
      EXPECT_GT(likelihood(mean), likelihood(mean + 0.01));
      EXPECT_GT(likelihood(mean), likelihood(mean - 0.01));
    }
  }
}

// A wave in one coordinate of three, by 8 points: gradients tell its length and that the others do nothing.
TEST(FitDerivativesTest, LearnsFromGradientsWhatValuesDoNotTell) {
  const at::Tensor points = Uniform({8, 3}, 1), queries = Uniform({200, 3}, 2);
  const auto wave = [](const at::Tensor& at) { return 100 + 7 * (5 * at.select(1, 0)).sin(); };
  at::Tensor gradients = at::zeros({8, 3}, at::kDouble);
  gradients.select(1, 0).copy_(35 * (5 * points.select(1, 0)).cos());
  const GaussianProcess model = FitGaussianProcessWithDerivatives(points, wave(points), gradients,
                                                                  GaussianProcessOptions(), std::nullopt)
                                    .value();
  EXPECT_LT(model.parameters().lengthscales[0], 0.5);
  EXPECT_GT(model.parameters().lengthscales[1], 2);
  const GaussianProcess plain =
      FitGaussianProcess(points, wave(points), GaussianProcessOptions()).value().model;
  const double without =
      Largest(plain.Posterior(queries.unsqueeze(1), false).means.view({200}), wave(queries));
  const at::Tensor means = model.Posterior(queries.unsqueeze(1), false).means.view({200});
  EXPECT_LT(Largest(means, wave(queries)), std::min(1.0, without / 5)) << without;
  EXPECT_FALSE(FitGaussianProcessWithDerivatives(points, wave(points), gradients.narrow(1, 0, 2),
                                                 GaussianProcessOptions(), std::nullopt)
                   .ok());
}

TEST(BoltzmannSampleTest, TakesTheBestAndNoneTwice) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(std::sin(i));
  values[7] = NAN;
  values[8] = -kInfinity;
  values[50] = 3;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<int64_t> chosen = BoltzmannSample(values, 10, 1, RandomStream(seed, "sample"));
    const std::set<int64_t> different(chosen.begin(), chosen.end());
    EXPECT_EQ(different.size(), 10);
    EXPECT_EQ(different.count(50), 1);
    EXPECT_EQ(different.count(7) + different.count(8), 0);
  }
}

// Against a fine grid, and of q points that they stay within the box.
TEST_F(AcquisitionTest, MaximaAreFound) {
  const MomentAcquisition acquisition(model_, LogExpectedImprovement(best_));
  const at::Tensor zero = at::zeros({3}, at::kDouble), one = at::ones({3}, at::kDouble);
  const AcquisitionMaximum found =
      MaximizeAcquisition(acquisition, zero, one, {}, RandomStream(1, "search")).value();
  const double grid = acquisition.Evaluate(Uniform({100000, 3}, 3), false).values.max().item<double>();
  EXPECT_GE(found.value, grid);
  EXPECT_NEAR(acquisition.Evaluate(found.points, false).values.item<double>(), found.value, 1e-12);
  const BatchImprovement batch(model_, best_, NormalSamples(64, 3, RandomStream(1, "normals")));
  const at::Tensor low = at::full({3}, 0.2, at::kDouble), high = at::full({3}, 0.7, at::kDouble);
  const AcquisitionMaximum three =
      MaximizeAcquisition(batch, low, high, {}, RandomStream(1, "search")).value();
  EXPECT_TRUE(((three.points >= low) & (three.points <= high)).all().item<bool>());
  EXPECT_GE(three.value,
            batch.Evaluate(0.2 + 0.5 * Uniform({20000, 9}, 4), false).values.max().item<double>());
}

}  // namespace
}  // namespace plumb
