#ifndef PLUMB_ALIGNMENT_SELECTION_DSTC_H_
#define PLUMB_ALIGNMENT_SELECTION_DSTC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// passes[j][k]: whether code j passes test k. All rows are of one length.
using PassMatrix = std::vector<std::vector<bool>>;

struct CodeSelection {
  int64_t chosen_code = 0, chosen_test = 0;
  int64_t rejected_code = 0, rejected_test = 0;
};

// The minimax selection of DSTC, "Direct Preference Learning with Only Self-Generated Tests and Code" (Liu et
// al. 2024, arXiv 2411.13611): of codes and tests that one model wrote for one task, none of them known to be
// right, a pair that is likely ordered rightly. With r_jk = 1 where code j passes test k,
//
//   chosen code      argmax_j sum_k r_jk                            passes most tests
//   chosen test      argmin_k sum_j r_jk  where it passes           the hardest of those that it passes
//   rejected test    argmax_k sum_j r_jk  where sum_j r_jk < J      the easiest that some code fails
//   rejected code    argmin_j sum_k r_jk  where r_jk = 0 there      the worst of those that fail it
//
// The first three were read in a summary of the paper; the fourth could not be verified, and is what mirrors
// the first. Of equals the first is taken. Learnt are code and test together: the chosen answer is the chosen
// code and the chosen test, the rejected one likewise. Nothing when the chosen code passes no test, when
// every code passes every test, or when none but the chosen code fails the rejected test.
std::optional<CodeSelection> MinimaxSelection(const PassMatrix& passes);

// The code in what a model said: its first block of Markdown (between lines that begin with ```; one that is
// not closed goes to the end), without these lines; all of a text that has none.
std::string CodeIn(absl::string_view said);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_DSTC_H_
