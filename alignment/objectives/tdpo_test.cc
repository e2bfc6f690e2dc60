#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log-ratios of policy to reference.
double Chosen(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i);
}
double Rejected(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_rejected_logps, i) - At(logps.reference_rejected_logps, i);
}
double Difference(const PreferenceLogps& logps, int64_t i) { return Chosen(logps, i) - Rejected(logps, i); }

// Sum of the i-th answer's token values.
double SumOf(const at::Tensor& values, const at::Tensor& lengths, int64_t i) {
  int64_t begin = 0;
  for (int64_t j = 0; j < i; ++j) begin += static_cast<int64_t>(At(lengths, j));
  double sum = 0;
  for (int64_t t = 0; t < static_cast<int64_t>(At(lengths, i)); ++t) sum += At(values, begin + t);
  return sum;
}
double KlDifference(const PreferenceLogps& logps, int64_t i) {
  return SumOf(logps.rejected_token_kl, logps.rejected_length, i) -
         SumOf(logps.chosen_token_kl, logps.chosen_length, i);
}

TEST(Tdpo, One) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("tdpo { beta: 0.3 version: TDPO1 }"), logps,
               [&](int64_t i) { return -LogSigmoid(0.3 * (Difference(logps, i) - KlDifference(logps, i))); });
}

TEST(Tdpo, Two) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("tdpo { beta: 0.3 alpha: 0.7 }"), logps, [&](int64_t i) {
    return -LogSigmoid(0.3 * (Difference(logps, i) - 0.7 * KlDifference(logps, i)));
  });
}

TEST(Tdpo, GradientsOfTheFirstVersion) {
  ExpectGradients(MakeObjective("tdpo { version: TDPO1 }"), TestPairs());
}

TEST(Tdpo, TheSecondVersionStopsTheGradientOfTheChosenDivergence) {
  PreferenceLogps logps = TestPairs();
  for (at::Tensor* input : {&logps.policy_chosen_logps, &logps.policy_rejected_logps, &logps.chosen_token_kl,
                            &logps.rejected_token_kl}) {
    input->requires_grad_();
  }
  MakeObjective("tdpo { alpha: 0.7 }").Compute(logps).loss.sum().backward();
  EXPECT_FALSE(logps.chosen_token_kl.grad().defined());
  int64_t token = 0;
  for (int64_t i = 0; i < logps.policy_chosen_logps.size(0); ++i) {
    const double z = 0.1 * (Difference(logps, i) - 0.7 * KlDifference(logps, i));
    const double slope = 0.1 * std::exp(LogSigmoid(-z));
    EXPECT_NEAR(At(logps.policy_chosen_logps.grad(), i), -slope, 1e-12);
    EXPECT_NEAR(At(logps.policy_rejected_logps.grad(), i), slope, 1e-12);
    for (int64_t t = 0; t < static_cast<int64_t>(At(logps.rejected_length, i)); ++t) {
      EXPECT_NEAR(At(logps.rejected_token_kl.grad(), token++), 0.7 * slope, 1e-12);
    }
  }
}

}  // namespace
}  // namespace plumb
