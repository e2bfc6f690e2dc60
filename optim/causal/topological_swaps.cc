#include "optim/causal/topological_swaps.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

struct Pair {
  int64_t earlier = 0, later = 0;  // positions
  double acyclicity = 0;           // the gradient of h by the edge from the later node to the earlier one
  double gain = 0;                 // |gradient of f| there
};

bool Allows(const EdgeMask& mask, const std::vector<int64_t>& order, int64_t first, int64_t last) {
  if (!mask.required.defined()) return true;
  const auto required = mask.required.accessor<bool, 2>();
  for (int64_t a = first; a <= last; ++a) {
    for (int64_t b = a + 1; b <= last; ++b) {
      if (required[order[b]][order[a]]) return false;
    }
  }
  return true;
}

// All pairs whose swap may help, the most promising first.
std::vector<Pair> Candidates(NodeScore* score, const std::vector<int64_t>& order, const at::Tensor& weights,
                             const EdgeMask& mask) {
  const int64_t size = order.size();
  const at::Tensor paths =
      at::linalg_inv(at::eye(size, at::kDouble) - weights.abs()).contiguous();  // (j, i): from j to i
  const at::Tensor gradient = score->Gradient(weights).contiguous();
  const auto path = paths.accessor<double, 2>(), slope = gradient.accessor<double, 2>();
  std::vector<Pair> pairs;
  for (int64_t a = 0; a < size; ++a) {
    for (int64_t b = a + 1; b < size; ++b) {
      const int64_t i = order[b], j = order[a];
      if (mask.forbidden.defined() && mask.forbidden[i][j].item<bool>()) continue;
      pairs.push_back({a, b, path[j][i], std::abs(slope[i][j])});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& p, const Pair& q) {
    return p.acyclicity != q.acyclicity ? p.acyclicity < q.acyclicity : p.gain > q.gain;
  });
  return pairs;
}

absl::Status CheckOrder(const std::vector<int64_t>& order, int64_t nodes, const EdgeMask& mask) {
  std::vector<int64_t> sorted = order, expected(nodes);
  std::iota(expected.begin(), expected.end(), 0);
  std::sort(sorted.begin(), sorted.end());
  if (sorted != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("order: expected each of the nodes 0 to ", nodes - 1, " once"));
  }
  if (!Allows(mask, order, 0, nodes - 1)) {
    return absl::InvalidArgumentError("order: goes against a required edge");
  }
  return absl::OkStatus();
}

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

absl::StatusOr<TopologicalSwapResult> SearchByTopologicalSwaps(NodeScore* score, std::vector<int64_t> order,
                                                               const TopologicalSwapOptions& options,
                                                               const EdgeMask& mask,
                                                               IterationCallback callback) {
  const int64_t size = score->nodes();
  PLUMB_RETURN_IF_ERROR(CheckEdgeMask(mask, size));
  PLUMB_RETURN_IF_ERROR(CheckOrder(order, size, mask));
  SolverRun run(options.stop, std::move(callback));
  std::vector<double> losses = score->Losses(order, 0, size);
  ++run.calls().values;
  const auto end = [&](Summary summary) {
    summary.value = Sum(losses);
    return TopologicalSwapResult{order, score->Weights(order), Sum(losses), std::move(summary)};
  };
  while (!run.MustStop()) {
    const std::vector<Pair> pairs = Candidates(score, order, score->Weights(order), mask);
    ++run.calls().gradients;
    double best_gain = options.tolerance * std::abs(Sum(losses));
    Pair best;
    std::vector<double> best_losses;
    for (size_t k = 0; k < pairs.size(); ++k) {
      if (static_cast<int64_t>(k) >= options.small_set && !best_losses.empty()) break;
      if (static_cast<int64_t>(k) >= std::max(options.small_set, options.large_set)) break;
      const Pair& pair = pairs[k];
      std::vector<int64_t> swapped = order;
      std::swap(swapped[pair.earlier], swapped[pair.later]);
      if (!Allows(mask, swapped, pair.earlier, pair.later)) continue;
      // Nodes before and after the two keep their sets of predecessors.
      const std::vector<double> between = score->Losses(swapped, pair.earlier, pair.later + 1);
      ++run.calls().values;
      double gain = -Sum(between);
      for (int64_t at = pair.earlier; at <= pair.later; ++at) gain += losses[at];
      if (gain > best_gain) {
        best_gain = gain;
        best = pair;
        best_losses = between;
      }
    }
    if (best_losses.empty()) {
      return end(run.End(Termination::kConverged,
                         absl::StrCat("no swap of ", pairs.size(), " pairs lowers the score ", Sum(losses))));
    }
    std::swap(order[best.earlier], order[best.later]);
    std::copy(best_losses.begin(), best_losses.end(), losses.begin() + best.earlier);
    IterationRecord record;
    record.value = Sum(losses);
    record.step = best.later - best.earlier;
    run.EndIteration(record);
  }
  return end(run.End());
}

absl::StatusOr<std::vector<int64_t>> TopologicalOrder(const at::Tensor& weights) {
  PLUMB_RETURN_IF_ERROR(CheckShape("weights", weights, {kAny, weights.dim() > 0 ? weights.size(0) : 0}));
  const at::Tensor present = (weights != 0).contiguous();
  const auto edge = present.accessor<bool, 2>();
  const int64_t size = weights.size(0);
  std::vector<int64_t> order;
  std::vector<bool> placed(size);
  while (static_cast<int64_t>(order.size()) < size) {
    int64_t next = 0;
    for (; next < size; ++next) {
      bool free = !placed[next];
      for (int64_t i = 0; free && i < size; ++i) free = placed[i] || !edge[i][next];
      if (free) break;
    }
    if (next == size) return absl::InvalidArgumentError("weights: the graph has a cycle");
    placed[next] = true;
    order.push_back(next);
  }
  return order;
}

at::Tensor Threshold(const at::Tensor& weights, double threshold) {
  return at::where(weights.abs() > threshold, weights, at::zeros_like(weights));
}

int64_t StructuralHammingDistance(const at::Tensor& weights, const at::Tensor& truth) {
  const at::Tensor a = weights != 0, b = truth != 0;
  // A pair of nodes counts once, however its two edges differ.
  const at::Tensor differs = (a != b) | (a.t() != b.t());
  return differs.triu(1).sum().item<int64_t>();
}

}  // namespace plumb
