#include "alignment/on_policy_kl_task.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace plumb {
namespace {

// A policy that has as many answers as numbers, by a softmax.
std::vector<double> LogSoftmax(const std::vector<double>& scores) {
  double sum = 0;
  for (const double score : scores) sum += std::exp(score);
  std::vector<double> logps;
  for (const double score : scores) logps.push_back(score - std::log(sum));
  return logps;
}

double ExactKl(const std::vector<double>& scores, const std::vector<double>& reference) {
  const std::vector<double> p = LogSoftmax(scores), q = LogSoftmax(reference);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) kl += std::exp(p[i]) * (p[i] - q[i]);
  return kl;
}

at::Tensor F64(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

// Coefficients of the log-probabilities in the surrogate's gradient.
std::vector<double> Coefficients(const std::vector<double>& logps, const std::vector<double>& reference,
                                 int64_t num_generations) {
  at::Tensor leaf = F64(logps).set_requires_grad(true);
  OnPolicyKlSurrogate(leaf, F64(reference), num_generations).backward();
  const at::Tensor gradient = leaf.grad();
  return {gradient.const_data_ptr<double>(), gradient.const_data_ptr<double>() + gradient.numel()};
}

const std::vector<double> kPolicy = {0.3, -1.2, 0.8, 0.1};
const std::vector<double> kReference = {-0.4, 0.6, 0.2, -1};

// d log p(y) / d score_j of the softmax.
double ScoreGradient(const std::vector<double>& logps, size_t y, size_t j) {
  return (y == j ? 1 : 0) - std::exp(logps[j]);
}

// Over all answers, each as often as the policy gives it, the gradient is that of the divergence.
TEST(OnPolicyKlSurrogate, GradientHasTheDivergencesAsItsMean) {
  const std::vector<double> p = LogSoftmax(kPolicy), q = LogSoftmax(kReference);
  std::vector<double> one(4), two(4);  // by answers a prompt
  for (size_t a = 0; a < 4; ++a) {
    const double alone = Coefficients({p[a]}, {q[a]}, 1)[0];
    for (size_t j = 0; j < 4; ++j) one[j] += std::exp(p[a]) * alone * ScoreGradient(p, a, j);
    for (size_t b = 0; b < 4; ++b) {
      const std::vector<double> both = Coefficients({p[a], p[b]}, {q[a], q[b]}, 2);
      for (size_t j = 0; j < 4; ++j) {
        two[j] +=
            std::exp(p[a] + p[b]) * (both[0] * ScoreGradient(p, a, j) + both[1] * ScoreGradient(p, b, j));
      }
    }
  }
  for (size_t j = 0; j < 4; ++j) {
    std::vector<double> above = kPolicy, below = kPolicy;
    above[j] += 1e-5;
    below[j] -= 1e-5;
    const double expected = (ExactKl(above, kReference) - ExactKl(below, kReference)) / 2e-5;
    EXPECT_NEAR(one[j], expected, 1e-9);
    EXPECT_NEAR(two[j], expected, 1e-9);
  }
}

TEST(OnPolicyKlSurrogate, OthersOfThePromptAreTheBaseline) {
  // Log-ratios 1, 4, 1 and, of another prompt, 2, 2, 8.
  const std::vector<double> coefficients =
      Coefficients({-1, -2, -3, -4, -5, -6}, {-2, -6, -4, -6, -7, -14}, 3);
  const std::vector<double> expected = {1 - 2.5, 4 - 1.0, 1 - 2.5, 2 - 5.0, 2 - 5.0, 8 - 2.0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(coefficients[i], expected[i] / 3, 1e-12) << i;
}

}  // namespace
}  // namespace plumb
