#ifndef PLUMB_COMMON_PROGRAM_NEAREST_NAME_H_
#define PLUMB_COMMON_PROGRAM_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, without regard to case
// and to '-' against '_'.
int EditDistance(absl::string_view a, absl::string_view b);

// The one of `names` that the user may have meant by `name`; empty when none is near.
std::string NearestName(absl::string_view name, const std::vector<std::string>& names);

// The end of an error line about an unknown name: "; did you mean 'beta'?", or "; valid are beta, gamma" when
// nothing is near.
std::string SuggestName(absl::string_view name, const std::vector<std::string>& names);

}  // namespace plumb

#endif  // PLUMB_COMMON_PROGRAM_NEAREST_NAME_H_
