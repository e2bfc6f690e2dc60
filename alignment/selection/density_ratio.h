#ifndef PLUMB_ALIGNMENT_SELECTION_DENSITY_RATIO_H_
#define PLUMB_ALIGNMENT_SELECTION_DENSITY_RATIO_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"

namespace plumb {

// How much denser good points are than bad ones at each of the points [N, H], by a logistic classifier p of
// good ones, in which both kinds count as much together: p / (1 - p), [N] f64. The underlying distribution
// matching of BCO (Jung et al. 2024, arXiv 2404.04656), in which bad answers count by the ratio at their
// prompts. The classifier is scikit-learn's LogisticRegression with its defaults and balanced classes, as in
// TRL's former BCOTrainer (from memory): half of the squared weights, without the intercept's, plus the sum
// of the losses. `is_good` [N] holds 1 and 0, of which there are both.
absl::StatusOr<at::Tensor> DensityRatios(const at::Tensor& points, const at::Tensor& is_good);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_DENSITY_RATIO_H_
