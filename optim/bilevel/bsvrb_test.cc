#include "optim/bilevel/bsvrb.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Version = BsvrbOptions::Version;

constexpr int64_t kBlocks = 6, kSamples = 20, kX = 3, kY = 2;
constexpr double kRidge = 0.5;

// f_i = mean of |y - T_ij|^2 / 2 + ridge |x|^2 / 2 and g_i = mean of (1 + d_ij) |y - A_i x - E_ij|^2 / 2.
struct Data {
  at::Tensor a = Numbers({kBlocks, kY, kX}, 0.1), t = Numbers({kBlocks, kSamples, kY}, 0.4, 2) + 3,
             e = Numbers({kBlocks, kSamples, kY}, 0.8), d = Numbers({kBlocks, kSamples}, 0.6, 0.5);
};
const Data& TheData() {
  static const auto& data = *new Data();
  return data;
}

MultiBlockProblem Problem() {
  MultiBlockProblem problem;
  problem.blocks = kBlocks;
  problem.upper_samples = problem.lower_samples = kSamples;
  problem.upper = [](int64_t i, const at::Tensor& x, const at::Tensor& y, const at::Tensor& samples) {
    const at::Tensor rest = y - TheData().t[i].index_select(0, samples);
    return at::dot(rest.flatten(), rest.flatten()) * (0.5 / samples.numel()) + at::dot(x, x) * (kRidge / 2);
  };
  problem.lower = [](int64_t i, const at::Tensor& x, const at::Tensor& y, const at::Tensor& samples) {
    const at::Tensor rest = TheData().e[i].index_select(0, samples) - (y - at::mv(TheData().a[i], x));
    const at::Tensor weights = (1 + TheData().d[i].index_select(0, samples)) * (0.5 / samples.numel());
    return at::dot((weights.unsqueeze(1) * rest).flatten(), rest.flatten());
  };
  return problem;
}

// y_i(x) = A_i x + b_i, so the hyper-objective is a ridge regression.
at::Tensor Offset(int64_t i) {
  const at::Tensor weights = (1 + TheData().d[i]).unsqueeze(1);
  return (weights * TheData().e[i]).sum(0) / weights.sum();
}
at::Tensor Solution() {
  at::Tensor matrix = kRidge * at::eye(kX, at::kDouble), side = at::zeros({kX}, at::kDouble);
  for (int64_t i = 0; i < kBlocks; ++i) {
    const at::Tensor a = TheData().a[i];
    matrix += at::mm(a.t(), a) / kBlocks;
    side += at::mv(a.t(), TheData().t[i].mean(0) - Offset(i)) / kBlocks;
  }
  return at::linalg_solve(matrix, side);
}

BsvrbOptions Options(Version version, int64_t block_batch, int64_t sample_batch) {
  BsvrbOptions options;
  options.version = version;
  options.block_batch = block_batch;
  options.sample_batch = sample_batch;
  options.alpha = options.beta = 0.1;
  options.step_x = 0.08;
  options.step_y = options.step_v = 0.2;
  return options;
}

// The mean over the last quarter of |x - x*|.
double Error(const BsvrbOptions& options, int64_t iterations, uint64_t seed) {
  Bsvrb method = Bsvrb::Create(Problem(), at::zeros({kX}, at::kDouble), at::zeros({kBlocks, kY}, at::kDouble),
                               options, RandomStream(seed, "bsvrb"))
                     .value();
  const at::Tensor solution = Solution();
  double sum = 0;
  for (int64_t i = 0; i < iterations; ++i) {
    method.Step();
    if (4 * i >= 3 * iterations) sum += (method.x() - solution).norm().item<double>() / (iterations / 4);
  }
  return sum;
}

// It comes near the closed form; and the paper's parallel speed-up: more blocks, and more samples a block,
// come closer in as many iterations.
TEST(BsvrbTest, MoreBlocksAndMoreSamplesComeCloser) {
  const double start = Solution().norm().item<double>();
  for (const Version version : {Version::kHessian, Version::kHessianVector}) {
    double one = 0, blocks = 0, samples = 0;
    for (const uint64_t seed : {1, 2}) {
      one += Error(Options(version, 1, 1), 200, seed);
      blocks += Error(Options(version, 4, 1), 200, seed);
      const double nearest = Error(Options(version, 4, 8), 200, seed);
      EXPECT_LT(nearest, 0.25 * start) << (version == Version::kHessian);
      samples += nearest;
    }
    EXPECT_LT(blocks, one) << (version == Version::kHessian);
    EXPECT_LT(samples, blocks) << (version == Version::kHessian);
  }
}

