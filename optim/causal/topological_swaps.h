#ifndef PLUMB_OPTIM_CAUSAL_TOPOLOGICAL_SWAPS_H_
#define PLUMB_OPTIM_CAUSAL_TOPOLOGICAL_SWAPS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/causal/node_score.h"
#include "optim/core/summary.h"

namespace plumb {

// TOPO: Deng, Bello, Aragam and Ravikumar 2023, "Optimizing NOTEARS Objectives via Topological Swaps" (arXiv
// 2305.17277), for min f(W) over the weights of acyclic graphs. The outer level moves through the orders of
// the nodes: of an order with its best weights W, it tries to swap the pairs (i, j), i after j, whose edge
// i -> j the order forbids though it would lower f; those first for which the acyclicity function h of the
// graph minds least, by the gradient of h = -log det(I - |W|), that is the total weight of paths from j to i.
// An order from which no candidate's swap lowers f is a KKT point where the candidates hold all pairs with no
// such path.
//
// The paper has thresholds on both gradients; here the candidates are counted, as in the authors' program:
// the `small_set` pairs with the least gradient of h, larger |gradient of f| first among equals, and where
// none of them is better, once more the `large_set`.
struct TopologicalSwapOptions {
  int64_t small_set = 100;
  int64_t large_set = 400;
  double tolerance = 1e-10;  // a swap is better when it lowers f by more than this times |f|
  StopOptions stop;
};

struct TopologicalSwapResult {
  std::vector<int64_t> order;  // nodes, ancestors first
  at::Tensor weights;          // [D, D], W_ij of i -> j
  double score = 0;
  // value: f; an iteration is a swap; values: orders scored. Converged: no candidate is better.
  Summary summary;
};

// From `order`, for example of another method's graph, which this can only improve. Error: `order` is no
// permutation, or goes against mask.required.
absl::StatusOr<TopologicalSwapResult> SearchByTopologicalSwaps(NodeScore* score, std::vector<int64_t> order,
                                                               const TopologicalSwapOptions& options,
                                                               const EdgeMask& mask = {},
                                                               IterationCallback callback = nullptr);

// An order of a graph whose edges are the elements of `weights` that are not zero, smaller numbers first
// where it leaves a choice. Error: there is a cycle.
absl::StatusOr<std::vector<int64_t>> TopologicalOrder(const at::Tensor& weights);

// Weights whose size is at most `threshold` set to zero.
at::Tensor Threshold(const at::Tensor& weights, double threshold);

// Edges missing, added or reversed (a reversed edge counts once) between two graphs.
int64_t StructuralHammingDistance(const at::Tensor& weights, const at::Tensor& truth);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_TOPOLOGICAL_SWAPS_H_
