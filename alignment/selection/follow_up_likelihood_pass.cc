#include <ATen/core/grad_mode.h>

#include <cmath>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "alignment/selection/follow_up_likelihood.h"
#include "alignment/selection/selection_pass.h"
#include "common/data/chat_template.h"
#include "common/data/read_examples.h"
#include "common/nn/rollout_logps.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Tokens = std::vector<int64_t>;
using Messages = std::vector<ChatMessage>;

// A text is what `role` says; messages are as they are.
absl::StatusOr<Messages> ReadMessages(const Row& row, absl::string_view column, const Record& value,
                                      const std::string& role) {
  absl::StatusOr<Content> content = ReadContent(value, column);
  if (!content.ok()) return RowError(row, content.status().message());
  if (auto* messages = std::get_if<Messages>(&*content)) return std::move(*messages);
  return Messages{{role, std::get<std::string>(*std::move(content)), "", ""}};
}

class FollowUpPass : public SelectionPass {
 public:
  FollowUpPass(const FollowUpLikelihood& config, TextModel model, ChatRenderer renderer)
      : config_(config), model_(std::move(model)), renderer_(std::move(renderer)) {}

  absl::Status Take(Row row, RowSink emit) override {
    const Record* prompt = FindColumn(row, "prompt");
    const std::string& name = config_.columns().answers();
    if (prompt == nullptr) return RowError(row, "expected a column 'prompt'");
    PLUMB_ASSIGN_OR_RETURN(const Record* answers, ReadAnswers(row, name));
    if (answers->empty())
      return RowError(row, absl::StrCat("column '", name, "': expected an answer at least"));
    std::vector<double> scores;
    for (const Record& answer : *answers) {
      if (InterruptRequested()) return absl::CancelledError("stopped; nothing is written");
      PLUMB_ASSIGN_OR_RETURN(Messages said, ReadMessages(row, "prompt", *prompt, "user"));
      PLUMB_ASSIGN_OR_RETURN(const Messages reply, ReadMessages(row, name, answer, "assistant"));
      said.insert(said.end(), reply.begin(), reply.end());
      const auto score = Score(said);
      if (!score.ok()) return RowError(row, score.status().message());
      scores.push_back(*score);
    }
    row.record[config_.columns().scores()] = scores;
    return emit(std::move(row));
  }

  std::string Figures() const override {
    if (shortened_ == 0) return "";
    return absl::StrFormat("%d answers were read without the beginning of their prompts, for max_length %d",
                           shortened_, config_.max_length());
  }

 private:
  // What stands before a follow-up, and each of them after it, as text.
  struct Texts {
    std::string before;
    std::vector<std::string> follow_ups;  // positive ones first
  };

  absl::StatusOr<Texts> Write(const Messages& said) const {
    Texts texts;
    const auto add = [&](const std::string& follow_up) -> absl::Status {
      if (renderer_ == nullptr) {
        texts.follow_ups.push_back(absl::StrCat("\n", follow_up));
        return absl::OkStatus();
      }
      Messages more = said;
      more.push_back({"user", follow_up, "", ""});
      PLUMB_ASSIGN_OR_RETURN(const std::string all,
                             renderer_(more, /*add_generation_prompt=*/false, /*tools=*/""));
      absl::string_view rest = all;
      if (!absl::ConsumePrefix(&rest, texts.before)) {
        return absl::InvalidArgumentError(
            "the chat template writes a conversation otherwise once it goes on");
      }
      texts.follow_ups.emplace_back(rest);
      return absl::OkStatus();
    };
    if (renderer_ == nullptr) {
      for (const ChatMessage& message : said) texts.before += message.content;
    } else {
      PLUMB_ASSIGN_OR_RETURN(texts.before, renderer_(said, /*add_generation_prompt=*/false, /*tools=*/""));
    }
    for (const std::string& follow_up : config_.positive()) PLUMB_RETURN_IF_ERROR(add(follow_up));
    for (const std::string& follow_up : config_.negative()) PLUMB_RETURN_IF_ERROR(add(follow_up));
    return texts;
  }

  absl::StatusOr<double> Score(const Messages& said) {
    PLUMB_ASSIGN_OR_RETURN(const Texts texts, Write(said));
    Tokens before = model_.tokenizer->Encode(texts.before, /*add_special_tokens=*/renderer_ == nullptr);
    std::vector<Tokens> follow_ups;
    size_t longest = 0;
    for (const std::string& text : texts.follow_ups) {
      follow_ups.push_back(model_.tokenizer->Encode(text, /*add_special_tokens=*/false));
      longest = std::max(longest, follow_ups.back().size());
    }
    if (before.empty()) return absl::InvalidArgumentError("prompt and answer have no tokens");
    const auto room = config_.max_length() - static_cast<int64_t>(longest);
    if (room < 1) return absl::InvalidArgumentError("a follow-up alone fills max_length");
    if (static_cast<int64_t>(before.size()) > room) {
      before.erase(before.begin(), before.end() - room);
      ++shortened_;
    }
    const at::NoGradGuard no_grad;
    const RolloutBatch batch = PackRollouts(before, follow_ups);
    const at::Tensor sums = SumSegments(RolloutLogps(*model_.model, batch), batch.completions);
    std::vector<FollowUp> sets[2];
    for (size_t i = 0; i < follow_ups.size(); ++i) {
      sets[static_cast<int>(i) < config_.positive_size() ? 0 : 1].push_back(
          {sums[i].item<double>(), static_cast<int64_t>(follow_ups[i].size())});
    }
    const double score = FollowUpReward(sets[0], sets[1]);
    if (!std::isfinite(score)) return absl::InvalidArgumentError("the score is not finite: is the model?");
    return score;
  }

  FollowUpLikelihood config_;
  TextModel model_;
  ChatRenderer renderer_;
  int64_t shortened_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeFollowUpLikelihoodPass(const FollowUpLikelihood& config,
                                                                          const PassContext& context) {
  const std::string field = context.field + ".follow_up_likelihood";
  PLUMB_ASSIGN_OR_RETURN(TextModel model,
                         OpenSelectionModel(config.model(), config.max_length(), context, field));
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer, MakeChatRenderer(config.chat_template(), *model.tokenizer));
  return std::make_unique<FollowUpPass>(config, std::move(model), std::move(renderer));
}

}  // namespace plumb
