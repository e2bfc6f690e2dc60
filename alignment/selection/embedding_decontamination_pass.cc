#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/selection/found_test_rows.h"
#include "alignment/selection/selection_pass.h"
#include "alignment/selection/text_embedding.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

class EmbeddingDecontaminationPass : public SelectionPass {
 public:
  EmbeddingDecontaminationPass(const EmbeddingDecontamination& config, TextModel model)
      : config_(config), columns_(config.column().begin(), config.column().end()), model_(std::move(model)) {}

  absl::Status ReadTests() {
    const std::vector<std::string> columns(config_.test_column().begin(), config_.test_column().end());
    std::vector<std::string> texts;
    std::vector<at::Tensor> points;
    const auto embed = [&] {
      points.push_back(EmbedTexts(model_, texts, config_.max_length()));
      texts.clear();
    };
    PLUMB_RETURN_IF_ERROR(ForEachRow(config_.test(), [&](Row row) -> absl::Status {
      if (InterruptRequested()) return absl::CancelledError("stopped; nothing is written");
      PLUMB_ASSIGN_OR_RETURN(std::string text, RowText(row, columns));
      texts.push_back(std::move(text));
      if (static_cast<int64_t>(texts.size()) == config_.batch_size()) embed();
      return absl::OkStatus();
    }));
    if (!texts.empty()) embed();
    tests_ = at::cat(points).t().contiguous();
    found_.emplace(tests_.size(1));
    return absl::OkStatus();
  }

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(std::string text, RowText(row, columns_));
    texts_.push_back(std::move(text));
    waiting_.push_back(std::move(row));
    return static_cast<int64_t>(waiting_.size()) < config_.batch_size() ? absl::OkStatus() : Compare(emit);
  }

  absl::Status Finish(RowSink emit) override { return waiting_.empty() ? absl::OkStatus() : Compare(emit); }

  std::string Figures() const override {
    return absl::StrFormat("%s; the largest similarity of a row that stays is %.3f", found_->Figures(),
                           largest_kept_);
  }

 private:
  absl::Status Compare(RowSink emit) {
    const at::Tensor similarities = at::mm(EmbedTexts(model_, texts_, config_.max_length()), tests_);
    const auto [largest, nearest] = similarities.max(1);
    for (size_t i = 0; i < waiting_.size(); ++i) {
      const auto similarity = largest[i].item<float>();
      if (similarity <= config_.max_similarity()) {
        largest_kept_ = std::max(largest_kept_, similarity);
        PLUMB_RETURN_IF_ERROR(emit(std::move(waiting_[i])));
        continue;
      }
      found_->Add(nearest[i].item<int64_t>());
    }
    waiting_.clear();
    texts_.clear();
    return absl::OkStatus();
  }

  EmbeddingDecontamination config_;
  std::vector<std::string> columns_;
  TextModel model_;
  at::Tensor tests_;  // [H, N]
  std::vector<Row> waiting_;
  std::vector<std::string> texts_;  // of the rows that wait
  std::optional<FoundTestRows> found_;
  float largest_kept_ = -1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeEmbeddingDecontaminationPass(
    const EmbeddingDecontamination& config, const PassContext& context) {
  const std::string field = context.field + ".decontaminate_by_embedding";
  PLUMB_ASSIGN_OR_RETURN(TextModel model,
                         OpenSelectionModel(config.model(), config.max_length(), context, field));
  auto pass = std::make_unique<EmbeddingDecontaminationPass>(config, std::move(model));
  PLUMB_RETURN_IF_ERROR(pass->ReadTests());
  return pass;
}

}  // namespace plumb
