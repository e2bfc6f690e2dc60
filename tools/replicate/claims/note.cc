// Ahn et al. 2024: summaries by an adapter that is fine-tuned, and then aligned by DPO.

#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "alignment/train_recipe.h"
#include "common/config/recipe.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr double kHeldOut = 0.4;

// What the adapter goes on: a model of general text.
constexpr char kBase[] = R"(
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

constexpr char kSft[] = R"(
name: "note"
threads: 1
model { lora { r: 16 lora_alpha: 32 target_modules: "all-linear" } }
data { preference { path: "alignment/recipes/visits.jsonl" } max_length: 512 chat_template: "none" }
stage {
  name: "sft"
  objective { sft {} }
  optimizer { adamw { learning_rate: 2e-3 } }
  training { num_train_epochs: 6 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
})";

constexpr char kDpo[] = R"(
stage {
  name: "dpo"
  objective { dpo { beta: 0.1 } }
  optimizer { adamw { learning_rate: 5e-4 } }
  training { num_train_epochs: 3 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
})";

absl::Status TrainFrom(const std::string& text, std::vector<std::string> overrides) {
  AlignmentRecipe recipe;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(text, "recipe", overrides, &recipe));
  return TrainRecipe(recipe, "never");
}

// Share of held-out pairs whose right summary is the likelier one, by the mean over its tokens.
absl::StatusOr<double> Accuracy(uint64_t seed, const std::string& base, const std::string& adapter) {
  EvaluateRecipe recipe;
  recipe.set_threads(1);
  recipe.set_seed(seed);
  recipe.mutable_model()->set_pretrained(base);
  recipe.mutable_model()->set_adapter(adapter);
  recipe.mutable_data()->mutable_preference()->add_path("alignment/recipes/visits.jsonl");
  recipe.mutable_data()->set_eval_fraction(kHeldOut);
  recipe.mutable_data()->set_max_length(512);
  recipe.mutable_data()->set_chat_template("none");
  PLUMB_ASSIGN_OR_RETURN(const auto figures, EvaluateFromRecipe(recipe));
  return figures.at("logps/average_accuracies");
}

absl::StatusOr<Comparison> RunIn(uint64_t seed, const std::string& folder) {
  const std::string base = folder + "/base/pretraining/model";
  const auto overrides = [&](const std::string& output) {
    return std::vector<std::string>{absl::StrCat("seed=", seed), absl::StrCat("output_dir=", folder, output)};
  };
  PLUMB_RETURN_IF_ERROR(TrainFrom(kBase, overrides("/base")));
  const auto adapted = [&](const std::string& output) {
    std::vector<std::string> all = overrides(output);
    all.push_back(absl::StrCat("model.pretrained=", base));
    all.push_back(absl::StrCat("data.eval_fraction=", kHeldOut));
    return all;
  };
  PLUMB_RETURN_IF_ERROR(TrainFrom(absl::StrCat(kSft, kDpo), adapted("/note")));
  std::vector<std::string> longer = adapted("/sft");
  longer.push_back("stage[0].training.num_train_epochs=9");
  PLUMB_RETURN_IF_ERROR(TrainFrom(kSft, longer));
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Accuracy(seed, base, folder + "/note/dpo/model"));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Accuracy(seed, base, folder + "/sft/sft/model"));
  return comparison;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("replicate_note_", getpid(), "_", seed);
  const auto comparison = RunIn(seed, folder.string());
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"note", "Ahn et al. 2024, NOTE: Notable generation Of patient Text summaries (arXiv 2402.11882)",
     "DPO after fine-tuning, in one adapter, tells a faithful summary from one with an error more often than "
     "as many epochs of fine-tuning alone.",
     "6 epochs of SFT, 3 of DPO (beta 0.1)", "9 epochs of SFT",
     "share of 80 held-out stays whose right summary is likelier, by the mean over tokens, than one with a "
     "number changed or an event left out",
     /*lower_is_better=*/false, /*seeds=*/5,
     "200 invented stays and a transformer of 2 layers that has read 300 web texts, eight times; the paper "
     "has MIMIC-III "
     "and "
     "a model of billions of weights, and measures summaries by overlap and by judges.",
     Run});

}  // namespace
}  // namespace plumb
