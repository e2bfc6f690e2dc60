#include "optim/bayesian/gaussian_process.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>

#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"
#include "optim/bayesian/co_kriging.h"
#include "optim/bayesian/fit_co_kriging.h"
#include "optim/bayesian/fit_gaussian_process.h"
#include "optim/bayesian/fit_multi_task.h"
#include "optim/bayesian/log_posterior_testing.h"
#include "optim/bayesian/row_product.h"

namespace plumb {
namespace {

using testing::HasSubstr;

const Kernel kKernels[] = {GaussianProcessOptions::RBF, GaussianProcessOptions::MATERN_1_2,
                           GaussianProcessOptions::MATERN_3_2, GaussianProcessOptions::MATERN_5_2};

nlohmann::json Golden() {
  return nlohmann::json::parse(
      ReadFile(Runfile("optim/bayesian/testdata/botorch_gaussian_process.json")).value());
}

at::Tensor Tensor(const nlohmann::json& numbers) {
  return at::tensor(numbers.get<std::vector<double>>(), at::kDouble);
}

at::Tensor Uniform(at::IntArrayRef sizes, uint64_t seed) {
  return RandomStream(seed, "gaussian_process_test").UniformTensor(sizes, at::kDouble);
}

double Largest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

GaussianProcess Example(Kernel kernel, int64_t size = 9, double noise = 0.02) {
  const at::Tensor points = Uniform({size, 2}, 1);
  const at::Tensor values = (4 * points.select(1, 0)).sin() + points.select(1, 1).square();
  return GaussianProcess::Create(kernel, {{0.4, 0.7}, 1.3, noise, 0.2}, points, values).value();
}

TEST(RowProductTest, IsTheProductRowByRow) {
  for (const auto& [rows, depth, columns] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{9, 7, 37}, {4, 1, 16}, {1, 50, 3}, {6, 0, 2}}) {
    const at::Tensor a = Uniform({rows, depth}, 1), b = Uniform({depth, columns}, 2);
    const at::Tensor product = RowProduct(a, b);
    EXPECT_LT(Largest(product, at::mm(a, b)), 1e-13);
    EXPECT_TRUE(RowProduct(a.narrow(0, rows - 1, 1), b).equal(product.narrow(0, rows - 1, 1)));
    EXPECT_TRUE(RowProduct(a.narrow(0, 0, 1), b).equal(product.narrow(0, 0, 1)));
  }
}

TEST(GaussianProcessTest, HasBotorchsPosterior) {
  const nlohmann::json golden = Golden();
  const at::Tensor points = Tensor(golden["points"]).view({-1, 3}), values = Tensor(golden["values"]),
                   groups = Tensor(golden["groups"]).view({-1, 2, 3});
  ASSERT_EQ(golden["cases"].size(), 4);
  for (const nlohmann::json& entry : golden["cases"]) {
    SCOPED_TRACE(entry["kernel"].get<std::string>());
    Kernel kernel = GaussianProcessOptions::RBF;
    ASSERT_TRUE(GaussianProcessOptions::Kernel_Parse(entry["kernel"].get<std::string>(), &kernel));
    const GaussianProcess model =
        GaussianProcess::Create(kernel, {entry["lengthscales"], 1, entry["noise"], entry["mean"]}, points,
                                values)
            .value();
    EXPECT_EQ(model.jitter(), 0);
    const GroupPosterior posterior = model.Posterior(groups, false);
    // GPyTorch keeps squared distances above 1e-15, which tells where the kernel has a kink.
    const double tolerance = kernel == GaussianProcessOptions::MATERN_1_2 ? 1e-7 : 1e-10;
    EXPECT_LT(Largest(posterior.means.flatten(), Tensor(entry["means"])), tolerance);
    EXPECT_LT(Largest(posterior.covariances.flatten(), Tensor(entry["covariances"])), tolerance);
    EXPECT_NEAR(model.LogMarginalLikelihood(), entry["log_marginal_likelihood"], 10 * tolerance);
  }
}

// The means and covariances of groups, each weighed differently.
// Of groups [2, Q, D], within 1e-7; `where` begins a failure's message.
void ExpectPosteriorGradients(const GaussianProcess& model, const at::Tensor& points,
                              const std::string& where) {
  const int64_t q = points.size(1);
  const at::Tensor d_means = Uniform({2, q}, 3), d_covariances = Uniform({2, q, q}, 4);
  const auto value = [&](const at::Tensor& at_points) {
    const GroupPosterior posterior = model.Posterior(at_points, false);
    return (posterior.means * d_means).sum().item<double>() +
           (posterior.covariances * d_covariances).sum().item<double>();
  };
  const at::Tensor gradient = model.Gradient(model.Posterior(points, true), d_means, d_covariances);
  for (int64_t i = 0; i < points.numel(); ++i) {
    at::Tensor above = points.clone(), below = points.clone();
    const double step = 1e-6;
    above.view({-1})[i] += step;
    below.view({-1})[i] -= step;
    EXPECT_NEAR(gradient.reshape({-1})[i].item<double>(), (value(above) - value(below)) / (2 * step), 1e-7)
        << where << " " << q << " " << i;
  }
}

TEST(GaussianProcessTest, GradientsAreFiniteDifferences) {
  for (const Kernel kernel : kKernels) {
    for (const int64_t q : {1, 3}) {
      ExpectPosteriorGradients(Example(kernel), Uniform({2, q, 2}, 2), std::to_string(kernel));
    }
  }
}

TEST(GaussianProcessTest, AppendingIsFittingAllAtOnce) {
  const GaussianProcess all = Example(GaussianProcessOptions::MATERN_5_2, 12);
  GaussianProcess grown = GaussianProcess::Create(all.kernel(), all.parameters(),
                                                  all.points().narrow(0, 0, 7), all.values().narrow(0, 0, 7))
                              .value();
  PLUMB_ASSERT_OK(grown.Append(all.points().narrow(0, 7, 5), all.values().narrow(0, 7, 5)));
  const at::Tensor points = Uniform({3, 2, 2}, 5);
  EXPECT_LT(Largest(grown.Posterior(points, false).covariances, all.Posterior(points, false).covariances),
            1e-12);
  EXPECT_LT(Largest(grown.Posterior(points, false).means, all.Posterior(points, false).means), 1e-12);
  EXPECT_NEAR(grown.LogMarginalLikelihood(), all.LogMarginalLikelihood(), 1e-10);
  EXPECT_FALSE(grown.Append(at::full({1, 2}, NAN, at::kDouble), at::zeros({1}, at::kDouble)).ok());
  EXPECT_EQ(grown.size(), 12);
}

TEST(GaussianProcessTest, PointsThatComeTwiceGetJitter) {
  const at::Tensor points = Uniform({4, 2}, 1).repeat({2, 1}), values = Uniform({4}, 2).repeat({2});
  for (const Kernel kernel : kKernels) {
    const GaussianProcess model =
        GaussianProcess::Create(kernel, {{0.4, 0.7}, 1, /*noise=*/0, 0}, points, values).value();
    EXPECT_GT(model.jitter(), 0);
    const GroupPosterior posterior = model.Posterior(points.unsqueeze(1), false);
    EXPECT_LT(Largest(posterior.means.select(1, 0), values), 1e-4);
    GaussianProcess grown =
        GaussianProcess::Create(kernel, {{0.4, 0.7}, 1, 0, 0}, points.narrow(0, 0, 4), values.narrow(0, 0, 4))
            .value();
    PLUMB_EXPECT_OK(grown.Append(points.narrow(0, 0, 2), values.narrow(0, 0, 2)));
    EXPECT_TRUE(std::isfinite(grown.LogMarginalLikelihood()));
  }
}

TEST(GaussianProcessTest, SaysWhatIsWrong) {
  const at::Tensor points = Uniform({3, 2}, 1), values = Uniform({3}, 2);
  const auto message = [&](GaussianProcessParameters parameters, const at::Tensor& x, const at::Tensor& y) {
    return std::string(
        GaussianProcess::Create(GaussianProcessOptions::RBF, parameters, x, y).status().message());
  };
  at::Tensor bad = values.clone();
  bad[1] = NAN;
  EXPECT_THAT(message({{1, 1}, 1, 0.1, 0}, points, bad), HasSubstr("value of observation 1: nan"));
  EXPECT_THAT(message({{1, 0}, 1, 0.1, 0}, points, values), HasSubstr("lengthscale 1: 0"));
  EXPECT_THAT(message({{1, 1}, 1, -1, 0}, points, values), HasSubstr("noise -1"));
  EXPECT_THAT(message({{1}, 1, 0.1, 0}, points, values), HasSubstr("observed points: shape [3, 2]"));
}

TEST(LogPosteriorTest, GradientsAreFiniteDifferences) {
  const at::Tensor points = Uniform({10, 3}, 1);
  at::Tensor values = (5 * points.select(1, 0)).sin() + points.select(1, 1);
  values = (values - values.mean()) / values.std();
  for (const Kernel kernel : kKernels) {
    GaussianProcessOptions options;
    options.set_kernel(kernel);
    options.set_fit_outputscale(true);
    const LogPosterior posterior(points, values, options);
    ASSERT_EQ(posterior.parameter_count(), 5);
    ExpectGradientIsFiniteDifferences(
        [&](const double* theta, double* gradient) { return posterior.Evaluate(theta, gradient, nullptr); },
        {-0.5, 0.1, 0.4, -2, 0.3}, std::to_string(kernel));
  }
}

TEST(FitGaussianProcessTest, FindsWhatBotorchFindsOrBetter) {
  const nlohmann::json golden = Golden();
  for (const nlohmann::json& entry : golden["fits"]) {
    SCOPED_TRACE(entry["function"].get<std::string>());
    const std::vector<double> lengthscales = entry["lengthscales"];
    const int64_t dimension = lengthscales.size();
    const at::Tensor points = Tensor(entry["points"]).view({-1, dimension});
    GaussianProcessOptions options;
    options.mutable_lbfgsb()->set_gtol(1e-9);
    options.mutable_lbfgsb()->set_ftol(0);
    const GaussianProcessFit fit = FitGaussianProcess(points, Tensor(entry["values"]), options).value();
    EXPECT_NEAR(fit.log_posterior, entry["log_posterior"], 1e-7);
    for (int64_t d = 0; d < dimension; ++d) {
      EXPECT_NEAR(fit.standardized.lengthscales[d] / lengthscales[d], 1, 2e-3) << d;
    }
    EXPECT_NEAR(fit.standardized.noise / entry["noise"].get<double>(), 1, 2e-3);
    const GroupPosterior posterior =
        fit.model.Posterior(Tensor(entry["queries"]).view({-1, 1, dimension}), false);
    const double scale = Tensor(entry["values"]).std().item<double>();
    EXPECT_LT(Largest(posterior.means.flatten(), Tensor(entry["means"])), 1e-3 * scale);
    EXPECT_LT(Largest(posterior.covariances.flatten(), Tensor(entry["variances"])), 1e-3 * scale * scale);
  }
}

TEST(FitGaussianProcessTest, DependsNeitherOnTheUnitsNorOnThreads) {
  const at::Tensor unit = Uniform({30, 2}, 1), values = (6 * unit).sin().sum(1);
  const at::Tensor lower = at::tensor({-5.0, 100.0}, at::kDouble),
                   upper = at::tensor({5.0, 300.0}, at::kDouble);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const GaussianProcessFit fit = FitGaussianProcess(unit, values, {}).value();
  const at::Tensor queries = Uniform({600, 1, 2}, 2);
  const GroupPosterior alone = fit.model.Posterior(queries, true);
  at::set_num_threads(2);
  const GaussianProcessFit again = FitGaussianProcess(unit, values, {}).value();
  const GroupPosterior together = again.model.Posterior(queries, true);
  at::set_num_threads(threads);
  EXPECT_EQ(fit.standardized.lengthscales, again.standardized.lengthscales);
  EXPECT_TRUE(alone.means.equal(together.means));
  EXPECT_TRUE(alone.covariances.equal(together.covariances));
  EXPECT_TRUE(alone.projections.equal(together.projections));
  const GaussianProcessFit scaled =
      FitGaussianProcess(lower + unit * (upper - lower), 1000 * values + 7, {}, lower, upper).value();
  EXPECT_NEAR(scaled.log_posterior, fit.log_posterior, 1e-6);
  EXPECT_NEAR(scaled.model.parameters().lengthscales[1] / (200 * fit.model.parameters().lengthscales[1]), 1,
              1e-2);
}

// Two tasks as one process over (x, task) whose covariance is written out.
TEST(MultiTaskTest, HasThePosteriorOfTheJointProcess) {
  const at::Tensor points = Uniform({7, 2}, 1), values = Uniform({7}, 2), query = Uniform({1, 1, 2}, 3);
  const std::vector<int64_t> tasks = {0, 1, 0, 1, 1, 0, 1};
  const at::Tensor b = at::tensor({2.0, -0.9, -0.9, 1.0}, at::kDouble).view({2, 2});
  const GaussianProcess model =
      GaussianProcess::CreateOfTasks(GaussianProcessOptions::MATERN_5_2, {{0.4, 0.7}, 1.5, 0.02, 0.2}, points,
                                     values, tasks, b, 0)
          .value();
  const auto covariance = [&](const at::Tensor& x, int64_t t, const at::Tensor& z, int64_t u) {
    const at::Tensor step = (x - z) / at::tensor({0.4, 0.7}, at::kDouble);
    const double s = std::sqrt(5 * step.square().sum().item<double>());
    return 1.5 / 2.0 * b[t][u].item<double>() * (1 + s + s * s / 3) * std::exp(-s);
  };
  at::Tensor k = at::zeros({7, 7}, at::kDouble), kx = at::zeros({7}, at::kDouble);
  for (int64_t i = 0; i < 7; ++i) {
    kx[i] = covariance(points[i], tasks[i], query[0][0], 0);
    for (int64_t j = 0; j < 7; ++j)
      k[i][j] = covariance(points[i], tasks[i], points[j], tasks[j]) + (i == j ? 0.02 : 0);
  }
  const Cholesky factor = Cholesky::Factor(k).value();
  const GroupPosterior posterior = model.Posterior(query, false);
  EXPECT_NEAR(posterior.means.item<double>(), 0.2 + (kx * factor.Solve(values - 0.2)).sum().item<double>(),
              1e-12);
  EXPECT_NEAR(posterior.covariances.item<double>(), 1.5 - (kx * factor.Solve(kx)).sum().item<double>(),
              1e-12);
  GaussianProcess grown = model;
  PLUMB_ASSERT_OK(grown.Append(query[0], at::full({1}, 0.5, at::kDouble)));
  EXPECT_NEAR(grown.Posterior(query, false).covariances.item<double>(),
              posterior.covariances.item<double>() * 0.02 / (posterior.covariances.item<double>() + 0.02),
              1e-12);
  // No covariance at all: correlations beyond one. Jitter does not hide that.
  const at::Tensor indefinite = at::tensor({1.0, 2.0, 2.0, 1.0}, at::kDouble).view({2, 2});
  EXPECT_THAT(GaussianProcess::CreateOfTasks(GaussianProcessOptions::RBF, {{0.4, 0.7}, 1.5, 0.02, 0.2},
                                             points, values, tasks, indefinite, 0)
                  .status()
                  .message(),
              HasSubstr("not positive definite"));
}

TEST(MultiTaskTest, GradientsAreFiniteDifferences) {
  const at::Tensor points = Uniform({10, 2}, 1), values = Uniform({10}, 2) * 2 - 1;
  const MultiTaskLogPosterior posterior(points, {0, 1, 0, 1, 2, 0, 1, 2, 2, 0}, values, 3, 2, {});
  const std::vector<double> theta = {-0.5, 0.1, -2, 0.8, -0.3, 0.5, 0.4, -0.7, 0.2, -1.5, -2.2, -0.4};
  ASSERT_EQ(posterior.parameter_count(), theta.size());
  ExpectGradientIsFiniteDifferences(
      [&](const double* at, double* gradient) { return posterior.Evaluate(at, gradient); }, theta);
}

// Many observations of a task that is the other's mirror image: the few of the target are enough then.
TEST(MultiTaskTest, LearnsFromAnotherTask) {
  const at::Tensor points = Uniform({24, 1}, 1), queries = Uniform({50, 1, 1}, 2);
  const auto f = [](const at::Tensor& x) { return (9 * x).sin() + x; };
  std::vector<int64_t> tasks(24, 1);
  at::Tensor values = -3 * f(points.select(1, 0)) + 5;
  for (int64_t i = 0; i < 5; ++i) {
    tasks[i] = 0;
    values[i] = f(points[i][0]);
  }
  const MultiTaskFit fit = FitMultiTask(points, tasks, values, /*target=*/0, 0, {}).value();
  EXPECT_LT(fit.task_covariance[0][1].item<double>(), 0);
  const at::Tensor truth = f(queries.flatten());
  const GaussianProcessFit alone =
      FitGaussianProcess(points.narrow(0, 0, 5), values.narrow(0, 0, 5), {}).value();
  const double error = (fit.model.Posterior(queries, false).means.flatten() - truth).norm().item<double>(),
               without =
                   (alone.model.Posterior(queries, false).means.flatten() - truth).norm().item<double>();
  EXPECT_LT(error, 0.5 * without) << without;
  EXPECT_THAT(FitMultiTask(points, tasks, values, 2, 0, {}).status().message(),
              HasSubstr("target task 2: has no observation"));
}

// Three levels over (s, x), each with parameters of its own; f_2 = -0.5 (1.5 f_0 + delta_1) + delta_2.
const std::vector<CoKrigingLevel> kLevels = {
    {{1, 0.4}, 1.2, 1, 0.3}, {{1, 0.7}, 0.5, 1.5, -0.2}, {{1, 0.2}, 0.1, -0.5, 0.8}};

at::Tensor PointsOfLevels(int64_t count, uint64_t seed) {
  at::Tensor points = Uniform({count, 2}, seed);
  for (int64_t i = 0; i < count; ++i) points[i][0] = 0.5 * static_cast<double>(i % 3);
  return points;
}

GaussianProcess CoKrigingExample() {
  const at::Tensor points = PointsOfLevels(8, 1), values = Uniform({8}, 2);
  const auto prior = std::make_shared<CoKrigingPrior>(GaussianProcessOptions::MATERN_5_2, kLevels, 0);
  return GaussianProcess::CreateOfPrior(GaussianProcessOptions::MATERN_5_2, prior, {{}, 1, 0.02, 0}, points,
                                        values)
      .value();
}

TEST(CoKrigingTest, HasThePosteriorOfTheAutoregressiveProcess) {
  const GaussianProcess model = CoKrigingExample();
  const auto matern = [](double distance) {
    const double s = std::sqrt(5.0) * std::abs(distance);
    return (1 + s + s * s / 3) * std::exp(-s);
  };
  // f_l as weights of the independent deltas.
  const double c[3][3] = {{1, 0, 0}, {1.5, 1, 0}, {-0.75, -0.5, 1}};
  const double means[] = {0.3, -0.2, 0.8};
  const auto level = [](const at::Tensor& point) {
    return static_cast<int64_t>(std::lround(2 * point[0].item<double>()));
  };
  const auto covariance = [&](const at::Tensor& a, const at::Tensor& b) {
    const double step = a[1].item<double>() - b[1].item<double>();
    const double of_deltas[] = {1.2 * matern(step / 0.4), 0.5 * matern(step / 0.7), 0.1 * matern(step / 0.2)};
    double sum = 0;
    for (int64_t j = 0; j < 3; ++j) sum += c[level(a)][j] * c[level(b)][j] * of_deltas[j];
    return sum;
  };
  const at::Tensor& points = model.points();
  at::Tensor k = at::zeros({8, 8}, at::kDouble), residual = model.values().clone();
  for (int64_t i = 0; i < 8; ++i) {
    residual[i] -= means[level(points[i])];
    for (int64_t j = 0; j < 8; ++j) k[i][j] = covariance(points[i], points[j]) + (i == j ? 0.02 : 0);
  }
  const Cholesky factor = Cholesky::Factor(k).value();
  // Pairs of levels, and each point by itself.
  const at::Tensor queries = PointsOfLevels(6, 3);
  const at::Tensor weights = factor.Solve(residual);
  const GroupPosterior alone = model.Posterior(queries.unsqueeze(1), false),
                       pairs = model.Posterior(queries.view({3, 2, 2}), false);
  at::Tensor kx = at::zeros({6, 8}, at::kDouble);
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 8; ++j) kx[i][j] = covariance(queries[i], points[j]);
  }
  for (int64_t i = 0; i < 6; ++i) {
    const double mean = means[level(queries[i])] + (kx[i] * weights).sum().item<double>();
    EXPECT_NEAR(alone.means[i][0].item<double>(), mean, 1e-12);
    EXPECT_NEAR(pairs.means[i / 2][i % 2].item<double>(), mean, 1e-12);
    for (int64_t j = i / 2 * 2; j < i / 2 * 2 + 2; ++j) {
      const double expected =
          covariance(queries[i], queries[j]) - (kx[i] * factor.Solve(kx[j])).sum().item<double>();
      EXPECT_NEAR(pairs.covariances[i / 2][i % 2][j % 2].item<double>(), expected, 1e-12);
      if (i != j) continue;
      EXPECT_NEAR(alone.covariances[i][0][0].item<double>(), expected, 1e-12);
    }
  }
}

