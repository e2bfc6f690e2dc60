#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/pair_batch.h"
#include "alignment/pair_logps.h"
#include "alignment/selection/ches.h"
#include "alignment/selection/pair_rows.h"
#include "alignment/selection/row_spool.h"
#include "alignment/selection/selection_pass.h"
#include "common/data/chat_template.h"
#include "common/data/example_tokens.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr size_t kRowsAtOnce = 256;  // that are read as pairs together

class ChesPass : public SelectionPass {
 public:
  ChesPass(const ChesFilter& config, const PassContext& context, TextModel model, ChatRenderer renderer,
           const DataConfig& tokenization, RowSpool spool)
      : config_(config),
        pairs_file_(context.scratch_folder + "/pairs.jsonl"),
        model_(std::move(model)),
        tokenizer_(*model_.tokenizer, std::move(renderer), tokenization),
        spool_(std::move(spool)) {}

  absl::Status Take(Row row, RowSink) override {
    waiting_.push_back(std::move(row));
    return waiting_.size() < kRowsAtOnce ? absl::OkStatus() : ScoreWaiting();
  }

  absl::Status Finish(RowSink emit) override {
    PLUMB_RETURN_IF_ERROR(ScoreWaiting());
    std::vector<int64_t> order(scores_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [this](int64_t a, int64_t b) { return scores_[a] < scores_[b]; });
    if (order.empty()) return absl::OkStatus();
    const int64_t size = order.size();
    const int64_t kept = std::clamp<int64_t>(std::llround(config_.keep_fraction() * size), 1, size);
    figures_ = absl::StrFormat("CHES scores from %.4g, median %.4g, to %.4g; the highest kept is %.4g",
                               scores_[order.front()], scores_[order[size / 2]], scores_[order.back()],
                               scores_[order[kept - 1]]);
    order.resize(kept);
    std::sort(order.begin(), order.end());
    for (const int64_t index : order) {
      PLUMB_ASSIGN_OR_RETURN(Row row, spool_.Read(index));
      PLUMB_RETURN_IF_ERROR(emit(std::move(row)));
    }
    return absl::OkStatus();
  }

  std::string Figures() const override {
    if (too_long_ == 0) return figures_;
    return absl::StrCat(figures_, figures_.empty() ? "" : "; ", too_long_,
                        " pairs left out that do not fit max_length ", config_.max_length());
  }

 private:
  absl::Status ScoreWaiting() {
    if (waiting_.empty()) return absl::OkStatus();
    PLUMB_ASSIGN_OR_RETURN(const std::vector<PreferenceExample> examples,
                           ReadPairRows(waiting_, pairs_file_));
    std::vector<Row> rows;
    std::vector<TokenizedPreference> pairs;
    for (size_t i = 0; i < examples.size(); ++i) {
      TokenizationCounts counts;
      PLUMB_ASSIGN_OR_RETURN(std::vector<TokenizedPreference> one,
                             tokenizer_.Preferences(absl::MakeConstSpan(&examples[i], 1), &counts));
      too_long_ += counts.dropped;
      if (one.empty()) continue;
      pairs.push_back(std::move(one[0]));
      rows.push_back(std::move(waiting_[i]));
    }
    waiting_.clear();
    const at::NoGradGuard no_grad;
    for (size_t begin = 0; begin < pairs.size(); begin += config_.batch_size()) {
      Pairs some;
      for (const auto& pair : absl::MakeConstSpan(pairs).subspan(begin, config_.batch_size())) {
        some.push_back(&pair);
      }
      const PairBatch batch = PackPairs(some, /*with_rejected=*/true);
      const at::Tensor scores = ChesScores(PredictingStates(*model_.model, batch, {}), batch.chosen,
                                           batch.rejected, config_.length_normalized());
      for (size_t i = 0; i < some.size(); ++i) {
        Row& row = rows[begin + i];
        const double score = scores[i].item<double>();
        if (!std::isfinite(score)) return RowError(row, "the CHES score is not finite: is the model?");
        if (config_.has_score_column()) row.record[config_.score_column()] = score;
        PLUMB_RETURN_IF_ERROR(spool_.Append(row));
        scores_.push_back(score);
      }
    }
    return absl::OkStatus();
  }

  ChesFilter config_;
  std::string pairs_file_;
  TextModel model_;
  ExampleTokenizer tokenizer_;
  RowSpool spool_;
  std::vector<Row> waiting_;
  std::vector<double> scores_;  // of the rows in the spool
  int64_t too_long_ = 0;
  std::string figures_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeChesPass(const ChesFilter& config,
                                                            const PassContext& context) {
  const std::string field = context.field + ".ches";
  PLUMB_ASSIGN_OR_RETURN(TextModel model,
                         OpenSelectionModel(config.model(), config.max_length(), context, field));
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer, MakeChatRenderer(config.chat_template(), *model.tokenizer));
  DataConfig tokenization;
  tokenization.set_max_length(config.max_length());
  PLUMB_ASSIGN_OR_RETURN(RowSpool spool, RowSpool::Make(context.scratch_folder));
  return std::make_unique<ChesPass>(config, context, std::move(model), std::move(renderer), tokenization,
                                    std::move(spool));
}

}  // namespace plumb
