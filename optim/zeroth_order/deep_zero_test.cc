#include "optim/zeroth_order/deep_zero.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/nll_loss.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

// tanh layers, then logits and their cross-entropy.
class Mlp : public MultilayerPerceptron {
 public:
  explicit Mlp(at::Tensor labels) : labels_(std::move(labels)) {}
  int64_t LayerCount() const override { return 3; }
  at::Tensor Activate(int64_t layer, const at::Tensor& z) const override {
    return layer < 2 ? at::tanh(z) : z;
  }
  at::Tensor LossTensor(const at::Tensor& output) const {
    return at::nll_loss(output.log_softmax(-1), labels_);
  }
  at::Tensor Losses(const at::Tensor& outputs) const override {
    const at::Tensor logps = outputs.log_softmax(-1);
    return -logps.gather(2, labels_.view({1, -1, 1}).expand({outputs.size(0), -1, 1}))
                .to(at::kDouble)
                .mean({1, 2});
  }

 private:
  at::Tensor labels_;
};

LayerTensors Parameters(at::ScalarType dtype) {
  LayerTensors parameters;
  const std::vector<int64_t> sizes = {6, 8, 7, 3};
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    parameters.push_back({Numbers({sizes[i + 1], sizes[i]}, i + 0.1, 0.6).to(dtype),
                          Numbers({sizes[i + 1]}, i + 0.2, 0.1).to(dtype)});
  }
  return parameters;
}

LayerTensors Everything(const LayerTensors& parameters) {
  LayerTensors mask;
  for (const auto& layer : parameters) {
    mask.emplace_back();
    for (const at::Tensor& tensor : layer) mask.back().push_back(at::ones_like(tensor, at::kBool));
  }
  return mask;
}

struct Problem {
  at::Tensor input = Numbers({12, 6}, 0.3);
  Mlp model = Mlp(at::arange(12, at::kLong).remainder(3));
};

TEST(LayeredCoordinateGradientTest, ApproachesTheGradient) {
  const Problem problem;
  const LayerTensors parameters = Parameters(at::kDouble);
  const CoordinateEstimate estimate = LayeredCoordinateGradient(
      problem.model, parameters, Everything(parameters), problem.input, {/*mu=*/1e-6});
  std::vector<at::Tensor> leaves;
  at::Tensor features = problem.input;
  for (int64_t layer = 0; layer < 3; ++layer) {
    std::vector<at::Tensor> own;
    for (const at::Tensor& tensor : parameters[layer]) own.push_back(tensor.clone().requires_grad_(true));
    leaves.insert(leaves.end(), own.begin(), own.end());
    features = problem.model.Forward(layer, own, features);
  }
  const auto gradients = torch::autograd::grad({problem.model.LossTensor(features)}, leaves);
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_LT(Difference(estimate.gradient[i / 2][i % 2], gradients[i]), 1e-5) << i;
  }
}

TEST(LayeredCoordinateGradientTest, ReuseAndThreadsChangeNoBit) {
  const Problem problem;
  const at::Tensor input = problem.input.to(at::kFloat);
  const LayerTensors parameters = Parameters(at::kFloat);
  const LayerTensors mask = Everything(parameters);
  std::vector<CoordinateEstimate> estimates;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    for (const bool reuse : {false, true}) {
      estimates.push_back(LayeredCoordinateGradient(problem.model, parameters, mask, input, {5e-3, reuse}));
    }
  }
  for (const CoordinateEstimate& estimate : estimates) {
    EXPECT_EQ(estimate.loss, estimates[0].loss);
    for (int64_t layer = 0; layer < 3; ++layer) {
      for (int64_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(at::equal(estimate.gradient[layer][i], estimates[0].gradient[layer][i]));
      }
    }
  }
  // 56 weights of the first layer need 3 layers each, 63 of the second 2, 24 of the last 1.
  EXPECT_EQ(estimates[0].evaluations, 1 + 56 + 63 + 24);
  EXPECT_EQ(estimates[0].layer_forwards, 3 * estimates[0].evaluations);
  EXPECT_EQ(estimates[1].layer_forwards, 3 + 3 * 56 + 2 * 63 + 24);
}

// The same differences, by changes of columns instead of products.
TEST(RankOneCoordinateGradientTest, IsThePlainEstimate) {
  const Problem problem;
  const std::vector<std::vector<double>> some = {{0.4, 0.5}, {0, 0.3}, {0.6, 0}};
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const at::Tensor input = problem.input.to(dtype);
    const LayerTensors parameters = Parameters(dtype);
    for (const LayerTensors& mask :
         {Everything(parameters), RandomMask(parameters, some, RandomStream(1, "mask"))}) {
      const auto plain = LayeredCoordinateGradient(problem.model, parameters, mask, input, {5e-3, false});
      const auto found = RankOneCoordinateGradient(problem.model, parameters, mask, input, 5e-3);
      EXPECT_EQ(found.evaluations, plain.evaluations);
      EXPECT_NEAR(found.loss, plain.loss, dtype == at::kDouble ? 1e-14 : 1e-6);
      double largest = 0;
      for (int64_t layer = 0; layer < 3; ++layer) {
        for (int64_t i = 0; i < 2; ++i) {
          largest = std::max(largest, plain.gradient[layer][i].abs().max().item<double>());
          // Rounding of a loss near 1, divided by mu.
          EXPECT_LT(Difference(found.gradient[layer][i], plain.gradient[layer][i]),
                    dtype == at::kDouble ? 1e-12 : 3e-4)
              << layer << " " << i;
        }
      }
      EXPECT_GT(largest, 0.05);
    }
  }
}

