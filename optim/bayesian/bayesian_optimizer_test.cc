#include "optim/bayesian/bayesian_optimizer.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "common/testing/testing.h"
#include "optim/bayesian/benchmark_functions.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Tensor(const std::vector<double>& numbers) { return at::tensor(numbers, at::kDouble); }

std::unique_ptr<BayesianOptimizer> Optimizer(const BenchmarkFunction& function,
                                             const BayesianOptions& options, uint64_t seed = 1) {
  return BayesianOptimizer::Create(Tensor(function.lower), Tensor(function.upper), options, seed).value();
}

// Few restarts, so that tests take little time.
BayesianOptions Quick() {
  BayesianOptions options;
  options.mutable_search()->set_raw_samples(128);
  options.mutable_search()->set_num_restarts(4);
  return options;
}

double Regret(AskTell& method, const BenchmarkFunction& function, int64_t evaluations, int64_t batch = 1) {
  while (method.told() < evaluations) {
    const at::Tensor points = method.Ask(batch).value();
    EXPECT_TRUE(method.Tell(points, function.Values(points)).ok());
  }
  return method.best_value() - function.minimum;
}

TEST(BenchmarkFunctionsTest, HaveTheirMinima) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  EXPECT_NEAR(branin.Values(Tensor({M_PI, 2.275}).view({1, 2})).item<double>(), branin.minimum, 1e-6);
  const BenchmarkFunction hartmann = FindBenchmarkFunction("hartmann6").value();
  const at::Tensor minimiser = Tensor({0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573});
  EXPECT_NEAR(hartmann.Values(minimiser.view({1, 6})).item<double>(), hartmann.minimum, 1e-5);
  const BenchmarkFunction ackley = FindBenchmarkFunction("ackley5").value();
  EXPECT_NEAR(ackley.Values(at::zeros({1, 5}, at::kDouble)).item<double>(), 0, 1e-12);
  EXPECT_THAT(FindBenchmarkFunction("x").status().message(), HasSubstr("function 'x'"));
}

TEST(BayesianOptimizerTest, FindsMinima) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value(),
                          hartmann = FindBenchmarkFunction("hartmann6").value();
  std::vector<double> regrets;
  BayesianOptions exact = Quick();
  exact.mutable_model()->set_noise(1e-6);
  for (const uint64_t seed : {1, 2, 3}) {
    EXPECT_LT(Regret(*Optimizer(branin, exact, seed), branin, 30), 0.01) << seed;
    regrets.push_back(Regret(*Optimizer(hartmann, Quick(), seed), hartmann, 50));
  }
  std::sort(regrets.begin(), regrets.end());
  EXPECT_LT(regrets[1], 0.1) << regrets[0] << " " << regrets[2];
}

TEST(BayesianOptimizerTest, EveryAcquisitionFindsBraninsMinimum) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  std::vector<BayesianOptions> all(9, Quick());
  all[0].mutable_expected_improvement();
  all[1].mutable_probability_of_improvement();
  all[2].mutable_lower_confidence_bound();
  all[3].mutable_noisy_expected_improvement()->set_samples(16);
  all[4].mutable_max_value_entropy();
  all[5].mutable_knowledge_gradient();
  all[6].mutable_log_expected_improvement()->set_joint(true);
  all[7].mutable_predictive_entropy();
  all[8].mutable_deup();
  for (const BayesianOptions& options : all) {
    const bool joint = options.log_expected_improvement().joint();
    EXPECT_LT(Regret(*Optimizer(branin, options), branin, joint ? 36 : 30, joint ? 3 : 1), 0.2)
        << options.acquisition_case();
  }
}

