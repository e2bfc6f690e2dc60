#ifndef PLUMB_OPTIM_PRIVATE_SYNTHESIZE_H_
#define PLUMB_OPTIM_PRIVATE_SYNTHESIZE_H_

#include <ostream>

#include "absl/status/status.h"
#include "optim/private/synthesis.pb.h"

namespace plumb {

// Does what a recipe says: reads the data, releases noisy answers to the queries and writes a synthetic table
// that has them, by Private-GSD (private_gsd.h), JSON lines with the recipe's columns. Each kind of query
// gets the same share of the privacy. What was spent and how near the table came is written to `log`. Errors:
// the recipe, rows that do not have its columns or categories. A CancelledError: interrupted; then nothing is
// written.
absl::Status Synthesize(const SynthesisRecipe& recipe, std::ostream& log);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_SYNTHESIZE_H_
