#ifndef PLUMB_ALIGNMENT_TRAIN_RECIPE_H_
#define PLUMB_ALIGNMENT_TRAIN_RECIPE_H_

#include <string>

#include "absl/status/status.h"
#include "alignment/recipe.pb.h"

namespace plumb {

// Runs the stages of a recipe, one after the other. In its output folder:
//   recipe.textproto, metrics.jsonl, tensorboard/, samples.jsonl, facts.json, report.html
//                       see common/report/run_folder.h
//   tokenizer/          when the recipe trains one
//   reference_cache/    reference log-probabilities, by hash of model and data
//   rollouts/           pairs of the policy's own answers, by hash of model, prompts and what ranks them
//   STAGE/checkpoint-N  see common/train/checkpoint.h
//   STAGE/model/        the stage's result, for transformers or PEFT
// `resume`: "auto" goes on where an earlier run of the same recipe stopped, "never" trains from the start.
absl::Status TrainRecipe(const AlignmentRecipe& recipe, const std::string& resume);

// The folder: recipe.output_dir, or runs/NAME.
std::string OutputFolder(const AlignmentRecipe& recipe);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_TRAIN_RECIPE_H_
