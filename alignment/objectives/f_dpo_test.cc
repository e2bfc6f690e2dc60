#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

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

// Pairs whose log-ratios are small enough for u to be a number.
PreferenceLogps SmallRatios() {
  PreferenceLogps logps = TestPairs();
  logps.reference_chosen_logps = logps.policy_chosen_logps.sub(logps.margin.mul(3));
  logps.reference_rejected_logps = logps.policy_rejected_logps.add(logps.rewards_rejected);
  return logps;
}

void ExpectDivergence(const std::string& text, double (*derivative)(double u)) {
  const PreferenceLogps logps = SmallRatios();
  ExpectLosses(MakeObjective("f_dpo { beta: 0.3 divergence: " + text + " }"), logps, [&](int64_t i) {
    return -LogSigmoid(0.3 *
                       (derivative(std::exp(Chosen(logps, i))) - derivative(std::exp(Rejected(logps, i)))));
  });
}

TEST(FDpo, EachDivergence) {
  ExpectDivergence("REVERSE_KL", [](double u) { return std::log(u); });
  ExpectDivergence("FORWARD_KL", [](double u) { return -1 / u; });
  ExpectDivergence("JENSEN_SHANNON", [](double u) { return std::log(2 * u / (1 + u)); });
  ExpectDivergence("ALPHA alpha_trl: 0.3", [](double u) { return (std::pow(u, -0.7) - 1) / -0.7; });
  ExpectDivergence("ALPHA alpha_trl: 1", [](double u) { return std::log(u); });
}

// By the log-ratio x, which is a number where u is none; exponents end at 80.
void ExpectHugeRatios(const std::string& text, double (*score)(double x)) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("f_dpo { beta: 0.3 divergence: " + text + " }"), logps, [&](int64_t i) {
    return -LogSigmoid(0.3 * (score(Chosen(logps, i)) - score(Rejected(logps, i))));
  });
}

TEST(FDpo, HugeRatios) {
  ExpectHugeRatios("REVERSE_KL", [](double x) { return x; });
  ExpectHugeRatios("FORWARD_KL", [](double x) { return -std::exp(std::min(-x, 80.0)); });
  ExpectHugeRatios("JENSEN_SHANNON", [](double x) { return std::log(2) + LogSigmoid(x); });
  ExpectHugeRatios("ALPHA alpha_trl: 0.3",
                   [](double x) { return std::expm1(std::min(-0.7 * x, 80.0)) / -0.7; });
}

TEST(FDpo, Gradients) {
  for (const char* divergence : {"REVERSE_KL", "JENSEN_SHANNON"}) {
    ExpectGradients(MakeObjective(std::string("f_dpo { divergence: ") + divergence + " }"), TestPairs());
  }
  for (const char* divergence : {"REVERSE_KL", "FORWARD_KL", "JENSEN_SHANNON", "ALPHA"}) {
    ExpectGradients(MakeObjective(std::string("f_dpo { divergence: ") + divergence + " }"), SmallRatios());
  }
}

}  // namespace
}  // namespace plumb
