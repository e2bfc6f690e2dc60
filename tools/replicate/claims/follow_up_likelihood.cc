// Zhang et al. 2024: which of two answers is the better one, by what a user would say next.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "alignment/selection/row.h"
#include "alignment/selection/select_recipe.h"
#include "common/config/recipe.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/model_runs.h"

namespace plumb {
namespace {

constexpr int64_t kQuestions = 64, kDialogues = 24;
constexpr double kHonest = 0.9;
constexpr char kThanks[] = "Thanks, that is right.", kComplaint[] = "No, that is wrong.";

constexpr char kModel[] = R"(
name: "dialogues"
threads: 1
model {
  from_scratch {
    hidden_size: 64 intermediate_size: 176 num_hidden_layers: 2 num_attention_heads: 2 num_key_value_heads: 2
    max_position_embeddings: 128
    tokenizer { vocab_size: 512 }
  }
}
data { max_length: 64 chat_template: "none" }
stage {
  name: "sft"
  objective { sft {} }
  optimizer { adamw { learning_rate: 2e-3 } }
  training { num_train_epochs: 8 per_device_train_batch_size: 16 }
  samples { from_eval: 0 }
})";

// A question to which a right and a wrong answer are known, the right one said with a probability of its own.
struct Question {
  Question(int64_t number, const RandomStream& random) {
    static const auto& kColours =
        *new std::vector<std::string>{"red", "green", "blue", "white", "black", "brown", "grey", "pink"};
    const std::vector<int64_t> order = random.Permutation(static_cast<int64_t>(kColours.size()));
    prompt = absl::StrCat("Which colour is number ", number, "?");
    right = absl::StrCat(" It is ", kColours[order[0]], ".");
    wrong = absl::StrCat(" It is ", kColours[order[1]], ".");
    right_share = 0.2 + 0.6 * random.Child("share").Uniform(0);
  }
  std::string prompt, right, wrong;
  double right_share = 0;
};

std::string Dialogues(const std::vector<Question>& questions, const RandomStream& random) {
  std::string rows;
  uint64_t draw = 0;
  for (const Question& question : questions) {
    for (int64_t i = 0; i < kDialogues; ++i) {
      const bool is_right = random.Uniform(draw++) < question.right_share;
      const bool is_thanked = is_right == (random.Uniform(draw++) < kHonest);
      absl::StrAppend(
          &rows,
          Record{{"text", absl::StrCat(question.prompt, is_right ? question.right : question.wrong, "\n",
                                       is_thanked ? kThanks : kComplaint)}}
              .dump(),
          "\n");
    }
  }
  return rows;
}

// Share of the questions whose right answer has the higher score.
absl::StatusOr<double> ByFollowUps(const ModelRuns& runs, const std::vector<Question>& questions) {
  std::string rows;
  for (const Question& question : questions) {
    absl::StrAppend(&rows,
                    Record{{"prompt", question.prompt},
                           {"completions", std::vector<std::string>{question.right, question.wrong}}}
                        .dump(),
                    "\n");
  }
  PLUMB_RETURN_IF_ERROR(runs.Write("answers.jsonl", rows));
  SelectRecipe recipe;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(
      absl::StrCat("threads: 1 data { path: '", runs.Path("answers.jsonl"), "' } output_file: '",
                   runs.Path("scored.jsonl"), "' step { follow_up_likelihood { model { pretrained: '",
                   runs.Path("model/sft/model"), "' } positive: '", kThanks, "' negative: '", kComplaint,
                   "' max_length: 64 chat_template: 'none' } }"),
      "recipe", {}, &recipe));
  PLUMB_RETURN_IF_ERROR(SelectFromRecipe(recipe).status());
  RecordSource scored;
  scored.add_path(recipe.output_file());
  double share = 0;
  PLUMB_RETURN_IF_ERROR(ForEachRow(scored, [&](const Row& row) -> absl::Status {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<double> scores, ReadScores(row, AnswerColumns()));
    share += (scores[0] > scores[1] ? 1.0 : 0.0) / static_cast<double>(questions.size());
    return absl::OkStatus();
  }));
  return share;
}

// Share of the questions whose right answer is the likelier one.
absl::StatusOr<double> ByLikelihood(const ModelRuns& runs, const std::vector<Question>& questions) {
  std::string rows;
  for (const Question& question : questions) {
    absl::StrAppend(
        &rows,
        Record{{"prompt", question.prompt}, {"chosen", question.right}, {"rejected", question.wrong}}.dump(),
        "\n");
  }
  PLUMB_RETURN_IF_ERROR(runs.Write("pairs.jsonl", rows));
  EvaluateRecipe recipe;
  recipe.set_threads(1);
  recipe.mutable_model()->set_pretrained(runs.Path("model/sft/model"));
  recipe.mutable_data()->mutable_preference()->add_path(runs.Path("pairs.jsonl"));
  recipe.mutable_data()->set_max_length(64);
  recipe.mutable_data()->set_chat_template("none");
  PLUMB_ASSIGN_OR_RETURN(const auto figures, EvaluateFromRecipe(recipe));
  return figures.at("logps/average_accuracies");
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const ModelRuns runs("follow_up_likelihood", seed);
  const RandomStream random(seed, "follow-up likelihood");
  std::vector<Question> questions;
  for (int64_t i = 0; i < kQuestions; ++i) questions.emplace_back(i, random.Child("question").Child(i));
  PLUMB_RETURN_IF_ERROR(runs.Write("dialogues.jsonl", Dialogues(questions, random.Child("dialogues"))));
  const std::string path = runs.Path("dialogues.jsonl");
  PLUMB_RETURN_IF_ERROR(runs.Train(kModel, "model",
                                   {absl::StrCat("data.text={path:\"", path, "\"}"),
                                    absl::StrCat("model.from_scratch.tokenizer.train_on=", path)}));
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, ByFollowUps(runs, questions));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, ByLikelihood(runs, questions));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"follow_up_likelihood",
     "Zhang et al. 2024, Aligning Language Models Using Follow-up Likelihood as Reward Signal (arXiv "
     "2409.13948)",
     "The likelihood of what users would say next tells the better of two answers more often than the "
     "likelihood of the answers.",
     "FLR, a thanks against a complaint", "the answers' own likelihood",
     "share of 64 questions whose right answer is preferred", /*lower_is_better=*/false, /*seeds=*/5,
     "invented dialogues in which users know better than who answers, and say so nine times in ten; the "
     "model, a transformer of 2 layers, has read reactions to these very answers, where the paper's reads "
     "those to answers in general. This run is too small for the claim: the training loss still falls at its "
     "end, and neither likelihood is far from the chance of one half. The paper compares with reward models "
     "of as many weights; no policy is trained here.",
     Run});

}  // namespace
}  // namespace plumb
