#ifndef PLUMB_ALIGNMENT_SELECTION_SELECT_RECIPE_H_
#define PLUMB_ALIGNMENT_SELECTION_SELECT_RECIPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignment/selection/select.pb.h"

namespace plumb {

// What became of the rows in one step.
struct StepCounts {
  std::string step;  // "step[0].ches"
  int64_t rows_in = 0;
  int64_t rows_out = 0;
  std::string figures;  // what else there is to tell; may be empty
};

// Takes the rows of the recipe's data through its steps and writes what is left to output_file, or with
// split_by to a file for each value of that column. Rows go through one by one; steps that must know all rows
// before they can say which stay set them aside on disk, in a folder beside output_file that is removed
// afterwards. Each file appears as a whole or not at all; none does when no row is left, which is an error.
absl::StatusOr<std::vector<StepCounts>> SelectFromRecipe(const SelectRecipe& recipe);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_SELECT_RECIPE_H_