TEST(CoKrigingTest, GradientsAreFiniteDifferences) {
  for (const int64_t q : {1, 3}) {
    ExpectPosteriorGradients(CoKrigingExample(), PointsOfLevels(2 * q, 4).view({2, q, 2}), "levels");
  }
}

TEST(CoKrigingTest, LogPosteriorHasItsGradient) {
  const at::Tensor points = PointsOfLevels(11, 1), values = Uniform({11}, 2) * 2 - 1;
  // Of the last one, rho_1 = 0, where a product of ratios may not be divided by one of them.
  for (const double ratio : {0.8, 0.0}) {
    const CoKrigingLogPosterior posterior(points, 0, 3, values, {});
    const std::vector<double> theta = {-0.5, 0.3, -0.2, -1, -1.3, -2, ratio, -0.4, -2};
    ASSERT_EQ(posterior.parameter_count(), theta.size());
    ExpectGradientIsFiniteDifferences(
        [&](const double* at, double* gradient) { return posterior.Evaluate(at, gradient, nullptr); }, theta);
  }
}

// Forrester, Sobester and Keane 2007: four expensive values and eleven cheap ones, of half the slope and a
// line.
TEST(CoKrigingTest, LearnsFromACheapFunction) {
  const auto expensive = [](const at::Tensor& x) { return (6 * x - 2).square() * (12 * x - 4).sin(); };
  const at::Tensor few = at::tensor({0.0, 0.4, 0.6, 1.0}, at::kDouble),
                   many = at::arange(11, at::kDouble) / 10;
  const at::Tensor points =
      at::cat({at::stack({few, at::ones_like(few)}, 1), at::stack({many, at::zeros_like(many)}, 1)});
  const at::Tensor values = at::cat({expensive(few), 0.5 * expensive(many) + 10 * (many - 0.5) - 5});
  GaussianProcessOptions options;
  options.set_noise(0);
  const CoKrigingFit fit = FitCoKriging(points, values, 1, 2, options).value();
  EXPECT_NEAR(fit.levels[1].ratio, 2, 0.1);
  const at::Tensor x = at::arange(101, at::kDouble) / 100, truth = expensive(x);
  const auto error = [&](const GaussianProcess& model, const at::Tensor& queries) {
    return (model.Posterior(queries.unsqueeze(1), false).means.flatten() - truth).norm().item<double>();
  };
  const double together = error(fit.model, at::stack({x, at::ones_like(x)}, 1));
  const GaussianProcessFit alone = FitGaussianProcess(few.unsqueeze(1), expensive(few), options).value();
  EXPECT_LT(together, 0.1 * error(alone.model, x.unsqueeze(1)));
}

