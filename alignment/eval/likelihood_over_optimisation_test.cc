#include "alignment/eval/likelihood_over_optimisation.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

using Evaluation = std::map<std::string, double>;

Evaluation Figures(double likelihood, double entropy, double mass) {
  return {{"eval_logps/chosen", likelihood},
          {"eval_top_k_entropy/chosen", entropy},
          {"eval_top_k_mass/chosen", mass},
          {"eval_loss", 0.5}};
}

TEST(LikelihoodOverOptimisation, NeedsLikelierAnswersAndAnIndicator) {
  const Evaluation first = Figures(-50, 1.6, 0.8);
  EXPECT_EQ(LikelihoodOverOptimisation(first, first), "");
  EXPECT_EQ(LikelihoodOverOptimisation(first, Figures(-40, 1.7, 0.85)), "");
  EXPECT_EQ(LikelihoodOverOptimisation(first, Figures(-60, 1.2, 0.6)), "");
  EXPECT_EQ(LikelihoodOverOptimisation(first, Figures(-40, 1.59, 0.795)), "") << "falls below 1 %";
}

TEST(LikelihoodOverOptimisation, TellsWhichIndicatorAndByHowMuch) {
  const Evaluation first = Figures(-50, 1.6, 0.8);
  const std::string entropy = LikelihoodOverOptimisation(first, Figures(-40, 1.2, 0.9));
  EXPECT_NE(entropy.find("from -50 to -40 nats"), std::string::npos) << entropy;
  EXPECT_NE(entropy.find("their entropy fell from 1.6 to 1.2"), std::string::npos) << entropy;
  EXPECT_EQ(entropy.find("probability fell"), std::string::npos) << entropy;
  const std::string mass = LikelihoodOverOptimisation(first, Figures(-40, 1.7, 0.7));
  EXPECT_EQ(mass.find("entropy fell"), std::string::npos) << mass;
  EXPECT_NE(mass.find("their probability fell from 0.8 to 0.7"), std::string::npos) << mass;
  const std::string both = LikelihoodOverOptimisation(first, Figures(-40, 1.2, 0.7));
  EXPECT_NE(both.find("entropy fell from 1.6 to 1.2 and their probability fell"), std::string::npos) << both;
}

TEST(LikelihoodOverOptimisation, SaysNothingWithoutTheMetrics) {
  EXPECT_EQ(LikelihoodOverOptimisation({}, Figures(-40, 1.2, 0.7)), "");
  EXPECT_EQ(LikelihoodOverOptimisation({{"eval_loss", 2}}, {{"eval_loss", 1}}), "");
}

}  // namespace
}  // namespace plumb
