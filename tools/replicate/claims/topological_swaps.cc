// Deng, Bello, Aragam and Ravikumar 2023: swaps of nodes improve the graphs that NOTEARS finds.

#include "optim/causal/topological_swaps.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/causal/linear_score.h"
#include "optim/causal/notears.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kNodes = 10, kSamples = 1000;

// The score that both minimise, of the acyclic graph that NOTEARS leaves and of what swaps make of it: a
// random graph with two edges a node, weights of size 0.5 to 2, noise of equal variance, data standardised.
absl::StatusOr<Comparison> Run(uint64_t seed) {
  const RandomStream random(seed, "topological swaps");
  const at::Tensor present =
      random.Child("edges").UniformTensor({kNodes, kNodes}, at::kDouble) < 4.0 / (kNodes - 1);
  const at::Tensor uniform = random.Child("weights").UniformTensor({kNodes, kNodes}, at::kDouble) * 3 - 1.5;
  const at::Tensor truth =
      (present * (uniform + 0.5 * uniform.sign())).triu(1);  // nodes are numbered by an order of theirs
  const at::Tensor noise = random.Child("noise").NormalTensor({kSamples, kNodes}, at::kDouble);
  const at::Tensor data = noise.mm(at::linalg_inv(at::eye(kNodes, at::kDouble) - truth));
  const at::Tensor moments = StandardizedMoments(SecondMoments(data));

  AugmentedLagrangianOptions options;
  options.mutable_stop()->set_max_iterations(20);
  PLUMB_ASSIGN_OR_RETURN(const NotearsResult notears, Notears(moments, options));
  // Small weights go until no cycle is left.
  double threshold = 0;
  absl::StatusOr<std::vector<int64_t>> order = TopologicalOrder(notears.weights);
  while (!order.ok()) {
    threshold += 0.01;
    order = TopologicalOrder(Threshold(notears.weights, threshold));
  }
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<NodeScore> score, MakeLinearScore(moments));
  Comparison comparison;
  for (const double loss : score->Losses(*order, 0, kNodes)) comparison.baseline += loss;
  PLUMB_ASSIGN_OR_RETURN(const TopologicalSwapResult swapped,
                         SearchByTopologicalSwaps(score.get(), *order, TopologicalSwapOptions()));
  comparison.method = swapped.score;
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"topological_swaps",
     "Deng, Bello, Aragam and Ravikumar 2023, Optimizing NOTEARS Objectives via Topological Swaps (arXiv "
     "2305.17277)",
     "Topological swaps find graphs of lower score than NOTEARS, from where it ends.", "NOTEARS, then swaps",
     "NOTEARS, its order's weights refitted", "least squares of 10 standardised nodes with 20 edges",
     /*lower_is_better=*/true, /*seeds=*/10,
     "swaps cannot make the score worse, so that only the size of the gain can come out against the claim.",
     Run});

}  // namespace
}  // namespace plumb
