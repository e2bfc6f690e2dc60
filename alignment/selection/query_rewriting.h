#ifndef PLUMB_ALIGNMENT_SELECTION_QUERY_REWRITING_H_
#define PLUMB_ALIGNMENT_SELECTION_QUERY_REWRITING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

// Query-tool alignment, QTA ("Data-Efficient Massive Tool Retrieval: A Reinforcement Learning Approach for
// Query-Tool Alignment with Language Models", Zhang et al. 2024, arXiv 2410.03212): a policy rewrites what a
// user asks for, a retriever ranks the tools of a repository by each rewrite, and of two rewrites that one is
// preferred which ranks the tools that the query needs higher; DPO learns the preference. The paper's ranking
// function could not be verified. Here a rewrite is worth 1 / r, with r the rank of the last needed tool: the
// smallest k at which the first k tools are sufficient.

// The ranks, from 1, of the tools `needed` by falling `scores` of all tools. Of equal scores those that are
// not needed come first: a rewrite that tells nothing is the worst, not a draw.
std::vector<int64_t> NeededRanks(absl::Span<const double> scores, absl::Span<const int64_t> needed);

// In (0, 1]. There is at least one rank.
double RewriteReward(absl::Span<const int64_t> needed_ranks);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_QUERY_REWRITING_H_
