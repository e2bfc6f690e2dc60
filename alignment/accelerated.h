#ifndef PLUMB_ALIGNMENT_ACCELERATED_H_
#define PLUMB_ALIGNMENT_ACCELERATED_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/types/span.h"
#include "common/train/optimizer.h"

namespace plumb {

// Accelerated preference optimisation (He et al. 2024, "Accelerated Preference Optimization for Large
// Language Model Alignment", arXiv 2410.06293): Nesterov's momentum between iterations of a preference
// method, each with the policy that the one before left as its reference,
//
//   theta^_{t+1} = argmin of the iteration's loss, from and against theta_t
//   theta_{t+1}  = theta^_{t+1} + alpha (theta^_{t+1} - theta^_t),    theta^_0 = theta_0
//
// which for policies that are log-linear in their parameters is pi_{t+1} ~ pi^_{t+1} (pi^_{t+1} /
// pi^_t)^alpha, the paper's update of distributions. That weights stand for distributions, and alpha about
// 0.3, were read in summaries of the paper; whether its last iterate is extrapolated could not be confirmed.
// Called "accelerated" here: "APO" is another method's name too (anchored_po).
class AcceleratedIterates {
 public:
  // theta^_0, unless there is an iterate already.
  void Start(absl::Span<const NamedParameter> parameters);

  // Takes the parameters for theta^_{t+1} and makes them theta_{t+1}. In f64, rounded once to each one's
  // dtype.
  void Extrapolate(double alpha, absl::Span<const NamedParameter> parameters);

  // A new sequence begins.
  void Clear() { last_.clear(); }

 private:
  std::vector<at::Tensor> last_;  // theta^_t
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_ACCELERATED_H_
