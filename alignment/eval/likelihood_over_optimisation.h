#ifndef PLUMB_ALIGNMENT_EVAL_LIKELIHOOD_OVER_OPTIMISATION_H_
#define PLUMB_ALIGNMENT_EVAL_LIKELIHOOD_OVER_OPTIMISATION_H_

#include <cstdint>
#include <map>
#include <string>

namespace plumb {

// Shi, Land, Locatelli, Geist and Bartolo 2024, "Understanding Likelihood Over-optimisation in Direct
// Alignment Algorithms" (arXiv 2410.11677): a higher likelihood of the better answers need not mean better
// answers. While it rises, two indicators tell that the diversity of what the policy says begins to suffer,
// means over the tokens of the better answers:
//   - decreasing entropy over the top k tokens: -sum p log p of the k likeliest tokens, their probabilities p
//   made
//     to sum to 1;
//   - diminishing probability mass of the top k tokens.
// The abstract has neither k, nor whether the k probabilities are normalised, nor from what change on to
// worry: k is 10, normalised as the mass is an indicator of its own, and changes below 1 % of the first value
// do not count.
constexpr int64_t kLikeliestTokens = 10;

// The line of warning on an evaluation, of metrics eval_logps/chosen, eval_top_k_entropy/chosen and
// eval_top_k_mass/chosen, against that before training; empty where there is none to give or a metric is
// missing.
std::string LikelihoodOverOptimisation(const std::map<std::string, double>& first,
                                       const std::map<std::string, double>& last);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_EVAL_LIKELIHOOD_OVER_OPTIMISATION_H_
