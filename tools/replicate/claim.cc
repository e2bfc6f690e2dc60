#include "tools/replicate/claim.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace plumb {
namespace {

std::vector<PaperClaim>& MutableClaims() {
  static auto& claims = *new std::vector<PaperClaim>;
  return claims;
}

}  // namespace

bool RegisterClaim(PaperClaim claim) {
  std::vector<PaperClaim>& claims = MutableClaims();
  const auto place =
      std::lower_bound(claims.begin(), claims.end(), claim,
                       [](const PaperClaim& a, const PaperClaim& b) { return a.name < b.name; });
  CHECK(place == claims.end() || place->name != claim.name) << "two claims called " << claim.name;
  claims.insert(place, std::move(claim));
  return true;
}

const std::vector<PaperClaim>& Claims() { return MutableClaims(); }

Interval PairedEffect(absl::Span<const Comparison> comparisons) {
  std::vector<double> differences;
  for (const Comparison& comparison : comparisons)
    differences.push_back(comparison.method - comparison.baseline);
  return MeanInterval(differences);
}

std::string Verdict(const Interval& effect, bool lower_is_better) {
  if (lower_is_better ? effect.high < 0 : effect.low > 0) return "holds";
  if (lower_is_better ? effect.low > 0 : effect.high < 0) return "does not hold";
  return "cannot tell";
}

}  // namespace plumb
