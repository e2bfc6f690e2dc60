#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/selection/curriculum.h"
#include "alignment/selection/row_spool.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

class CurriculumPass : public SelectionPass {
 public:
  CurriculumPass(const Curriculum& config, RowSpool spool)
      : config_(config), spool_(std::move(spool)), pairs_of_stage_(config.stages()) {
    options_.all_pairs = config.all_pairs();
    options_.stages = config.stages();
    options_.min_gap = config.min_gap();
  }

  // Pairs of the first stage go on at once; the others, known by their places in the spool, wait for their
  // turn.
  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<double> scores, ReadScores(row, config_.columns()));
    for (const CurriculumPair& pair : CurriculumPairs(scores, options_)) {
      Row pair_row = PairRow(row, config_.columns(), pair.answers);
      pair_row.record["score_gap"] = pair.gap;
      pair_row.record["stage"] = pair.stage + 1;
      pairs_of_stage_[pair.stage].push_back(spool_.size());
      if (pair.stage == 0) {
        PLUMB_RETURN_IF_ERROR(emit(std::move(pair_row)));
      } else {
        PLUMB_RETURN_IF_ERROR(spool_.Append(pair_row));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Finish(RowSink emit) override {
    for (size_t stage = 1; stage < pairs_of_stage_.size(); ++stage) {
      for (const int64_t index : pairs_of_stage_[stage]) {
        PLUMB_ASSIGN_OR_RETURN(Row row, spool_.Read(index));
        PLUMB_RETURN_IF_ERROR(emit(std::move(row)));
      }
    }
    return absl::OkStatus();
  }

  std::string Figures() const override {
    std::string figures = "pairs by stage:";
    for (const auto& pairs : pairs_of_stage_) absl::StrAppend(&figures, " ", pairs.size());
    return figures;
  }

 private:
  Curriculum config_;
  CurriculumOptions options_;
  RowSpool spool_;
  std::vector<std::vector<int64_t>> pairs_of_stage_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeCurriculumPass(const Curriculum& config,
                                                                  const PassContext& context) {
  PLUMB_ASSIGN_OR_RETURN(RowSpool spool, RowSpool::Make(context.scratch_folder));
  return std::make_unique<CurriculumPass>(config, std::move(spool));
}

}  // namespace plumb
