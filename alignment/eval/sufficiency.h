#ifndef PLUMB_ALIGNMENT_EVAL_SUFFICIENCY_H_
#define PLUMB_ALIGNMENT_EVAL_SUFFICIENCY_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

// Sufficiency@k of "Data-Efficient Massive Tool Retrieval" (Zhang et al. 2024, arXiv 2410.03212): whether the
// first k of a ranking are enough to do what was asked for. Here that is the share of queries all of whose
// needed tools are among the first k; for queries that need one tool it is Recall@k. The abstract says that
// it "measures the adequacy of tool retrieval within the first k results"; its formula could not be verified.
// `ranks`: for each query the ranks, from 1, of the tools that it needs, of which there is at least one. 0
// for no queries.
double SufficiencyAtK(absl::Span<const std::vector<int64_t>> ranks, int64_t k);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_EVAL_SUFFICIENCY_H_
