// Zhao et al. 2024: a model for a domain reads its plain text before it learns from instructions and
// preferences.

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "alignment/selection/row.h"
#include "alignment/train_recipe.h"
#include "common/config/recipe.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kLabelled = 20, kHeldOut = 60;

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
  Experiment(uint64_t seed, std::string folder) : seed_(seed), folder_(std::move(folder)) {}

  absl::StatusOr<Comparison> Run() const {
    PLUMB_RETURN_IF_ERROR(MakeFolders(folder_));
    PLUMB_RETURN_IF_ERROR(WriteData());
    PLUMB_RETURN_IF_ERROR(TrainFrom(kBase, "base", {}));
    const std::string domain = absl::StrCat("stage[0].data.text.path=", Path("domain.jsonl"));
    Comparison comparison;
    PLUMB_ASSIGN_OR_RETURN(comparison.method,
                           Perplexity(absl::StrCat(kModel, kPretraining, kSftAndDpo), "with", {domain}));
    PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Perplexity(absl::StrCat(kModel, kSftAndDpo), "without", {}));
    return comparison;
  }

 private:
  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

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
        RandomStream(seed_, "snfinllm").Permutation(static_cast<int64_t>(rows.size()));
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
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(Path("labelled.jsonl"), labelled));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(Path("held_out.jsonl"), held_out));
    return WriteFileAtomically(Path("domain.jsonl"), domain);
  }

  absl::Status TrainFrom(const std::string& text, const std::string& output,
                         std::vector<std::string> overrides) const {
    overrides.push_back(absl::StrCat("seed=", seed_));
    overrides.push_back(absl::StrCat("output_dir=", Path(output)));
    AlignmentRecipe recipe;
    PLUMB_RETURN_IF_ERROR(ParseRecipe(text, "recipe", overrides, &recipe));
    return TrainRecipe(recipe, "never");
  }

  // Log-perplexity of the held-out stays' right summaries after a pipeline from the base.
  absl::StatusOr<double> Perplexity(const std::string& text, const std::string& output,
                                    std::vector<std::string> overrides) const {
    overrides.push_back(absl::StrCat("model.pretrained=", Path("base/pretraining/model")));
    overrides.push_back(absl::StrCat("data.preference.path=", Path("labelled.jsonl")));
    PLUMB_RETURN_IF_ERROR(TrainFrom(text, output, overrides));
    EvaluateRecipe recipe;
    recipe.set_threads(1);
    recipe.mutable_model()->set_pretrained(Path(output + "/sft/model"));
    recipe.mutable_model()->set_adapter(Path(output + "/dpo/model"));
    recipe.mutable_data()->mutable_preference()->add_path(Path("held_out.jsonl"));
    recipe.mutable_data()->set_max_length(512);
    recipe.mutable_data()->set_chat_template("none");
    PLUMB_ASSIGN_OR_RETURN(const auto figures, EvaluateFromRecipe(recipe));
    return std::log(figures.at("perplexity/chosen"));
  }

  uint64_t seed_;
  std::string folder_;
};

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("replicate_snfinllm_", getpid(), "_", seed);
  const auto comparison = Experiment(seed, folder.string()).Run();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return comparison;
}

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
     Run});

}  // namespace
}  // namespace plumb