TEST(BayesianOptimizerTest, PendingPointsAreNotAskedForAgain) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  for (const bool joint : {false, true}) {
    BayesianOptions options = Quick();
    options.mutable_log_expected_improvement()->set_joint(joint);
    const auto method = Optimizer(branin, options);
    Regret(*method, branin, 12);
    const at::Tensor batch = method->Ask(3).value();
    const at::Tensor all = at::cat({batch, method->Ask(1).value()});
    EXPECT_EQ(method->pending().size(0), 4);
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < i; ++j) EXPECT_GT((all[i] - all[j]).norm().item<double>(), 0.05) << i << j;
    }
    // Told in another order, one by one, and one that nobody asked for.
    PLUMB_EXPECT_OK(method->Tell(all.narrow(0, 2, 1), branin.Values(all.narrow(0, 2, 1))));
    PLUMB_EXPECT_OK(method->Tell(Tensor({0, 0}).view({1, 2}), branin.Values(Tensor({0, 0}).view({1, 2}))));
    EXPECT_EQ(method->pending().size(0), 3);
    PLUMB_EXPECT_OK(method->Ask(1));
  }
}

TEST(BayesianOptimizerTest, FailedEvaluationsAreLeftAndNothingIsLost) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  const auto method = Optimizer(branin, Quick());
  int failed = 0;
  while (method->told() < 40) {
    const at::Tensor points = method->Ask(1).value();
    at::Tensor values = branin.Values(points);
    if (points[0][0].item<double>() < 0) values.fill_(++failed % 2 == 0 ? NAN : INFINITY);
    PLUMB_ASSERT_OK(method->Tell(points, values));
  }
  EXPECT_LT(failed, 20);
  EXPECT_LT(method->best_value() - branin.minimum, 0.05);
  EXPECT_EQ(method->values().isnan().sum().item<int64_t>(), failed);
  // While everything failed it goes on with the sequence.
  const auto blind = Optimizer(branin, Quick());
  for (int i = 0; i < 15; ++i) {
    PLUMB_ASSERT_OK(blind->Tell(blind->Ask(1).value(), Tensor({NAN})));
  }
  EXPECT_EQ(blind->best(), -1);
  EXPECT_THAT(blind->Model().status().message(), HasSubstr("no evaluation that did not fail"));
}

TEST(BayesianOptimizerTest, TakesPointsThatComeTwice) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  BayesianOptions options = Quick();
  options.mutable_model()->set_noise(0);
  const auto method = Optimizer(branin, options);
  Regret(*method, branin, 12);
  for (int i = 0; i < 3; ++i) PLUMB_ASSERT_OK(method->Tell(method->points(), method->values()));
  PLUMB_EXPECT_OK(method->Ask(2));
  EXPECT_EQ(method->told(), 96);
}

// min x + y outside of a disc around the origin, within [0, 1]^2: sqrt(0.5) on either axis.
TEST(BayesianOptimizerTest, ConstraintsHold) {
  const auto method =
      BayesianOptimizer::Create(at::zeros({2}, at::kDouble), at::full({2}, 1.0, at::kDouble), Quick(), 1)
          .value();
  for (int i = 0; i < 30; ++i) {
    const at::Tensor points = method->Ask(1).value();
    PLUMB_ASSERT_OK(method->Tell(points, points.sum(1), points.square().sum(1, true) - 0.5));
  }
  EXPECT_NEAR(method->best_value(), std::sqrt(0.5), 0.02);
  EXPECT_GE(method->best_point().square().sum().item<double>(), 0.5);
  // A point that nobody could evaluate has no constraints.
  const at::Tensor points = method->Ask(1).value();
  PLUMB_ASSERT_OK(method->Tell(points, Tensor({NAN}), Tensor({NAN}).view({1, 1})));
  PLUMB_EXPECT_OK(method->Ask(1));
}

TEST(BayesianOptimizerTest, SaysSoWhileNothingIsFeasible) {
  const auto method =
      BayesianOptimizer::Create(at::zeros({2}, at::kDouble), at::full({2}, 1.0, at::kDouble), Quick(), 1)
          .value();
  for (int i = 0; i < 10; ++i) {
    const at::Tensor points = method->Ask(1).value();
    PLUMB_ASSERT_OK(
        method->Tell(points, points.sum(1), at::full({1, 1}, i % 2 == 0 ? NAN : -1.0, at::kDouble)));
  }
  EXPECT_EQ(method->best(), -1);
  PLUMB_EXPECT_OK(method->Ask(1));
}

