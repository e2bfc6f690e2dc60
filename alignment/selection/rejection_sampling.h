#ifndef PLUMB_ALIGNMENT_SELECTION_REJECTION_SAMPLING_H_
#define PLUMB_ALIGNMENT_SELECTION_REJECTION_SAMPLING_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/selection/answer_pair.h"
#include "common/tensor/random.h"

namespace plumb {

// Statistical rejection sampling (Liu et al. 2023, arXiv 2309.06657): of answers that a policy gave, those
// that the policy proportional to pi(y|x) exp(r(x, y) / beta) would have given.

// Equation 14, exp((r - r_max) / beta), where r_max is the highest reward among the answers not yet taken.
double AcceptanceProbability(double reward, double max_reward, double beta);

// Algorithm 1: sweeps over the answers that are left, in their order, and takes each with its probability,
// until `num_samples` are taken; r_max is looked up before each sweep. Gives their places in the order in
// which they were taken. Answers count by place: where two may be the same text, leave out one of them first,
// as the paper's dictionary of candidates does. A small beta takes the best ones, a large one the first ones;
// the paper has 0.5, and 8 samples of 64. An error when rewards are not finite, when there are fewer answers
// than num_samples, or when beta is not above 0.
absl::StatusOr<std::vector<int64_t>> RejectionSample(absl::Span<const double> rewards, int64_t num_samples,
                                                     double beta, const RandomStream& random);

// Pairs of the answers taken: shuffled, then the first with the second, the third with the fourth ...; of
// each pair the answer of the higher reward is chosen, and equal rewards make no pair. The paper
// ("first-round-rank") asks a model of pairs which is better; a reward per answer is the case in which that
// model is Bradley-Terry's.
std::vector<AnswerPair> FirstRoundPairs(absl::Span<const int64_t> taken, absl::Span<const double> rewards,
                                        const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_REJECTION_SAMPLING_H_
