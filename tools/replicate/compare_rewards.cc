#include "tools/replicate/compare_rewards.h"

#include "common/status/status_macros.h"

namespace plumb {

absl::StatusOr<Comparison> CompareRewards(const PreferenceWorld& world, const std::string& method,
                                          const std::string& baseline) {
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train(method));
  PLUMB_ASSIGN_OR_RETURN(const auto others, world.Train(baseline));
  return Comparison{world.Measure(policies.back()).reward, world.Measure(others.back()).reward};
}

}  // namespace plumb
