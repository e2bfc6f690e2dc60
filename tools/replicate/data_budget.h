#ifndef PLUMB_TOOLS_REPLICATE_DATA_BUDGET_H_
#define PLUMB_TOOLS_REPLICATE_DATA_BUDGET_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "tools/replicate/preference_world.h"

namespace plumb {

// How a budget of annotations is spent ("Balancing the Budget", Raghavendra et al. 2025, arXiv 2502.11284): a
// demonstration, which is the best of four answers of the base model, costs as much as a pair.
struct DataBudget {
  int64_t demonstrations = 0;  // for SFT
  int64_t pairs = 0;           // for DPO, of answers of the model that SFT left
  int64_t steps = 200;         // of both; half and half where both have data
};

// The policy that the world's reference becomes.
absl::StatusOr<at::Tensor> SpendBudget(const PreferenceWorld& world, const DataBudget& budget,
                                       const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_DATA_BUDGET_H_
