#ifndef PLUMB_TOOLS_REPLICATE_COMPARE_REWARDS_H_
#define PLUMB_TOOLS_REPLICATE_COMPARE_REWARDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {

// The expected gold rewards of the policies that two objectives end with, after 200 steps.
absl::StatusOr<Comparison> CompareRewards(const PreferenceWorld& world, const std::string& method,
                                          const std::string& baseline);

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_COMPARE_REWARDS_H_
