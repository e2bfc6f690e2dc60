#include "optim/private/diff2.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/private/rdp_accountant.h"

namespace plumb {
namespace {

using testing::HasSubstr;

constexpr double kNoNoise = 1e-12;

// Example i of a client has the loss |x - a_i|^2 / 2: gradients x - a_i, 1-Lipschitz.
std::vector<ClientGradients> Gradients(const std::vector<at::Tensor>& centers, const at::Tensor& x,
                                       const at::Tensor& before) {
  std::vector<ClientGradients> clients;
  for (const at::Tensor& own : centers) {
    clients.push_back({x - own, before.defined() ? before - own : at::Tensor()});
  }
  return clients;
}

const std::vector<at::Tensor>& Centers() {
  static const auto* const centers = new std::vector<at::Tensor>{Numbers({7, 4}, 0.1), Numbers({12, 4}, 0.2)};
  return *centers;
}

// Nothing clipped and next to no noise: differences add up to the gradient of the clients' mean.
TEST(Diff2Test, TelescopesToTheGradient) {
  Diff2 method = Diff2::Create({3, 100, 1.0000001, kNoNoise, kNoNoise}, RandomStream(1, "diff2")).value();
  at::Tensor x = Numbers({4}, 0.3), before;
  for (int round = 0; round < 8; ++round) {
    EXPECT_EQ(method.Restarts(), round % 3 == 0);
    const at::Tensor v = method.Estimate(x, Gradients(Centers(), x, before)).value();
    EXPECT_LT(Difference(v, x - 0.5 * (Centers()[0].mean(0) + Centers()[1].mean(0))), 1e-9);
    before = x;
    x = x - 0.3 * v;
  }
}

TEST(Diff2Test, ClipsDifferencesRelativeToTheStep) {
  Diff2 method = Diff2::Create({10, 0.5, 0.25, kNoNoise, kNoNoise}, RandomStream(1, "diff2")).value();
  const at::Tensor x = at::zeros({3}, at::kDouble), y = at::full({3}, 2.0, at::kDouble);
  at::Tensor gradients = at::zeros({2, 3}, at::kDouble);
  gradients[0][0] = 4;    // clipped to 0.5
  gradients[1][1] = 0.1;  // left alone
  const at::Tensor v = method.Estimate(x, {{gradients, {}}}).value();
  EXPECT_NEAR(v[0].item<double>(), 0.25, 1e-9);
  EXPECT_NEAR(v[1].item<double>(), 0.05, 1e-9);
  // Differences (0, 0, 100) and 0 over a step of |y - x| = sqrt(12): clipped to 0.25 sqrt(12).
  at::Tensor after = gradients.clone();
  after[0][2] = 100;
  const at::Tensor next = method.Estimate(y, {{after, gradients}}).value();
  EXPECT_NEAR((next - v)[2].item<double>(), 0.125 * std::sqrt(12), 1e-9);
  EXPECT_NEAR((next - v)[0].item<double>(), 0, 1e-9);
  // No step: no difference, and no noise.
  EXPECT_EQ(Difference(method.Estimate(y, {{after, gradients}}).value(), next), 0);
}

// What the paper gains: the noise of a round is proportional to the step since the last one.
TEST(Diff2Test, NoiseIsProportionalToTheStep) {
  constexpr int64_t kSize = 20000;
  for (const double step : {1.0, 0.01}) {
    Diff2 method = Diff2::Create({10, 2, 0.5, 3, 6}, RandomStream(1, "diff2")).value();
    const at::Tensor zeros = at::zeros({5, kSize}, at::kDouble), x = at::zeros({kSize}, at::kDouble);
    const at::Tensor v = method.Estimate(x, {{zeros, {}}, {zeros, {}}}).value();
    EXPECT_NEAR(v.std().item<double>(), 3 * 2 / 5.0 / std::sqrt(2), 0.05);
    const at::Tensor y = at::full({kSize}, step / std::sqrt(kSize), at::kDouble);
    const at::Tensor next = method.Estimate(y, {{zeros, zeros}, {zeros, zeros}}).value();
    EXPECT_NEAR((next - v).std().item<double>(), step * 6 * 0.5 / 5 / std::sqrt(2), 0.02 * step);
  }
}

TEST(Diff2Test, SpendsAGaussianStepARound) {
  Diff2 method = Diff2::Create({3, 1, 1, 4, 4}, RandomStream(1, "diff2")).value();
  const at::Tensor x = at::zeros({4}, at::kDouble);
  for (int round = 0; round < 8; ++round) ASSERT_TRUE(method.Estimate(x, Gradients(Centers(), x, x)).ok());
  EXPECT_EQ(method.Spent()[0].steps, 3);
  EXPECT_EQ(method.Spent()[1].steps, 5);
  EXPECT_NEAR(RdpEpsilon(method.Spent(), 1e-5).value(), RdpEpsilon({{4, 1, 8}}, 1e-5).value(), 1e-12);
}

TEST(Diff2Test, SaysWhatIsWrong) {
  EXPECT_THAT(Diff2::Create({0}, RandomStream(1, "")).status().message(), HasSubstr("period 0"));
  EXPECT_THAT(Diff2::Create({1, 0}, RandomStream(1, "")).status().message(), HasSubstr("clip 0"));
  EXPECT_THAT(Diff2::Create({1, 1, 1, 0}, RandomStream(1, "")).status().message(),
              HasSubstr("noise multiplier 0"));
  Diff2 method = Diff2::Create({}, RandomStream(1, "")).value();
  const at::Tensor x = at::zeros({4}, at::kDouble);
  EXPECT_THAT(method.Estimate(x, {}).status().message(), HasSubstr("no client"));
  EXPECT_THAT(method.Estimate(x, {{at::zeros({0, 4}, at::kDouble), {}}}).status().message(),
              HasSubstr("gradients of client 0: must be [examples, 4]"));
  ASSERT_TRUE(method.Estimate(x, Gradients(Centers(), x, {})).ok());
  EXPECT_THAT(method.Estimate(x, Gradients(Centers(), x, {})).status().message(),
              HasSubstr("at the point before"));
}

}  // namespace
}  // namespace plumb
