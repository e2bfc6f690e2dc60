#ifndef PLUMB_ALIGNMENT_SELECTION_CURRICULUM_H_
#define PLUMB_ALIGNMENT_SELECTION_CURRICULUM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "alignment/selection/answer_pair.h"

namespace plumb {

struct CurriculumOptions {
  bool all_pairs = false;  // every two answers; else the best against each other one
  int64_t stages = 3;
  double min_gap = 0;  // a pair's scores differ by more than this
};

struct CurriculumPair {
  AnswerPair answers;
  double gap = 0;     // score of the chosen answer less that of the rejected one
  int64_t stage = 0;  // from 0
};

// Curry-DPO (Pattnaik et al. 2024, arXiv 2403.07230, section 3): a prompt's answers, ranked by score, make
// several pairs, learnt from easy (a wide gap between the scores) to hard. With four answers R1 > R2 > R3 >
// R4 those are (R1, R4), (R1, R3) and (R1, R2), each for a stage of its own, and each stage's reference is
// the model that the one before left. Pairs by falling gap, those of equal gap by the rank of the chosen
// answer and then by that of the rejected one, from the worst; they are spread evenly over the stages, so
// each stage has pairs of every prompt that makes as many. `scores` are finite; answers of equal score make
// no pair.
std::vector<CurriculumPair> CurriculumPairs(absl::Span<const double> scores,
                                            const CurriculumOptions& options = {});

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_CURRICULUM_H_
