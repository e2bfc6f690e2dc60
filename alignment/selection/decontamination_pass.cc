#include <utility>
#include <vector>

#include "alignment/selection/decontamination.h"
#include "alignment/selection/found_test_rows.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

class DecontaminationPass : public SelectionPass {
 public:
  DecontaminationPass(const Decontamination& config, ContaminationIndex index)
      : index_(std::move(index)),
        columns_(config.column().begin(), config.column().end()),
        max_overlap_(config.max_overlap()),
        found_(index_.size()) {}

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const std::string text, RowText(row, columns_));
    const ContaminationIndex::Overlap overlap = index_.LargestOverlap(text);
    if (overlap.share <= max_overlap_) return emit(std::move(row));
    found_.Add(overlap.test);
    return absl::OkStatus();
  }

  std::string Figures() const override { return found_.Figures(); }

 private:
  ContaminationIndex index_;
  std::vector<std::string> columns_;
  double max_overlap_;
  FoundTestRows found_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDecontaminationPass(const Decontamination& config,
                                                                       const PassContext&) {
  using Match = ContaminationIndex::Match;
  ContaminationIndex index(config.match() == Decontamination::EXACT ? Match::kExact : Match::kNgram,
                           config.ngram_size());
  const std::vector<std::string> columns(config.test_column().begin(), config.test_column().end());
  PLUMB_RETURN_IF_ERROR(ForEachRow(config.test(), [&](Row row) -> absl::Status {
    PLUMB_ASSIGN_OR_RETURN(const std::string text, RowText(row, columns));
    index.Add(text);
    return absl::OkStatus();
  }));
  return std::make_unique<DecontaminationPass>(config, std::move(index));
}

}  // namespace plumb