// A real, an integer and a category of five; the minimum is at level 3, 7 and 0.3.
at::Tensor Mixed(const at::Tensor& points) {
  const at::Tensor x = points.select(1, 0), n = points.select(1, 1), level = points.select(1, 2);
  return (x - 0.1 * level).square() + 0.02 * (n - 7).square() +
         (level - 3).ne(0).to(at::kDouble) * (0.2 + 0.1 * level);
}

TEST(MixedSpaceTest, FeaturesAndPointsAreOneAnother) {
  const MixedSpace space = MixedSpace::Create(Tensor({-1, 0, 2}), Tensor({1, 20, 6}), std::vector<int64_t>{1},
                                              std::vector<int64_t>{2})
                               .value();
  EXPECT_EQ(space.feature_count(), 7);
  const at::Tensor points =
      space.FromUnit(Tensor({0, 0, 0, 0.5, 0.5, 0.5, 0.999, 0.999, 0.999}).view({3, 3}));
  EXPECT_TRUE(points[0].equal(Tensor({-1, 0, 2})));
  EXPECT_TRUE(points[1].equal(Tensor({0, 10, 4})));
  EXPECT_TRUE(space.Points(space.Features(points)).sub(points).abs().max().item<double>() < 1e-12);
  EXPECT_TRUE(space.Features(points)[1].equal(Tensor({0.5, 0.5, 0, 0, 1, 0, 0})));
  EXPECT_TRUE(space.Movable().equal(Tensor({1, 0, 0, 0, 0, 0, 0})));
  const at::Tensor neighbours = space.Points(space.Neighbours(space.Features(points)[1]));
  EXPECT_EQ((neighbours.select(1, 2) != 4).sum().item<int64_t>(), 4);
  EXPECT_TRUE((neighbours.select(1, 1) == 9).any().item<bool>());
  EXPECT_EQ(((neighbours != points[1]).sum(1) != 1).sum().item<int64_t>(), 0);
}

TEST(BayesianOptimizerTest, MixedSpacesAreSearched) {
  BayesianOptions options = Quick();
  options.add_integer_coordinates(1);
  options.add_categorical_coordinates(2);
  for (const bool joint : {false, true}) {
    options.mutable_log_expected_improvement()->set_joint(joint);
    const auto method = BayesianOptimizer::Create(Tensor({-1, 0, 0}), Tensor({1, 20, 4}), options, 1).value();
    while (method->told() < 36) {
      const at::Tensor points = method->Ask(joint ? 2 : 1).value();
      EXPECT_TRUE(points.narrow(1, 1, 2).equal(points.narrow(1, 1, 2).round()));
      PLUMB_ASSERT_OK(method->Tell(points, Mixed(points)));
    }
    EXPECT_LT(method->best_value(), 0.01) << joint;
    EXPECT_EQ(method->best_point()[2].item<double>(), 3);
  }
}

// One for each acquisition over fidelities, whose evaluations cost 0.1 to 1.
std::vector<BayesianOptions> OverFidelities(int64_t coordinate) {
  std::vector<BayesianOptions> all(4, Quick());
  const auto set = [&](auto* fidelity) {
    fidelity->set_coordinate(coordinate);
    fidelity->set_fixed_cost(0.1);
    fidelity->set_cost_weight(0.9);
  };
  set(all[0].mutable_multi_fidelity_knowledge_gradient());
  set(all[1].mutable_augmented_improvement());
  set(all[2].mutable_multi_fidelity_entropy());
  set(all[3].mutable_multi_fidelity_bound());
  return all;
}

