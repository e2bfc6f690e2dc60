#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/selection/density_ratio.h"
#include "alignment/selection/row_spool.h"
#include "alignment/selection/selection_pass.h"
#include "alignment/selection/text_embedding.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::StatusOr<bool> ReadLabel(const Row& row) {
  const Record* label = FindColumn(row, "label");
  if (label == nullptr) label = FindColumn(row, "kto_tag");
  if (label != nullptr && label->is_boolean()) return label->get<bool>();
  if (label != nullptr && (*label == 0 || *label == 1)) return *label == 1;
  return RowError(row, "column 'label': expected true or false");
}

class DistributionMatchPass : public SelectionPass {
 public:
  DistributionMatchPass(const DistributionMatch& config, TextModel model, RowSpool spool)
      : config_(config),
        columns_(config.column().begin(), config.column().end()),
        model_(std::move(model)),
        spool_(std::move(spool)) {}

  absl::Status Take(Row row, RowSink) override {
    PLUMB_ASSIGN_OR_RETURN(const bool is_good, ReadLabel(row));
    PLUMB_ASSIGN_OR_RETURN(std::string text, RowText(row, columns_));
    is_good_.push_back(is_good ? 1 : 0);
    texts_.push_back(std::move(text));
    PLUMB_RETURN_IF_ERROR(spool_.Append(row));
    if (static_cast<int64_t>(texts_.size()) == config_.batch_size()) EmbedWaiting();
    return absl::OkStatus();
  }

  absl::Status Finish(RowSink emit) override {
    if (!texts_.empty()) EmbedWaiting();
    if (points_.empty()) return absl::OkStatus();
    const auto ratios = DensityRatios(at::cat(points_), at::tensor(is_good_, at::kDouble));
    if (!ratios.ok()) {
      return absl::Status(ratios.status().code(),
                          absl::StrCat("match_distribution: ", ratios.status().message()));
    }
    for (int64_t i = 0; i < spool_.size(); ++i) {
      PLUMB_ASSIGN_OR_RETURN(Row row, spool_.Read(i));
      double weight = 1;
      if (is_good_[i] == 0) {
        weight = std::clamp((*ratios)[i].item<double>(), config_.min_ratio(), config_.max_ratio());
        bad_weights_.push_back(weight);
      }
      row.record["weight"] = weight;
      PLUMB_RETURN_IF_ERROR(emit(std::move(row)));
    }
    return absl::OkStatus();
  }

  std::string Figures() const override {
    if (bad_weights_.empty()) return "";
    const auto [least, most] = std::minmax_element(bad_weights_.begin(), bad_weights_.end());
    return absl::StrFormat("weights of %d bad answers from %.3g to %.3g", bad_weights_.size(), *least, *most);
  }

 private:
  void EmbedWaiting() {
    points_.push_back(EmbedTexts(model_, texts_, config_.max_length()));
    texts_.clear();
  }

  DistributionMatch config_;
  std::vector<std::string> columns_;
  TextModel model_;
  RowSpool spool_;
  std::vector<std::string> texts_;  // not embedded yet
  std::vector<at::Tensor> points_;
  std::vector<double> is_good_, bad_weights_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDistributionMatchPass(const DistributionMatch& config,
                                                                         const PassContext& context) {
  const std::string field = context.field + ".match_distribution";
  if (config.min_ratio() > config.max_ratio()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ".min_ratio: is above max_ratio"));
  }
  PLUMB_ASSIGN_OR_RETURN(TextModel model,
                         OpenSelectionModel(config.model(), config.max_length(), context, field));
  PLUMB_ASSIGN_OR_RETURN(RowSpool spool, RowSpool::Make(context.scratch_folder));
  return std::make_unique<DistributionMatchPass>(config, std::move(model), std::move(spool));
}

}  // namespace plumb
