#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/pair_logps.h"
#include "alignment/recipe_checks.h"
#include "alignment/reward_task.h"
#include "alignment/selection/pair_rows.h"
#include "alignment/selection/selection_pass.h"
#include "common/data/chat_template.h"
#include "common/data/example_tokens.h"
#include "common/data/read_examples.h"
#include "common/nn/pretrained.h"
#include "common/program/interrupt.h"
#include "common/program/runfiles.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr size_t kRowsAtOnce = 256;  // that are read as pairs together

// The rewards [B] of answers, each the chosen one of its pair.
using Rewards = std::function<at::Tensor(const PairBatch& answers)>;

struct Judge {
  std::shared_ptr<Tokenizer> tokenizer;
  Rewards rewards;
};

absl::StatusOr<Judge> TrainedJudge(const RewardScores& config, const std::string& field) {
  const std::string folder = ResolveUserFile(config.reward_model());
  PLUMB_ASSIGN_OR_RETURN(RewardModel model, LoadRewardModel(folder));
  PLUMB_ASSIGN_OR_RETURN(std::shared_ptr<Tokenizer> tokenizer, LoadTokenizer(folder));
  PLUMB_RETURN_IF_ERROR(CheckPositions(config.max_length(), model.body->config(), field));
  return Judge{std::move(tokenizer),
               [model](const PairBatch& answers) { return LastTokenRewards(model, answers, {}); }};
}

at::Tensor Logps(CausalLm& model, const PairBatch& answers) {
  const LinearLogProbs tokens =
      LinearLogProb(PredictingStates(model, answers, {}), model.HeadWeight(), answers.targets);
  return PolicyLogps(tokens.logps, answers).policy_chosen_logps;
}

absl::StatusOr<Judge> ImpliedJudge(const RewardScores& config, const PassContext& context,
                                   const std::string& field) {
  const RewardScores::Implicit& implicit = config.implicit();
  PLUMB_ASSIGN_OR_RETURN(const TextModel model, OpenSelectionModel(implicit.model(), config.max_length(),
                                                                   context, field + ".implicit"));
  PLUMB_RETURN_IF_ERROR(CheckIsPretrained(implicit.reference(), field + ".implicit.reference"));
  PLUMB_ASSIGN_OR_RETURN(const TextModel reference,
                         OpenTextModel(implicit.reference(), context.seed, /*tokenizer_folder=*/""));
  PLUMB_RETURN_IF_ERROR(
      CheckSameVocabulary(reference.model->config(), model.model->config(), field + ".implicit.reference"));
  PLUMB_RETURN_IF_ERROR(CheckPositions(config.max_length(), reference.model->config(), field));
  return Judge{model.tokenizer, [=](const PairBatch& answers) {
                 return implicit.beta() * (Logps(*model.model, answers) - Logps(*reference.model, answers));
               }};
}

// A number becomes one of two in a list, a list gets one more.
void AppendScore(double score, Record* column) {
  if (column->is_null()) {
    *column = score;
    return;
  }
  if (!column->is_array()) *column = Record::array({*column});
  column->push_back(score);
}

class RewardPass : public SelectionPass {
 public:
  RewardPass(const RewardScores& config, const PassContext& context, Judge judge, ChatRenderer renderer,
             const DataConfig& tokenization)
      : config_(config),
        pairs_file_(context.scratch_folder + "/pairs.jsonl"),
        judge_(std::move(judge)),
        tokenizer_(*judge_.tokenizer, std::move(renderer), tokenization) {}

  absl::Status Take(Row row, RowSink emit) override {
    waiting_.push_back(std::move(row));
    return waiting_.size() < kRowsAtOnce ? absl::OkStatus() : ScoreWaiting(emit);
  }

  absl::Status Finish(RowSink emit) override { return ScoreWaiting(emit); }

  std::string Figures() const override {
    std::string figures = absl::StrFormat("mean reward %.4g of %d answers", sum_ / answers_, answers_);
    if (cut_ > 0) absl::StrAppend(&figures, "; ", cut_, " cut to max_length");
    return figures;
  }

 private:
  absl::Status ScoreWaiting(RowSink emit) {
    PLUMB_ASSIGN_OR_RETURN(const auto answers, AnswersOfWaiting());
    for (size_t i = 0; i < waiting_.size(); ++i) {
      if (InterruptRequested()) return absl::CancelledError("stopped; nothing is written");
      Row& row = waiting_[i];
      PLUMB_ASSIGN_OR_RETURN(const std::vector<double> scores, Scores(row, answers[i]));
      if (IsPair(row)) {
        AppendScore(scores[0], &row.record["score_chosen"]);
        AppendScore(scores[1], &row.record["score_rejected"]);
      } else {
        row.record[config_.columns().scores()] = scores;
      }
      PLUMB_RETURN_IF_ERROR(emit(std::move(row)));
    }
    waiting_.clear();
    return absl::OkStatus();
  }

