#include "optim/bilevel/lv_hba.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <memory>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/bilevel/polyhedron_projection.h"

namespace plumb {
namespace {

using testing::HasSubstr;

// The paper's toy with coupled constraints, y = (y1, y2), each of n elements:
//   F = |x - y2|^2 / 2 + |y1 - 1|^2 / 2,  f = |y1|^2 / 2 - x'y1 + 1'y2,  g = 1'x + 1'y1 + 1'y2 = 0.
// The lower level has y1 = x + 1 and any y2 with the right sum; then x = -0.3, y1 = 0.7, y2 = -0.4 are best.
// g is divided by sqrt(n) here, which makes its multiplier -sqrt(n).
constexpr int64_t kSize = 25;

CoupledBilevelProblem Toy() {
  CoupledBilevelProblem problem;
  problem.constraints = problem.equalities = 1;
  problem.upper = [](const at::Tensor& x, const at::Tensor& y) {
    return (x - y.narrow(0, kSize, kSize)).square().sum() / 2 +
           (y.narrow(0, 0, kSize) - 1).square().sum() / 2;
  };
  problem.lower = [](const at::Tensor& x, const at::Tensor& y) {
    const at::Tensor y1 = y.narrow(0, 0, kSize);
    return y1.square().sum() / 2 - (x * y1).sum() + y.narrow(0, kSize, kSize).sum();
  };
  problem.constraint = [](const at::Tensor& x, const at::Tensor& y) {
    return ((x.sum() + y.sum()) / std::sqrt(kSize)).unsqueeze(0);
  };
  const auto polyhedron = std::make_shared<PolyhedronProjection>(
      PolyhedronProjection::Create(at::ones({1, 3 * kSize}, at::kDouble), at::zeros({1}), 1).value());
  problem.project = [polyhedron](const at::Tensor& x,
                                 const at::Tensor& y) -> absl::StatusOr<std::pair<at::Tensor, at::Tensor>> {
    const auto projected = polyhedron->Project(at::cat({x, y}));
    if (!projected.ok()) return projected.status();
    return std::make_pair(projected->narrow(0, 0, kSize), projected->narrow(0, kSize, 2 * kSize));
  };
  return problem;
}

LvHbaOptions ToyOptions(int64_t iterations) {
  LvHbaOptions options;
  options.step_xy = 0.05;
  options.step_z = 0.5;
  options.step_inner = 0.1;
  options.penalty_power = 0.5;
  options.multiplier_bound = 20;
  options.stop.set_max_iterations(iterations);
  return options;
}

TEST(LvHbaTest, ReachesTheToysClosedForm) {
  const at::Tensor expected_y =
      at::cat({at::full({kSize}, 0.7, at::kDouble), at::full({kSize}, -0.4, at::kDouble)});
  double last = 1e9;
  for (const int64_t iterations : {500, 5000}) {
    const BilevelResult result =
        MinimizeLvHba(Toy(), at::full({kSize}, 10.0, at::kDouble), at::full({2 * kSize}, 10.0, at::kDouble),
                      ToyOptions(iterations))
            .value();
    EXPECT_EQ(result.summary.termination, Termination::kMaxIterations);
    EXPECT_LT(std::abs((result.x.sum() + result.y.sum()).item<double>()), 1e-8);
    const double error = std::max(Difference(result.x, at::full({kSize}, -0.3, at::kDouble)),
                                  Difference(result.y, expected_y));
    EXPECT_LT(error, last);
    last = error;
  }
  EXPECT_LT(last, 4e-3);
}

// min (x - 2)^2 / 2 + (y - 2)^2 / 2 subject to y in argmin (y - 3)^2 / 2 with x + y <= 2, x >= 0. The lower
// level has y = min(3, 2 - x) = 2 - x for x >= -1; then (x - 2)^2 + x^2 is least at x = 1, y = 1.
TEST(LvHbaTest, AnInequalityThatBinds) {
  CoupledBilevelProblem problem;
  problem.constraints = 1;
  problem.upper = [](const at::Tensor& x, const at::Tensor& y) {
    return (x - 2).square().sum() / 2 + (y - 2).square().sum() / 2;
  };
  problem.lower = [](const at::Tensor&, const at::Tensor& y) { return (y - 3).square().sum() / 2; };
  problem.constraint = [](const at::Tensor& x, const at::Tensor& y) { return x + y - 2; };
  const auto polyhedron = std::make_shared<PolyhedronProjection>(
      PolyhedronProjection::Create(at::tensor({1.0, 1.0, -1.0, 0.0}, at::kDouble).view({2, 2}),
                                   at::tensor({2.0, 0.0}, at::kDouble), 0)
          .value());
  problem.project = [polyhedron](const at::Tensor& x,
                                 const at::Tensor& y) -> absl::StatusOr<std::pair<at::Tensor, at::Tensor>> {
    const auto projected = polyhedron->Project(at::cat({x, y}));
    if (!projected.ok()) return projected.status();
    return std::make_pair(projected->narrow(0, 0, 1), projected->narrow(0, 1, 1));
  };
  LvHbaOptions options = ToyOptions(20000);
  options.gamma_1 = options.gamma_2 = 1;
  const BilevelResult result =
      MinimizeLvHba(problem, at::zeros({1}, at::kDouble), at::zeros({1}, at::kDouble), options).value();
  EXPECT_NEAR(result.x.item<double>(), 1, 0.02) << result.summary.FullReport();
  EXPECT_NEAR(result.y.item<double>(), 1, 0.02);
}

TEST(LvHbaTest, SaysWhatIsWrong) {
  LvHbaOptions options;
  options.gamma_1 = 0;
  const at::Tensor x = at::zeros({kSize}, at::kDouble), y = at::zeros({2 * kSize}, at::kDouble);
  EXPECT_THAT(MinimizeLvHba(Toy(), x, y, options).status().message(), HasSubstr("gamma_1 0"));
  CoupledBilevelProblem problem = Toy();
  problem.constraints = 2;
  EXPECT_THAT(MinimizeLvHba(problem, x, y, {}).status().message(),
              HasSubstr("constraint: shape [1], expected [2]"));
}

TEST(PolyhedronProjectionTest, IsTheNearestPoint) {
  const at::Tensor a = Numbers({6, 4}, 0.2);
  at::Tensor slacks = Numbers({6}, 0.8).abs() + 0.1;
  slacks.narrow(0, 0, 2).zero_();
  const at::Tensor b = at::mv(a, Numbers({4}, 0.4)) + slacks;
  PolyhedronProjection polyhedron = PolyhedronProjection::Create(a, b, 2).value();
  for (int trial = 0; trial < 10; ++trial) {
    const at::Tensor v = Numbers({4}, trial, 3), p = polyhedron.Project(v).value();
    const at::Tensor slack = b - at::mv(a, p);
    EXPECT_LT(slack.narrow(0, 0, 2).abs().max().item<double>(), 1e-8);
    EXPECT_GT(slack.min().item<double>(), -1e-8);
    // No point of the polyhedron lies in v's direction: others are those of other projections.
    for (int other = 0; other < 10; ++other) {
      const at::Tensor q = polyhedron.Project(Numbers({4}, 100 + other, 3)).value();
      EXPECT_LT(((v - p) * (q - p)).sum().item<double>(), 1e-6);
    }
  }
  // From where it is, one sweep to see that.
  const at::Tensor v = Numbers({4}, 3, 3);
  EXPECT_TRUE(polyhedron.Project(v).ok());
  EXPECT_TRUE(polyhedron.Project(v).ok());
  EXPECT_LE(polyhedron.sweeps(), 2);
}

TEST(PolyhedronProjectionTest, SaysWhatIsWrong) {
  const at::Tensor a = at::tensor({1.0, -1.0}, at::kDouble).view({2, 1}),
                   b = at::tensor({-1.0, -1.0}, at::kDouble);
  PolyhedronProjection empty = PolyhedronProjection::Create(a, b, 0).value();  // v <= -1 and v >= 1
  EXPECT_THAT(empty.Project(at::zeros({1}, at::kDouble), 1e-10, 100).status().message(),
              HasSubstr("contradict"));
  EXPECT_THAT(PolyhedronProjection::Create(0 * a, b, 0).status().message(), HasSubstr("row 0 is zero"));
  EXPECT_THAT(PolyhedronProjection::Create(a, b, 3).status().message(), HasSubstr("3 equalities"));
  EXPECT_FALSE(empty.Project(at::zeros({2}, at::kDouble)).ok());
}

}  // namespace
}  // namespace plumb
