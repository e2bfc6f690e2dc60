#include "alignment/selection/follow_up_likelihood.h"

#include <algorithm>

namespace plumb {
namespace {

double MeanTokenLogp(absl::Span<const FollowUp> follow_ups) {
  double sum = 0;
  for (const FollowUp& follow_up : follow_ups) sum += follow_up.logp / std::max<int64_t>(1, follow_up.tokens);
  return follow_ups.empty() ? 0 : sum / follow_ups.size();
}

}  // namespace

double FollowUpReward(absl::Span<const FollowUp> positive, absl::Span<const FollowUp> negative) {
  return MeanTokenLogp(positive) - MeanTokenLogp(negative);
}

}  // namespace plumb
