// Ahn et al. 2024: summaries by an adapter that is fine-tuned, and then aligned by DPO.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/model_runs.h"

namespace plumb {
namespace {

constexpr double kHeldOut = 0.4;

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

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const ModelRuns runs("note", seed);
  PLUMB_RETURN_IF_ERROR(runs.Train(kGeneralTextModel, "base", {}));
  const std::string base = runs.Path("base/pretraining/model");
  std::vector<std::string> overrides = {absl::StrCat("model.pretrained=", base),
                                        absl::StrCat("data.eval_fraction=", kHeldOut)};
  PLUMB_RETURN_IF_ERROR(runs.Train(absl::StrCat(kSft, kDpo), "note", overrides));
  overrides.push_back("stage[0].training.num_train_epochs=9");
  PLUMB_RETURN_IF_ERROR(runs.Train(kSft, "sft", overrides));
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Accuracy(seed, base, runs.Path("note/dpo/model")));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Accuracy(seed, base, runs.Path("sft/sft/model")));
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
     "has MIMIC-III and a model of billions of weights, and measures summaries by overlap and by judges.",
     Run});

}  // namespace
}  // namespace plumb