TEST(CoKrigingTest, TakesLevelsWithoutValuesAndSaysWhatIsWrong) {
  const at::Tensor points = PointsOfLevels(9, 1), values = Uniform({9}, 2);
  at::Tensor lowest = points.clone();
  lowest.select(1, 0).fill_(0);
  const auto fit = FitCoKriging(lowest, values, 0, 3, {});
  PLUMB_ASSERT_OK(fit);
  EXPECT_TRUE(std::isfinite(fit->model.Posterior(points.unsqueeze(1), false).means.sum().item<double>()));
  PLUMB_EXPECT_OK(FitCoKriging(points, at::full({9}, 3.0, at::kDouble), 0, 3, {}));
  EXPECT_THAT(FitCoKriging(points, values, 0, 1, {}).status().message(), HasSubstr("two levels"));
  EXPECT_THAT(FitCoKriging(points, values / 0.0, 0, 3, {}).status().message(),
              HasSubstr("value of observation 0: expected finite numbers"));
  EXPECT_THAT(FitCoKriging(points / 0.0, values, 0, 3, {}).status().message(),
              HasSubstr("coordinates of observation 0: expected finite numbers"));
}

TEST(FitGaussianProcessTest, TakesWhatIsHardAndSaysWhatIsWrong) {
  // All values equal, one observation, the same point again and again.
  const at::Tensor points = Uniform({6, 2}, 1);
  for (const auto& [x, y] : {std::make_pair(points, at::full({6}, 3.0, at::kDouble)),
                             std::make_pair(points.narrow(0, 0, 1), at::full({1}, 3.0, at::kDouble)),
                             std::make_pair(points.narrow(0, 0, 1).repeat({6, 1}), Uniform({6}, 3))}) {
    const auto fit = FitGaussianProcess(x, y, {});
    PLUMB_ASSERT_OK(fit);
    EXPECT_TRUE(std::isfinite(fit->model.Posterior(points.unsqueeze(1), false).means.sum().item<double>()));
  }
  at::Tensor values = Uniform({6}, 2);
  values[4] = INFINITY;
  EXPECT_THAT(FitGaussianProcess(points, values, {}).status().message(),
              HasSubstr("value of observation 4: inf, expected a finite number"));
  EXPECT_THAT(FitGaussianProcess(points.narrow(0, 0, 0), values.narrow(0, 0, 0), {}).status().message(),
              HasSubstr("expected at least one point"));
}

}  // namespace
}  // namespace plumb
