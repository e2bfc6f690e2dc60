#ifndef PLUMB_ALIGNMENT_GENERATE_RECIPE_H_
#define PLUMB_ALIGNMENT_GENERATE_RECIPE_H_

#include <istream>
#include <ostream>

#include "absl/status/status.h"
#include "alignment/recipe.pb.h"

namespace plumb {

// Answers the recipe's prompts, or those of `input`, one a line. One prompt with one answer is written to
// `output` as it grows, after the prompt itself when it is plain text; several are written when they are
// whole, each under a line with its prompt. With recipe.output_file, rows {"prompt", "completion",
// "finish_reason"} go there, all at once in the end. batch_size prompts are answered at a time, unless
// recipe.generation says otherwise. With recipe.beam_search rows have a "score" too, and prompts are answered
// one after the other. An interrupt stops it at the next token with a CancelledError; the output
// file is then as it was.
absl::Status GenerateFromRecipe(const GenerateRecipe& recipe, std::istream& input, std::ostream& output);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_GENERATE_RECIPE_H_
