#include "alignment/evaluate_recipe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "alignment/objectives/weighted_objectives.h"
#include "alignment/pair_logps.h"
#include "alignment/recipe_checks.h"
#include "alignment/reward_task.h"
#include "alignment/stage_data.h"
#include "alignment/text_model.h"
#include "alignment/token_credit.h"
#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/program/interrupt.h"
#include "common/program/runfiles.h"
#include "common/status/status_macros.h"
#include "common/train/metrics.h"
#include "common/train/threads.h"

namespace plumb {
namespace {

class Evaluation {
 public:
  explicit Evaluation(const EvaluateRecipe& recipe)
      : recipe_(recipe),
        with_label_(recipe.data().has_unpaired()),
        with_rejected_(!with_label_ && recipe.data().has_preference()) {}

  absl::StatusOr<std::map<std::string, double>> Run() {
    PLUMB_RETURN_IF_ERROR(CheckIsPretrained(recipe_.model(), "model"));
    if (recipe_.has_reference()) {
      PLUMB_RETURN_IF_ERROR(CheckIsPretrained(recipe_.reference(), "reference"));
    }
    PLUMB_RETURN_IF_ERROR(CheckOutputFile(recipe_.output_file()));
    PLUMB_RETURN_IF_ERROR(CheckOutputFile(recipe_.credit_file(), "credit_file"));
    if (recipe_.has_reward_model() && !with_rejected_ && !with_label_) {
      return absl::InvalidArgumentError(
          "reward_model: scores answers; expected data.preference or data.unpaired");
    }
    if (!recipe_.credit_file().empty() && !recipe_.has_reference()) {
      return absl::InvalidArgumentError("credit_file: a token's credit is against a reference; name one");
    }
    SetThreads(recipe_.threads());
    PLUMB_ASSIGN_OR_RETURN(model_, OpenTextModel(recipe_.model(), recipe_.seed(), /*tokenizer_folder=*/""));
    if (recipe_.has_reference()) {
      PLUMB_ASSIGN_OR_RETURN(reference_,
                             OpenTextModel(recipe_.reference(), recipe_.seed(), /*tokenizer_folder=*/""));
      PLUMB_RETURN_IF_ERROR(CheckMaxLength(recipe_.data(), reference_->model->config(), "reference"));
      PLUMB_RETURN_IF_ERROR(
          CheckSameVocabulary(reference_->model->config(), model_.model->config(), "reference"));
    }
    if (recipe_.has_reward_model()) {
      PLUMB_ASSIGN_OR_RETURN(reward_model_, LoadRewardModel(ResolveUserFile(recipe_.reward_model())));
      PLUMB_RETURN_IF_ERROR(
          CheckSameVocabulary(reward_model_->body->config(), model_.model->config(), "reward_model"));
    }
    PLUMB_RETURN_IF_ERROR(CheckMaxLength(recipe_.data(), model_.model->config(), "model"));
    ObjectiveTraits traits;
    traits.needs_rejected = with_rejected_;
    traits.needs_label = with_label_;
    StageDataCounts counts;
    PLUMB_ASSIGN_OR_RETURN(const PreferenceData data, LoadStageData(recipe_.data(), traits, *model_.tokenizer,
                                                                    recipe_.seed(), "data", &counts));
    const std::vector<TokenizedPreference>& examples = data.eval.empty() ? data.train : data.eval;
    const at::NoGradGuard no_grad;
    for (size_t begin = 0; begin < examples.size(); begin += recipe_.batch_size()) {
      if (InterruptRequested()) {
        return absl::CancelledError(
            absl::StrCat("stopped after ", begin, " of ", examples.size(), " examples"));
      }
      Pairs some;
      for (const auto& pair : absl::MakeConstSpan(examples).subspan(begin, recipe_.batch_size())) {
        some.push_back(&pair);
      }
      const PairBatch batch = PackPairs(some, with_rejected_);
      if (with_label_) {
        AddLabelledBatch(some, batch);
      } else {
        AddBatch(some, batch);
      }
      if (reward_model_.has_value()) AddExplicitRewards(some, batch);
    }
    if (!recipe_.credit_file().empty()) {
      PLUMB_RETURN_IF_ERROR(WriteFileAtomically(recipe_.credit_file(), credit_rows_));
    }
    std::map<std::string, double> figures = sums_.Means();
    for (const std::string kind : {"rewards", "reward_model"}) {
      if (with_label_ && figures.count(kind + "/chosen") > 0 && figures.count(kind + "/rejected") > 0) {
        figures[kind + "/margins"] = figures[kind + "/chosen"] - figures[kind + "/rejected"];
      }
    }
    for (const char* name : {"perplexity", "perplexity/chosen", "perplexity/rejected"}) {
      const auto mean = figures.find(name);
      if (mean != figures.end()) mean->second = std::exp(-mean->second);
    }
    figures["examples"] = static_cast<double>(examples.size());
    return figures;
  }

 private:
  void AddExplicitRewards(const Pairs& answers, const PairBatch& batch) {
    const at::Tensor rewards = LastTokenRewards(*reward_model_, batch, {});
    if (with_label_) {
      AddMeansByLabel("reward_model", rewards, Labels(answers), &sums_);
      return;
    }
    const auto pairs = static_cast<int64_t>(answers.size());
    AddRewards("reward_model", rewards.narrow(0, 0, pairs), rewards.narrow(0, pairs, pairs));
  }

