#ifndef PLUMB_TOOLS_REPLICATE_MODEL_RUNS_H_
#define PLUMB_TOOLS_REPLICATE_MODEL_RUNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignment/recipe.pb.h"

namespace plumb {

// The text of a recipe that trains a small model of general text, PATH/pretraining/model, whose tokenizer has
// read alignment/recipes/visits.jsonl too.
extern const char kGeneralTextModel[];

// The files of one seed of a claim whose models the programs' own recipes make: a temporary folder, which
// goes with this.
class ModelRuns {
 public:
  ModelRuns(const std::string& claim, uint64_t seed);
  ~ModelRuns();
  ModelRuns(const ModelRuns&) = delete;
  ModelRuns& operator=(const ModelRuns&) = delete;

  uint64_t seed() const { return seed_; }
  std::string Path(const std::string& name) const;

  absl::Status Write(const std::string& name, const std::string& contents) const;

  // What //alignment:train does with a recipe's text and these overrides, this seed, and Path(output).
  absl::Status Train(const std::string& text, const std::string& output,
                     std::vector<std::string> overrides) const;

  // What //alignment:generate answers to the recipe's prompts, in their order.
  absl::StatusOr<std::vector<std::string>> Completions(GenerateRecipe recipe) const;

 private:
  const uint64_t seed_;
  const std::string folder_;
};

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_MODEL_RUNS_H_
