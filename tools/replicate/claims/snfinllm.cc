// Zhao et al. 2024: a model for a domain reads its plain text before it learns from instructions and
// preferences.

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "alignment/selection/row.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/model_runs.h"

namespace plumb {
namespace {

constexpr int64_t kLabelled = 20, kHeldOut = 60;

constexpr char kModel[] = R"(
name: "snfinllm"
threads: 1
model { lora { r: 16 lora_alpha: 32 target_modules: "all-linear" } }
data { max_length: 512 chat_template: "none" }
)";

constexpr char kPretraining[] = R"(
stage {
  name: "pretraining"
  objective { sft {} }
  optimizer { adamw { learning_rate: 2e-3 } }
  training { num_train_epochs: 3 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
  merge_adapter: true
})";

constexpr char kSftAndDpo[] = R"(
stage {
  name: "sft"
  objective { sft {} }
  optimizer { adamw { learning_rate: 2e-3 } }
  training { num_train_epochs: 6 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
  merge_adapter: true
}
stage {
  name: "dpo"
  objective { dpo { beta: 0.1 } }
  optimizer { adamw { learning_rate: 5e-4 } }
  training { num_train_epochs: 3 per_device_train_batch_size: 8 }
  samples { from_eval: 0 }
})";

class Experiment {
 public:
  explicit Experiment(uint64_t seed) : runs_("snfinllm", seed) {}

  absl::StatusOr<Comparison> Run() const {
    PLUMB_RETURN_IF_ERROR(WriteData());
    PLUMB_RETURN_IF_ERROR(runs_.Train(kGeneralTextModel, "base", {}));
    const std::string domain = absl::StrCat("stage[0].data.text.path=", runs_.Path("domain.jsonl"));
    Comparison comparison;
    PLUMB_ASSIGN_OR_RETURN(comparison.method,
                           Perplexity(absl::StrCat(kModel, kPretraining, kSftAndDpo), "with", {domain}));
    PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Perplexity(absl::StrCat(kModel, kSftAndDpo), "without", {}));
    return comparison;
  }

 private:
  // Stays with summaries, stays that are held out, and of all others what happened, as plain text.
  absl::Status WriteData() const {
    std::vector<Record> rows;
    RecordSource source;
    source.add_path("alignment/recipes/visits.jsonl");
    PLUMB_RETURN_IF_ERROR(ForEachRow(source, [&](const Row& row) {
      rows.push_back(row.record);
      return absl::OkStatus();
    }));
    const std::vector<int64_t> order =
        RandomStream(runs_.seed(), "snfinllm").Permutation(static_cast<int64_t>(rows.size()));
    std::string labelled, held_out, domain;
    for (size_t i = 0; i < order.size(); ++i) {
      const Record& row = rows[order[i]];
      if (i < kLabelled) {
        absl::StrAppend(&labelled, row.dump(), "\n");
      } else if (i < kLabelled + kHeldOut) {
        absl::StrAppend(&held_out, row.dump(), "\n");
      } else {
        absl::StrAppend(&domain, Record{{"text", row["prompt"]}}.dump(), "\n");
      }
    }
    PLUMB_RETURN_IF_ERROR(runs_.Write("labelled.jsonl", labelled));
    PLUMB_RETURN_IF_ERROR(runs_.Write("held_out.jsonl", held_out));
    return runs_.Write("domain.jsonl", domain);
  }

  // Log-perplexity of the held-out stays' right summaries after a pipeline from the base.
  absl::StatusOr<double> Perplexity(const std::string& text, const std::string& output,
                                    std::vector<std::string> overrides) const {
    overrides.push_back(absl::StrCat("model.pretrained=", runs_.Path("base/pretraining/model")));
    overrides.push_back(absl::StrCat("data.preference.path=", runs_.Path("labelled.jsonl")));
    PLUMB_RETURN_IF_ERROR(runs_.Train(text, output, overrides));
    EvaluateRecipe recipe;
    recipe.set_threads(1);
    recipe.mutable_model()->set_pretrained(runs_.Path(output + "/sft/model"));
    recipe.mutable_model()->set_adapter(runs_.Path(output + "/dpo/model"));
    recipe.mutable_data()->mutable_preference()->add_path(runs_.Path("held_out.jsonl"));
    recipe.mutable_data()->set_max_length(512);
    recipe.mutable_data()->set_chat_template("none");
    PLUMB_ASSIGN_OR_RETURN(const auto figures, EvaluateFromRecipe(recipe));
    return std::log(figures.at("perplexity/chosen"));
  }

  const ModelRuns runs_;
};

const bool kRegistered = RegisterClaim(
    {"snfinllm",
     "Zhao et al. 2024, SNFinLLM: Systematic and Nuanced Financial Domain Adaptation of Chinese Large "
     "Language Models (arXiv 2408.02302)",
     "Continued pre-training on a domain's plain text before SFT and DPO makes right answers of the domain "
     "likelier than SFT and DPO alone.",
     "pre-training, SFT, DPO", "SFT, DPO",
     "mean negative log-probability of a token of 60 held-out summaries, nats, after SFT and DPO on 20",
     /*lower_is_better=*/true, /*seeds=*/5,
     "invented hospital stays stand for the domain, 120 of them without a summary; a transformer of 2 layers "
     "that has read 300 web texts, eight times, an adapter a stage. Pre-training is more training: the "
     "baseline has fewer steps.",
     [](uint64_t seed) { return Experiment(seed).Run(); }});

}  // namespace
}  // namespace plumb
