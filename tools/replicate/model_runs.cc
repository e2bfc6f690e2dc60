#include "tools/replicate/model_runs.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "alignment/generate_recipe.h"
#include "alignment/selection/row.h"
#include "alignment/train_recipe.h"
#include "common/config/recipe.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {

const char kGeneralTextModel[] = R"(
name: "base"
threads: 1
model {
  from_scratch {
    hidden_size: 64 intermediate_size: 176 num_hidden_layers: 2 num_attention_heads: 2 num_key_value_heads: 2
    max_position_embeddings: 512
    tokenizer {
      train_on: "@demo_data/data/c4_demo.jsonl" train_on: "alignment/recipes/visits.jsonl" vocab_size: 1024
    }
  }
}
data { text { path: "@demo_data/data/c4_demo.jsonl" } max_length: 256 }
stage {
  name: "pretraining"
  objective { sft {} }
  optimizer { adamw { learning_rate: 2e-3 } }
  training { num_train_epochs: 8 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
})";

ModelRuns::ModelRuns(const std::string& claim, uint64_t seed)
    : seed_(seed),
      folder_((std::filesystem::temp_directory_path() /
               absl::StrCat("replicate_", claim, "_", getpid(), "_", seed))
                  .string()) {}

ModelRuns::~ModelRuns() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string ModelRuns::Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

absl::Status ModelRuns::Write(const std::string& name, const std::string& contents) const {
  PLUMB_RETURN_IF_ERROR(MakeFolders(folder_));
  return WriteFileAtomically(Path(name), contents);
}

absl::Status ModelRuns::Train(const std::string& text, const std::string& output,
                              std::vector<std::string> overrides) const {
  overrides.push_back(absl::StrCat("seed=", seed_));
  overrides.push_back(absl::StrCat("output_dir=", Path(output)));
  AlignmentRecipe recipe;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(text, "recipe", overrides, &recipe));
  return TrainRecipe(recipe, "never");
}

absl::StatusOr<std::vector<std::string>> ModelRuns::Completions(GenerateRecipe recipe) const {
  recipe.set_output_file(Path("completions.jsonl"));
  std::istringstream no_input;
  PLUMB_RETURN_IF_ERROR(GenerateFromRecipe(recipe, no_input, std::cout));
  RecordSource source;
  source.add_path(recipe.output_file());
  std::vector<std::string> completions;
  PLUMB_RETURN_IF_ERROR(ForEachRow(source, [&](const Row& row) -> absl::Status {
    completions.push_back(row.record["completion"].get<std::string>());
    return absl::OkStatus();
  }));
  return completions;
}

}  // namespace plumb