// Without sampling noise the two versions end at the solution itself.
TEST(BsvrbTest, IsExactWithoutNoise) {
  MultiBlockProblem problem = Problem();
  const MultiBlockProblem sampled = Problem();
  const auto all = [](const BlockFunction& function) -> BlockFunction {
    return [function](int64_t i, const at::Tensor& x, const at::Tensor& y, const at::Tensor&) {
      return function(i, x, y, at::arange(kSamples));
    };
  };
  problem.upper = all(sampled.upper);
  problem.lower = all(sampled.lower);
  for (const Version version : {Version::kHessian, Version::kHessianVector}) {
    BsvrbOptions options = Options(version, kBlocks, 1);
    options.step_x = 0.2;
    Bsvrb method = Bsvrb::Create(problem, at::zeros({kX}, at::kDouble), at::zeros({kBlocks, kY}, at::kDouble),
                                 options, RandomStream(1, "bsvrb"))
                       .value();
    for (int i = 0; i < 300; ++i) method.Step();
    EXPECT_LT(Difference(method.x(), Solution()), 1e-6);
    EXPECT_LT(Difference(method.y()[1], at::mv(TheData().a[1], Solution()) + Offset(1)), 1e-6);
    EXPECT_LT(method.hypergradient().abs().max().item<double>(), 1e-6);
  }
}

TEST(BlockDerivativesTest, AreThoseOfTheFunctions) {
  const at::Tensor x = Numbers({kX}, 0.3), y = Numbers({kY}, 0.5), v = Numbers({kY}, 0.7);
  at::Tensor samples = at::zeros({2}, at::kLong);
  samples[1] = 3;
  OracleCalls calls;
  const BlockDerivatives at(Problem(), 2, x, y, samples, samples, &calls);
  const at::Tensor weights = 1 + TheData().d[2].index_select(0, samples);
  const double weight = weights.mean().item<double>();
  EXPECT_LT(Difference(at.UpperInX(), kRidge * x), 1e-14);
  EXPECT_LT(Difference(at.UpperInY(), y - TheData().t[2].index_select(0, samples).mean(0)), 1e-14);
  const at::Tensor rest = y - at::mv(TheData().a[2], x) - TheData().e[2].index_select(0, samples);
  EXPECT_LT(Difference(at.LowerInY(), (weights.unsqueeze(1) * rest).mean(0)), 1e-14);
  EXPECT_LT(Difference(at.Times(v).hessian, weight * v), 1e-14);
  EXPECT_LT(Difference(at.Times(v).cross, -weight * at::mv(TheData().a[2].t(), v)), 1e-14);
  EXPECT_LT(Difference(at.OfEachUnit().hessian, weight * at::eye(kY, at::kDouble)), 1e-14);
  EXPECT_LT(Difference(at.OfEachUnit().cross, -weight * TheData().a[2]), 1e-14);
  EXPECT_EQ(calls.hessian_vectors, 2 + 2 * kY);
  EXPECT_EQ(calls.gradients, 4);
}

TEST(BsvrbTest, SaysWhatIsWrong) {
  const at::Tensor x = at::zeros({kX}, at::kDouble), y = at::zeros({kBlocks, kY}, at::kDouble);
  const auto message = [&](const BsvrbOptions& options) {
    return std::string(Bsvrb::Create(Problem(), x, y, options, RandomStream(1, "")).status().message());
  };
  EXPECT_THAT(message(Options(Version::kHessian, 7, 1)), HasSubstr("block_batch 7: must be within [1, 6]"));
  EXPECT_THAT(message(Options(Version::kHessian, 1, 0)), HasSubstr("sample_batch 0"));
  BsvrbOptions options;
  options.alpha = 1;
  EXPECT_THAT(message(options), HasSubstr("alpha 1"));
  EXPECT_THAT(Bsvrb::Create(Problem(), x, y[0], {}, RandomStream(1, "")).status().message(),
              HasSubstr("y: shape"));
}

}  // namespace
}  // namespace plumb