// Branin with a bias that vanishes at fidelity 1 and evaluations of a tenth of the cost: more evaluations at
// equal cost, and the recommendation is of the highest fidelity.
TEST(BayesianOptimizerTest, LowFidelitiesSaveCost) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  for (const BayesianOptions& options : OverFidelities(2)) {
    const auto method =
        BayesianOptimizer::Create(Tensor({-5, 0, 0}), Tensor({10, 15, 1}), options, 1).value();
    double cost = 0;
    while (cost < 15) {
      const at::Tensor points = method->Ask(1).value();
      const double s = points[0][2].item<double>();
      cost += 0.1 + 0.9 * s;
      const at::Tensor bias = 5 * (1 - s) * points.select(1, 0).cos();
      PLUMB_ASSERT_OK(method->Tell(points, branin.Values(points.narrow(1, 0, 2)) + bias));
    }
    EXPECT_GT(method->told(), 20);
    const at::Tensor found = method->Recommend().value();
    EXPECT_EQ(found[2].item<double>(), 1);
    EXPECT_LT(branin.Values(found.narrow(0, 0, 2).unsqueeze(0)).item<double>() - branin.minimum, 0.5)
        << options.acquisition_case();
  }
}

// Forrester's function and its cheap form, levels 1 and 0: evaluations of both, and the minimum of the first.
TEST(BayesianOptimizerTest, CoKrigingLearnsFromLevels) {
  for (BayesianOptions options : OverFidelities(1)) {
    options.set_co_kriging(true);
    options.add_integer_coordinates(1);
    const auto method = BayesianOptimizer::Create(Tensor({0, 0}), Tensor({1, 1}), options, 1).value();
    double cost = 0;
    int64_t cheap = 0;
    while (cost < 12) {
      const at::Tensor points = method->Ask(1).value();
      const double x = points[0][0].item<double>(), level = points[0][1].item<double>();
      ASSERT_TRUE(level == 0 || level == 1);
      cost += 0.1 + 0.9 * level;
      cheap += level == 0 ? 1 : 0;
      const double expensive = (6 * x - 2) * (6 * x - 2) * std::sin(12 * x - 4);
      PLUMB_ASSERT_OK(
          method->Tell(points, Tensor({level == 1 ? expensive : 0.5 * expensive + 10 * (x - 0.5) - 5})));
    }
    EXPECT_GT(cheap, 3);
    const at::Tensor found = method->Recommend().value();
    EXPECT_EQ(found[1].item<double>(), 1);
    EXPECT_NEAR(found[0].item<double>(), 0.75725, 0.02) << options.acquisition_case();
  }
}

// (x - w)^2 over three conditions: the mean's minimiser is their weighted mean.
TEST(BayesianOptimizerTest, TheMeanOverConditionsIsMinimised) {
  BayesianOptions options = Quick();
  EnvironmentalKnowledgeGradientOptions& environmental = *options.mutable_environmental_knowledge_gradient();
  environmental.add_coordinate(1);
  for (const double w : {0.2, 0.4, 0.9}) environmental.add_condition()->add_value(w);
  environmental.mutable_condition(2)->set_probability(2);
  const auto method = BayesianOptimizer::Create(Tensor({0, 0}), Tensor({1, 1}), options, 1).value();
  while (method->told() < 25) {
    const at::Tensor points = method->Ask(1).value();
    PLUMB_ASSERT_OK(method->Tell(points, (points.select(1, 0) - points.select(1, 1)).square()));
  }
  const at::Tensor found = method->Recommend().value();
  EXPECT_NEAR(found[0].item<double>(), (0.2 + 0.4 + 2 * 0.9) / 4, 0.03);
  EXPECT_EQ(found[1].item<double>(), 0.2);
}

// A function alike but for its scale, known at 60 points: what a study of the other found in many evaluations
// takes few.
TEST(BayesianOptimizerTest, RelatedTasksSaveEvaluations) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  const SobolSequence sequence = SobolSequence::Scrambled(2, RandomStream(5, "related")).value();
  const at::Tensor lower = Tensor(branin.lower), upper = Tensor(branin.upper);
  const at::Tensor points = lower + sequence.Points(0, 60) * (upper - lower);
  const at::Tensor values = -3 + 0.2 * branin.Values(points) + 0.3 * points.select(1, 0);
  BayesianOptions alone = Quick();
  alone.set_initial_points(3);
  BayesianOptions related = alone;
  for (int64_t i = 0; i < 60; ++i) {
    RelatedObservation& observation = *related.add_related_observation();
    for (int64_t d = 0; d < 2; ++d) observation.add_point(points[i][d].item<double>());
    observation.set_value(values[i].item<double>());
  }
  double without = 0, with = 0;
  for (const uint64_t seed : {1, 2, 3}) {
    without += std::log(Regret(*Optimizer(branin, alone, seed), branin, 8));
    with += std::log(Regret(*Optimizer(branin, related, seed), branin, 8));
  }
  EXPECT_LT(with, without - 3);  // in the mean by a factor of e
}

