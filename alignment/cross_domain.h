#ifndef PLUMB_ALIGNMENT_CROSS_DOMAIN_H_
#define PLUMB_ALIGNMENT_CROSS_DOMAIN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/train/optimizer.h"

namespace plumb {

// How much of the domains before, and of the last one, went into a combination.
struct CombinationWeights {
  double before = 0;
  double now = 1;
};

// The modules of several domains as one, COFS-DPO (Qi et al. 2024, "Online DPO: Online Direct Preference
// Optimization with Fast-Slow Chasing", arXiv 2406.05534): each domain's fast module theta_k is trained from
// the same start theta_0, and when domain k has been learnt the model is
//
//   theta_0 + c_k,   c_k = a c_{k-1} + b (theta_k - theta_0),   c_1 = theta_1 - theta_0
//
// a linear combination of the domains' parameters. a and b in {0, 1/n, ..., 1} are those at which a memory of
// a few pairs of each domain has the least loss; among equal ones the largest b, then the largest a. The
// parameters are combined as they stand, an adapter's A and B each by itself.
//
// That modules are combined linearly and that "historical information" is used are the abstract's. That the
// combination goes from domain to domain, starts from theta_0, and how a and b are found, are ours: the
// paper's could not be confirmed.
class CrossDomainModules {
 public:
  // Before a domain is trained: the first time remembers theta_0, then puts it back.
  void StartDomain(absl::Span<const NamedParameter> parameters);

  // Takes the parameters for theta_k and makes them the combination. `memory_loss` is of the model with the
  // parameters as they are; an error of its is returned.
  absl::StatusOr<CombinationWeights> EndDomain(int64_t grid_steps,
                                               const std::function<absl::StatusOr<double>()>& memory_loss,
                                               absl::Span<const NamedParameter> parameters);

  // A new sequence of domains begins.
  void Clear();

 private:
  // theta_0 + a c_{k-1} + b changes.
  void Set(const CombinationWeights& weights, const std::vector<at::Tensor>& changes,
           absl::Span<const NamedParameter> parameters) const;

  std::vector<at::Tensor> start_;     // theta_0
  std::vector<at::Tensor> combined_;  // c_{k-1}, f64; empty before the first domain
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_CROSS_DOMAIN_H_
