#ifndef PLUMB_OPTIM_CORE_LBFGSB_H_
#define PLUMB_OPTIM_CORE_LBFGSB_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/core/objective.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

struct LbfgsbResult {
  at::Tensor points;               // [B, D], the best that each start reached, within the bounds
  at::Tensor values;               // [B]; NaN where the start itself failed
  at::Tensor gradients;            // [B, D]
  std::vector<Summary> summaries;  // of each start; optimality: largest element of the projected gradient
  int64_t best = -1;               // the start with the least value; -1: all failed
  Summary summary;  // of the best start (of the first, where all failed), but with the calls of all
};

// min f(x) subject to lower <= x <= upper from B starts at once, by L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995,
// with the subspace step of Morales and Nocedal 2011, as in scipy). Each round is one call of the objective
// with the points that starts still under way ask for; as long as its rows do not depend on each other, no
// start's result depends on the other starts, nor on the number of threads.
//
// starts: [B, D], moved into the bounds; bounds as in CheckBounds. f64. Points where the objective fails are
// taken for high walls; a start whose first point fails ends as kNumericalFailure. The callback sees the
// iterations of all starts; false stops all. Errors: shapes, or bounds that contradict each other.
absl::StatusOr<LbfgsbResult> MinimizeLbfgsb(const Objective& objective, const at::Tensor& starts,
                                            at::Tensor lower, at::Tensor upper, const LbfgsbOptions& options,
                                            IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_LBFGSB_H_
