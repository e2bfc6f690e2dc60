#ifndef PLUMB_ALIGNMENT_SELECTION_PAIR_ROWS_H_
#define PLUMB_ALIGNMENT_SELECTION_PAIR_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/selection/row.h"
#include "common/data/examples.h"

namespace plumb {

// Rows as preference pairs, whichever of the columns of docs/data.md they have: by ReadPreferences, which
// reads files, through `scratch_file` (.jsonl). Errors begin with the place that the row came from.
absl::StatusOr<std::vector<PreferenceExample>> ReadPairRows(absl::Span<const Row> rows,
                                                            const std::string& scratch_file);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_PAIR_ROWS_H_
