#ifndef PLUMB_OPTIM_CAUSAL_NOTEARS_H_
#define PLUMB_OPTIM_CAUSAL_NOTEARS_H_

#include <ATen/core/Tensor.h>

#include <utility>

#include "absl/status/statusor.h"
#include "optim/core/augmented_lagrangian.h"

namespace plumb {

// NOTEARS: Zheng, Aragam, Ravikumar and Xing 2018, "DAGs with NO TEARS" (arXiv 1803.01422), without l1:
//
//   min |X - X W|_F^2 / (2 n) subject to h(W) = tr exp(W * W) - D = 0 and a diagonal of zeros,
//
// from the second moments X'X / n by this package's augmented Lagrangian, until h is at most
// options.feasibility_tolerance(), whatever options.optimality_tolerance() is. A sub-problem ends where an
// iteration gains next to nothing (options.inner().ftol(), LbfgsbOptions' own if left out, as in the authors'
// program), and each weight is scaled by its curvature, which is not. The result [D, D] is acyclic
// only once small weights are set to zero; topological_swaps.h improves what it finds.
struct NotearsResult {
  at::Tensor weights;  // [D, D]
  double score = 0;    // the least squares alone
  Summary summary;     // infeasibility: h
};
absl::StatusOr<NotearsResult> Notears(const at::Tensor& second_moments,
                                      const AugmentedLagrangianOptions& options);

// h and its gradient [D, D].
std::pair<double, at::Tensor> Acyclicity(const at::Tensor& weights);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_NOTEARS_H_
