#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/selection/selection_pass.h"
#include "alignment/selection/situated_faithfulness.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::StatusOr<std::vector<ConfidenceReasoning>> ReadReasonings(const Row& row, size_t count) {
  const Record* trusted = FindColumn(row, "trusted");
  const auto error = [&] {
    return RowError(row, absl::StrCat("column 'trusted': expected for each of the ", count,
                                      " answers \"internal\" or \"context\""));
  };
  if (trusted == nullptr || !trusted->is_array() || trusted->size() != count) return error();
  std::vector<ConfidenceReasoning> reasonings;
  for (const Record& source : *trusted) {
    if (source != "internal" && source != "context") return error();
    reasonings.push_back({source == "context" ? TrustedSource::kContext : TrustedSource::kInternal});
  }
  return reasonings;
}

class SituatedFaithfulnessPass : public SelectionPass {
 public:
  explicit SituatedFaithfulnessPass(const ConfidenceReasoningPairs& config) : max_pairs_(config.max_pairs()) {
    columns_.set_answers(config.answers());
    columns_.set_scores("trusted");
  }

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const Record* answers, ReadAnswers(row, columns_.answers()));
    PLUMB_ASSIGN_OR_RETURN(const bool internal, ReadFlag(row, "internal_is_right"));
    PLUMB_ASSIGN_OR_RETURN(const bool context, ReadFlag(row, "context_is_right"));
    PLUMB_ASSIGN_OR_RETURN(const auto reasonings, ReadReasonings(row, answers->size()));
    for (const AnswerPair& pair : ConfidencePairs(reasonings, internal, context, max_pairs_)) {
      PLUMB_RETURN_IF_ERROR(emit(PairRow(row, columns_, pair)));
    }
    return absl::OkStatus();
  }

 private:
  AnswerColumns columns_;
  int64_t max_pairs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeSituatedFaithfulnessPass(
    const ConfidenceReasoningPairs& config, const PassContext&) {
  return std::make_unique<SituatedFaithfulnessPass>(config);
}

}  // namespace plumb