  void AddRewards(const std::string& kind, const at::Tensor& chosen, const at::Tensor& rejected) {
    AddMean(kind + "/chosen", chosen, &sums_);
    AddMean(kind + "/rejected", rejected, &sums_);
    AddMean(kind + "/margins", chosen - rejected, &sums_);
    AddMean(kind + "/accuracies", chosen > rejected, &sums_);
  }

  void AddBatch(const Pairs& pairs, const PairBatch& batch) {
    const at::Tensor states = PredictingStates(*model_.model, batch, {});
    const at::Tensor& head = model_.model->HeadWeight();
    PreferenceLogps logps = PolicyLogps(LinearLogProb(states, head, batch.targets).logps, batch);
    AddMean(with_rejected_ ? "perplexity/chosen" : "perplexity", logps.policy_chosen_token_logps, &sums_);
    AddMean(with_rejected_ ? "logps/chosen" : "logps", logps.policy_chosen_logps, &sums_);
    if (with_rejected_) {
      AddMean("perplexity/rejected", logps.policy_rejected_token_logps, &sums_);
      AddMean("logps/rejected", logps.policy_rejected_logps, &sums_);
      AddMean("logps/accuracies", logps.policy_chosen_logps > logps.policy_rejected_logps, &sums_);
      AddMean("logps/average_accuracies",
              logps.policy_chosen_logps / logps.chosen_length >
                  logps.policy_rejected_logps / logps.rejected_length,
              &sums_);
    }
    if (!reference_.has_value()) return;
    CompareWithReference(states, batch, &logps);
    AddCredit(pairs, batch, logps);
    if (!with_rejected_) return;
    AddRewards("rewards", recipe_.beta() * (logps.policy_chosen_logps - logps.reference_chosen_logps),
               recipe_.beta() * (logps.policy_rejected_logps - logps.reference_rejected_logps));
  }

  void AddLabelledBatch(const Pairs& answers, const PairBatch& batch) {
    const at::Tensor labels = Labels(answers);
    const at::Tensor states = PredictingStates(*model_.model, batch, {});
    PreferenceLogps logps =
        PolicyLogps(LinearLogProb(states, model_.model->HeadWeight(), batch.targets).logps, batch);
    std::vector<int64_t> lengths;
    for (const Segment& answer : batch.chosen) lengths.push_back(answer.length());
    AddMeansByLabel("perplexity", logps.policy_chosen_token_logps,
                    at::repeat_interleave(labels, at::tensor(lengths, at::kLong)), &sums_);
    AddMeansByLabel("logps", logps.policy_chosen_logps, labels, &sums_);
    if (!reference_.has_value()) return;
    CompareWithReference(states, batch, &logps);
    AddCredit(answers, batch, logps);
    AddMeansByLabel("rewards", recipe_.beta() * (logps.policy_chosen_logps - logps.reference_chosen_logps),
                    labels, &sums_);
  }

  void AddCredit(const Pairs& pairs, const PairBatch& batch, const PreferenceLogps& logps) {
    if (recipe_.credit_file().empty()) return;
    at::Tensor rejected;
    if (with_rejected_) {
      rejected = logps.policy_rejected_token_logps - logps.reference_rejected_token_logps;
    }
    for (const std::string& row :
         TokenCreditRows(pairs, batch, recipe_.beta(),
                         logps.policy_chosen_token_logps - logps.reference_chosen_token_logps, rejected,
                         *model_.tokenizer)) {
      absl::StrAppend(&credit_rows_, row, "\n");
    }
  }

  // Sets the reference's log-probabilities, and adds the divergence from the policy's distribution to the
  // reference's: the policy, whose `states` these are, takes the kernel's place of the one that is compared
  // with.
  void CompareWithReference(const at::Tensor& states, const PairBatch& batch, PreferenceLogps* logps) {
    LinearLogProbOptions options;
    options.reference_hidden = states;
    options.reference_weight = model_.model->HeadWeight();
    const LinearLogProbs tokens = LinearLogProb(PredictingStates(*reference_->model, batch, {}),
                                                reference_->model->HeadWeight(), batch.targets, options);
    SetReferenceLogps(tokens.logps, batch, logps);
    AddMean("kl/token", tokens.token_kl, &sums_);
    AddMean("kl/sequence", SumSegments(tokens.token_kl, batch.chosen), &sums_);
    if (!batch.rejected.empty()) {
      AddMean("kl/sequence", SumSegments(tokens.token_kl, batch.rejected), &sums_);
    }
  }

  const EvaluateRecipe& recipe_;
  bool with_label_;
  bool with_rejected_;
  TextModel model_;
  std::optional<TextModel> reference_;
  std::optional<RewardModel> reward_model_;
  MetricSums sums_;
  std::string credit_rows_;
};

}  // namespace

absl::StatusOr<std::map<std::string, double>> EvaluateFromRecipe(const EvaluateRecipe& recipe) {
  return Evaluation(recipe).Run();
}

}  // namespace plumb