  bool IsPair(const Row& row) const { return FindColumn(row, config_.columns().answers()) == nullptr; }

  // Of each row that waits; an answer stands as both of a pair.
  absl::StatusOr<std::vector<std::vector<PreferenceExample>>> AnswersOfWaiting() const {
    std::vector<Row> pair_rows;
    for (const Row& row : waiting_) {
      if (IsPair(row)) pair_rows.push_back(row);
    }
    std::vector<PreferenceExample> pairs;
    if (!pair_rows.empty()) {
      PLUMB_ASSIGN_OR_RETURN(pairs, ReadPairRows(pair_rows, pairs_file_));
    }
    auto pair = pairs.begin();
    std::vector<std::vector<PreferenceExample>> answers;
    for (const Row& row : waiting_) {
      answers.emplace_back();
      if (!IsPair(row)) {
        PLUMB_ASSIGN_OR_RETURN(answers.back(), ListedAnswers(row));
        continue;
      }
      for (const Content* answer : {&pair->chosen, &pair->rejected}) {
        answers.back().push_back(AnswerAlone(row, pair->prompt, *answer, pair->tools));
      }
      ++pair;
    }
    return answers;
  }

  static PreferenceExample AnswerAlone(const Row& row, const Content& prompt, const Content& answer,
                                       const std::string& tools) {
    PreferenceExample example;
    example.where = row.where;
    example.prompt = prompt;
    example.chosen = example.rejected = answer;
    example.tools = tools;
    return example;
  }

  absl::StatusOr<std::vector<PreferenceExample>> ListedAnswers(const Row& row) const {
    const std::string& name = config_.columns().answers();
    const Record* prompt = FindColumn(row, "prompt");
    if (prompt == nullptr) return RowError(row, "expected a column 'prompt'");
    PLUMB_ASSIGN_OR_RETURN(const Record* answers, ReadAnswers(row, name));
    const auto asked = ReadContent(*prompt, "prompt");
    if (!asked.ok()) return RowError(row, asked.status().message());
    std::vector<PreferenceExample> examples;
    for (const Record& answer : *answers) {
      const auto content = ReadContent(answer, name);
      if (!content.ok()) return RowError(row, content.status().message());
      examples.push_back(AnswerAlone(row, *asked, *content, /*tools=*/""));
    }
    return examples;
  }

  absl::StatusOr<std::vector<double>> Scores(const Row& row, const std::vector<PreferenceExample>& answers) {
    TokenizationCounts counts;
    const auto tokens = tokenizer_.Preferences(answers, &counts);
    if (!tokens.ok()) return tokens.status();
    if (counts.dropped > 0)
      return RowError(row, "an answer has no token that is predicted within max_length");
    cut_ += counts.truncated;
    std::vector<double> scores;
    if (tokens->empty()) return scores;
    Pairs pairs;
    for (const TokenizedPreference& answer : *tokens) pairs.push_back(&answer);
    const at::NoGradGuard no_grad;
    const at::Tensor rewards = judge_.rewards(PackPairs(pairs, /*with_rejected=*/false));
    for (int64_t i = 0; i < rewards.size(0); ++i) {
      scores.push_back(rewards[i].item<double>());
      if (!std::isfinite(scores.back())) return RowError(row, "a reward is not finite: is the model?");
      sum_ += scores.back();
      ++answers_;
    }
    return scores;
  }

  RewardScores config_;
  std::string pairs_file_;
  Judge judge_;
  ExampleTokenizer tokenizer_;
  std::vector<Row> waiting_;
  double sum_ = 0;
  int64_t answers_ = 0, cut_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeRewardPass(const RewardScores& config,
                                                              const PassContext& context) {
  const std::string field = context.field + ".reward";
  if (config.reward_case() == RewardScores::REWARD_NOT_SET) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": expected reward_model or implicit"));
  }
  PLUMB_ASSIGN_OR_RETURN(Judge judge, config.has_reward_model() ? TrainedJudge(config, field)
                                                                : ImpliedJudge(config, context, field));
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer, MakeChatRenderer(config.chat_template(), *judge.tokenizer));
  DataConfig tokenization;
  tokenization.set_max_length(config.max_length());
  tokenization.set_truncation_mode(DataConfig::KEEP_END);
  return std::make_unique<RewardPass>(config, context, std::move(judge), std::move(renderer), tokenization);
}

}  // namespace plumb