// Rosenbrock's function of 4 dimensions, of which each value tells little and each gradient much.
at::Tensor Rosenbrock(const at::Tensor& points, at::Tensor* gradients) {
  const at::Tensor x = points.narrow(1, 0, 3), bend = points.narrow(1, 1, 3) - x.square();
  *gradients = at::zeros_like(points);
  gradients->narrow(1, 0, 3).add_(-40 * x * bend - 2 * (1 - x));
  gradients->narrow(1, 1, 3).add_(20 * bend);
  return (10 * bend.square() + (1 - x).square()).sum(1);
}

TEST(BayesianOptimizerTest, GradientsSaveEvaluations) {
  BayesianOptions exact = Quick();
  exact.mutable_model()->set_noise(1e-6);
  std::vector<BayesianOptions> all(6, exact);
  all[1].mutable_lower_confidence_bound();
  all[2].mutable_model()->set_kernel(GaussianProcessOptions::MATERN_5_2);
  all[3].mutable_expected_improvement();
  all[4].mutable_log_expected_improvement()->set_joint(true);
  all[5].mutable_noisy_expected_improvement();
  for (const BayesianOptions& options : all) {
    double with = 0, without = 0;
    for (const uint64_t seed : {1, 2, 3}) {
      for (const bool told : {false, true}) {
        const auto method =
            BayesianOptimizer::Create(Tensor({-2, -2, -2, -2}), Tensor({2, 2, 2, 2}), options, seed).value();
        at::Tensor gradients;
        while (method->told() < 20) {
          const at::Tensor points = method->Ask(2).value();
          const at::Tensor values = Rosenbrock(points, &gradients);
          PLUMB_ASSERT_OK(method->Tell(points, values, {}, told ? gradients : at::Tensor()));
        }
        const at::Tensor found = method->Recommend().value();
        (told ? with : without) += std::log(Rosenbrock(found.unsqueeze(0), &gradients).item<double>());
      }
    }
    EXPECT_LT(with, without - 3) << options.ShortDebugString();  // in the mean by a factor of e
  }
}

// Gradients count in what any acquisition asks for, with constraints and in batches too; where the model is
// one that ignores them, it asks for the same without them.
TEST(BayesianOptimizerTest, EveryAcquisitionLearnsFromGradients) {
  struct Case {
    BayesianOptions options;
    bool learns = true, constrained = false;
  };
  std::vector<Case> cases(17, Case{Quick()});
  cases[0].options.mutable_max_value_entropy();
  cases[1].options.mutable_knowledge_gradient()->set_candidates(32);
  cases[2].options.mutable_predictive_entropy()->set_candidates(100);
  cases[3].options.mutable_noisy_expected_improvement();
  cases[4].options.mutable_log_expected_improvement()->set_joint(true);
  cases[5].options.mutable_multi_fidelity_knowledge_gradient()->set_coordinate(3);
  cases[6].options.mutable_augmented_improvement()->set_coordinate(3);
  cases[7].options.mutable_multi_fidelity_bound()->set_coordinate(3);
  cases[8].constrained = true;
  cases[9].learns = false;
  cases[9].options.mutable_deup();
  cases[10].learns = false;
  RelatedObservation& related = *cases[10].options.add_related_observation();
  for (int d = 0; d < 4; ++d) related.add_point(0);
  related.set_value(1);
  cases[11].learns = false;
  cases[11].options.mutable_augmented_improvement()->set_coordinate(3);
  cases[11].options.add_integer_coordinates(3);
  cases[11].options.set_co_kriging(true);
  cases[12].options.mutable_multi_fidelity_entropy()->set_coordinate(3);
  auto& environmental = *cases[13].options.mutable_environmental_knowledge_gradient();
  environmental.add_coordinate(3);
  for (const double w : {-1, 1}) environmental.add_condition()->add_value(w);
  environmental.set_candidates(16);
  cases[14].options.mutable_expected_improvement();
  cases[15].options.mutable_probability_of_improvement();
  cases[16].options.mutable_lower_confidence_bound();
  at::Tensor gradients;
  for (const Case& one : cases) {
    const auto make = [&] {
      return BayesianOptimizer::Create(Tensor({-2, -2, -2, -2}), Tensor({2, 2, 2, 2}), one.options, 1)
          .value();
    };
    const auto told = make(), untold = make();
    const at::Tensor points = told->Ask(9).value(), values = Rosenbrock(points, &gradients);
    const at::Tensor constraints = one.constrained ? points.narrow(1, 0, 1) - 1 : at::Tensor();
    PLUMB_ASSERT_OK(untold->Ask(9));
    PLUMB_ASSERT_OK(told->Tell(points, values, constraints, gradients));
    PLUMB_ASSERT_OK(untold->Tell(points, values, constraints));
    EXPECT_EQ(told->Ask(2).value().equal(untold->Ask(2).value()), !one.learns)
        << one.options.ShortDebugString();
  }
}