TEST(RankOneCoordinateGradientTest, ThreadsChangeNoBitAndFewLayersAreMultiplied) {
  const Problem problem;
  const at::Tensor input = problem.input.to(at::kFloat);
  const LayerTensors parameters = Parameters(at::kFloat), mask = Everything(parameters);
  std::vector<CoordinateEstimate> estimates;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    estimates.push_back(RankOneCoordinateGradient(problem.model, parameters, mask, input, 5e-3));
    for (int64_t layer = 0; layer < 3; ++layer) {
      for (int64_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(at::equal(estimates.back().gradient[layer][i], estimates[0].gradient[layer][i]));
      }
    }
  }
  // The 56 coordinates of the first layer need the last one; the others none.
  EXPECT_EQ(estimates[0].layer_forwards, 3 + 56);
}

TEST(LayeredCoordinateGradientTest, OutsideTheMaskIsNothing) {
  const Problem problem;
  const LayerTensors parameters = Parameters(at::kDouble);
  const std::vector<std::vector<double>> densities = {{0.25, 0}, {0.5, 1}, {0, 0}};
  const LayerTensors mask = RandomMask(parameters, densities, RandomStream(1, "mask"));
  EXPECT_EQ(mask[0][0].sum().item<int64_t>(), 12);
  EXPECT_EQ(mask[1][0].sum().item<int64_t>(), 28);
  EXPECT_EQ(mask[1][1].sum().item<int64_t>(), 7);
  // Drawn anew, the coordinates change.
  EXPECT_FALSE(at::equal(mask[1][0], RandomMask(parameters, densities, RandomStream(2, "mask"))[1][0]));
  const auto sparse = LayeredCoordinateGradient(problem.model, parameters, mask, problem.input, {});
  const auto dense =
      LayeredCoordinateGradient(problem.model, parameters, Everything(parameters), problem.input, {});
  EXPECT_EQ(sparse.evaluations, 1 + 12 + 28 + 7);
  for (int64_t layer = 0; layer < 3; ++layer) {
    for (int64_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(at::equal(sparse.gradient[layer][i], dense.gradient[layer][i] * mask[layer][i]));
    }
  }
}

// For a quadratic sum of c_j theta_j^2 / 2 with exact gradients the scores are -theta_j c_j (c_j theta_j).
TEST(ZoGraspTest, KeepsTheLowestScores) {
  const LayerTensors parameters = {{Numbers({4, 5}, 0.1)}, {Numbers({30}, 0.2), Numbers({10}, 0.3, 0.01)}};
  const auto gradient = [](const LayerTensors& theta) {
    return LayerTensors{{3 * theta[0][0]}, {theta[1][0], theta[1][1]}};
  };
  const auto densities = ZoGraspDensities(parameters, 1e-3, 0.3, gradient);
  std::vector<std::pair<double, int>> scores;
  const double curvature[] = {3, 1, 1};
  for (int tensor = 0; tensor < 3; ++tensor) {
    const at::Tensor theta = (tensor == 0 ? parameters[0][0] : parameters[1][tensor - 1]).flatten();
    for (int64_t j = 0; j < theta.numel(); ++j) {
      scores.emplace_back(-std::pow(curvature[tensor] * theta[j].item<double>(), 2), tensor);
    }
  }
  std::sort(scores.begin(), scores.end());
  std::vector<double> expected(3);
  for (int i = 0; i < 18; ++i) ++expected[scores[i].second];
  EXPECT_NEAR(densities[0][0], expected[0] / 20, 1e-12);
  EXPECT_NEAR(densities[1][0], expected[1] / 30, 1e-12);
  EXPECT_NEAR(densities[1][1], expected[2] / 10, 1e-12);
  EXPECT_NEAR(densities[0][0] * 20 + densities[1][0] * 30 + densities[1][1] * 10, 18, 1e-9);

  // What is zero has no scores.
  LayerTensors with_zeros = parameters;
  with_zeros[0].push_back(at::zeros({7}, at::kDouble));
  const auto padded = [&](const LayerTensors& theta) {
    LayerTensors result = gradient(theta);
    result[0].push_back(at::ones({7}, at::kDouble));
    return result;
  };
  const auto others = ZoGraspDensities(with_zeros, 1e-3, 0.3, padded);
  EXPECT_EQ(others[0][1], 0.3);
  EXPECT_EQ(others[0][0], densities[0][0]);
  EXPECT_EQ(others[1], densities[1]);
}

// Trained with a tenth of the coordinates each step, drawn anew: the loss falls without any gradient.
TEST(DeepZeroTest, TrainsASparseNetwork) {
  const Problem problem;
  LayerTensors parameters = Parameters(at::kDouble);
  const double start =
      LayeredCoordinateGradient(problem.model, parameters,
                                RandomMask(parameters, {{0, 0}, {0, 0}, {0, 0}}, {1, ""}), problem.input, {})
          .loss;
  double loss = start;
  for (int64_t step = 0; step < 200; ++step) {
    const LayerTensors mask =
        RandomMask(parameters, {{0.1, 0.1}, {0.1, 0.1}, {0.3, 0.3}}, RandomStream(1, "mask").Child(step / 5));
    const CoordinateEstimate estimate =
        LayeredCoordinateGradient(problem.model, parameters, mask, problem.input, {});
    loss = estimate.loss;
    for (int64_t layer = 0; layer < 3; ++layer) {
      for (int64_t i = 0; i < 2; ++i) parameters[layer][i].sub_(estimate.gradient[layer][i], 0.5);
    }
  }
  EXPECT_LT(loss, 0.6 * start);
}

}  // namespace
}  // namespace plumb
