#ifndef PLUMB_TOOLS_REPLICATE_CLAIM_H_
#define PLUMB_TOOLS_REPLICATE_CLAIM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/statistics/student.h"

namespace plumb {

// The figure that a claim is about, of the paper's method and of what it is compared with: the same seed, the
// same problem, the same budget.
struct Comparison {
  double method = 0;
  double baseline = 0;
};

// What a paper says of its method, as a run that can come out against it. A claim makes itself known in a
// file of its own:
//   const bool kRegistered = RegisterClaim({"tdpo", "Token-level ...", ...});
struct PaperClaim {
  std::string name;      // on the command line
  std::string paper;     // authors, year, title, arXiv number
  std::string sentence;  // what is claimed, of the run below
  std::string method, baseline;
  std::string figure;  // what is compared, with its unit
  bool lower_is_better = false;
  int64_t seeds = 5;
  std::string caveat;  // what a run of this size cannot show; where it fails, the reason believed
  std::function<absl::StatusOr<Comparison>(uint64_t seed)> run;
};

bool RegisterClaim(PaperClaim claim);
const std::vector<PaperClaim>& Claims();  // by name

// Method - baseline over the seeds, of which there are at least two.
Interval PairedEffect(absl::Span<const Comparison> comparisons);

// "holds" when the interval lies on the claimed side of 0, "does not hold" on the other, else "cannot tell".
std::string Verdict(const Interval& effect, bool lower_is_better);

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_CLAIM_H_