// Levels of an integer, more than the fidelities that are looked at, and points that are pending.
TEST(BayesianOptimizerTest, ABoundChoosesAmongLevels) {
  for (const double levels : {2., 5., 1000.}) {
    BayesianOptions options = Quick();
    options.add_integer_coordinates(1);
    options.mutable_multi_fidelity_bound()->set_coordinate(1);
    const auto method =
        BayesianOptimizer::Create(Tensor({-1, 0}), Tensor({1, levels - 1}), options, 1).value();
    bool cheaper = false;
    while (method->told() < 20) {
      const at::Tensor points = method->Ask(2).value(), s = points.select(1, 1) / (levels - 1);
      EXPECT_TRUE(points.select(1, 1).equal(points.select(1, 1).round()));
      if (method->told() >= 6) cheaper = cheaper || (s < 1).any().item<bool>();
      const at::Tensor x = points.select(1, 0) - 0.3, bias = (1 - s) * (5 * x).sin();
      PLUMB_ASSERT_OK(method->Tell(points, x.square() - (8 * x).cos() + bias));
    }
    EXPECT_TRUE(cheaper) << levels;
    const at::Tensor found = method->Recommend().value();
    EXPECT_NEAR(found[0].item<double>(), 0.3, 0.05) << levels;
    EXPECT_EQ(found[1].item<double>(), levels - 1);
  }
}

// Of a mixed space the category's derivative is nothing, and a state keeps the others.
TEST(BayesianOptimizerTest, GradientsOfMixedSpacesAreResumed) {
  BayesianOptions options = Quick();
  options.add_categorical_coordinates(1);
  const auto make = [&] {
    return BayesianOptimizer::Create(Tensor({-1, 0}), Tensor({1, 4}), options, 1).value();
  };
  const auto method = make();
  while (method->told() < 12) {
    const at::Tensor points = method->Ask(1).value();
    const at::Tensor rest = points.select(1, 0) - 0.1 * points.select(1, 1);
    const at::Tensor gradients = at::full({1, 2}, NAN, at::kDouble);
    gradients.select(1, 0).copy_(2 * rest);
    PLUMB_ASSERT_OK(method->Tell(points, rest.square() + points.select(1, 1), {}, gradients));
  }
  EXPECT_NEAR(method->Recommend().value()[0].item<double>(), 0, 0.02);
  const auto resumed = make();
  PLUMB_ASSERT_OK(resumed->LoadState(method->State()));
  EXPECT_TRUE(resumed->Ask(2).value().equal(method->Ask(2).value()));
  options.mutable_model()->set_kernel(GaussianProcessOptions::MATERN_1_2);
  const auto rough = make();
  PLUMB_ASSERT_OK(rough->LoadState(method->State()));
  EXPECT_THAT(rough->Ask(1).status().message(), HasSubstr("expected RBF or MATERN_5_2"));
}

TEST(BayesianOptimizerTest, AResumedRunAsksForTheSame) {
  const BenchmarkFunction branin = FindBenchmarkFunction("branin").value();
  const auto method = Optimizer(branin, Quick());
  Regret(*method, branin, 12);
  PLUMB_ASSERT_OK(method->Ask(1));
  const std::string path = TemporaryFolder() + "/state.safetensors";
  PLUMB_ASSERT_OK(method->Save(path));
  const auto resumed = Optimizer(branin, Quick());
  PLUMB_ASSERT_OK(resumed->Load(path));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor expected = method->Ask(2).value();
  at::set_num_threads(2);
  EXPECT_TRUE(resumed->Ask(2).value().equal(expected));
  at::set_num_threads(threads);
}

TEST(BayesianOptimizerTest, SaysWhatIsWrong) {
  const auto message = [](std::vector<double> lower, std::vector<double> upper,
                          const BayesianOptions& options) {
    return std::string(
        BayesianOptimizer::Create(Tensor(lower), Tensor(upper), options, 1).status().message());
  };
  EXPECT_THAT(message({0, 2}, {1, 1}, {}), HasSubstr("coordinate 1"));
  EXPECT_THAT(message({0, 1}, {1, 1}, {}),
              HasSubstr("bounds of coordinate 1: [1, 1], expected lower < upper"));
  BayesianOptions options;
  options.add_integer_coordinates(1);
  EXPECT_THAT(message({0, 0.5}, {1, 1}, options), HasSubstr("bounds of coordinate 1 of integer_coordinates"));
  options.add_categorical_coordinates(1);
  EXPECT_THAT(message({0, 0}, {1, 1}, options),
              HasSubstr("categorical_coordinates: coordinate 1 comes twice"));
  options.set_integer_coordinates(0, 2);
  EXPECT_THAT(message({0, 0}, {1, 1}, options), HasSubstr("integer_coordinates: 2, expected 0 to 1"));
  BayesianOptions environmental;
  environmental.mutable_environmental_knowledge_gradient()->add_coordinate(0);
  EXPECT_THAT(message({0, 0}, {1, 1}, environmental), HasSubstr("one coordinate and one condition"));
  environmental.mutable_environmental_knowledge_gradient()->add_condition();
  EXPECT_THAT(message({0, 0}, {1, 1}, environmental), HasSubstr("condition 0: 0 values, expected 1"));
  EXPECT_NE(message({0, -INFINITY}, {1, 1}, {}), "");
  BayesianOptions related;
  related.add_related_observation()->add_point(0.5);
  EXPECT_THAT(message({0, 0}, {1, 1}, related),
              HasSubstr("related_observation 0: a point of 1 numbers, expected 2"));
  related.mutable_related_observation(0)->add_point(NAN);
  EXPECT_THAT(message({0, 0}, {1, 1}, related), HasSubstr("expected finite numbers"));
  related.mutable_related_observation(0)->set_point(1, 0.5);
  related.mutable_deup();
  EXPECT_THAT(message({0, 0}, {1, 1}, related), HasSubstr("not with deup"));
  BayesianOptions levels;
  levels.set_co_kriging(true);
  EXPECT_THAT(message({0, 0}, {1, 1}, levels), HasSubstr("co_kriging: needs an acquisition over fidelities"));
  levels.mutable_augmented_improvement()->set_coordinate(1);
  EXPECT_THAT(message({0, 0}, {1, 1}, levels),
              HasSubstr("expected augmented_improvement.coordinate, 1, among integer_coordinates"));
  levels.add_integer_coordinates(1);
  EXPECT_EQ(message({0, 0}, {1, 1}, levels), "");
  EXPECT_THAT(message({0, 0}, {1, 20}, levels), HasSubstr("has 21 levels, expected at most 20"));
  levels.add_related_observation()->add_point(0);
  levels.mutable_related_observation(0)->add_point(0);
  EXPECT_THAT(message({0, 0}, {1, 1}, levels), HasSubstr("co_kriging: not with related_observation"));
}

}  // namespace
}  // namespace plumb
