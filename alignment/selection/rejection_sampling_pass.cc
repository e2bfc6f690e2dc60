#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/selection/rejection_sampling.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

class RejectionSamplingPass : public SelectionPass {
 public:
  RejectionSamplingPass(const RejectionSampling& config, const PassContext& context)
      : config_(config), random_(RandomStream(context.seed, "rejection_sampling").Child(context.field)) {}

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<double> all_scores, ReadScores(row, config_.columns()));
    const std::vector<int64_t> distinct = DistinctAnswers(row);
    std::vector<double> scores;
    for (const int64_t answer : distinct) scores.push_back(all_scores[answer]);
    const RandomStream random = random_.Child(static_cast<uint64_t>(rows_++));
    const auto taken =
        RejectionSample(scores, config_.num_samples(), config_.beta(), random.Child("samples"));
    if (!taken.ok()) return RowError(row, taken.status().message());
    for (const AnswerPair& pair : FirstRoundPairs(*taken, scores, random.Child("pairs"))) {
      const AnswerPair answers = {distinct[pair.chosen], distinct[pair.rejected]};
      PLUMB_RETURN_IF_ERROR(emit(PairRow(row, config_.columns(), answers)));
    }
    return absl::OkStatus();
  }

 private:
  // The first one of those that are equal.
  std::vector<int64_t> DistinctAnswers(const Row& row) const {
    const Record& answers = *FindColumn(row, config_.columns().answers());
    std::vector<int64_t> distinct;
    for (size_t i = 0; i < answers.size(); ++i) {
      bool is_new = true;
      for (const int64_t earlier : distinct) is_new &= answers[earlier] != answers[i];
      if (is_new) distinct.push_back(i);
    }
    return distinct;
  }

  RejectionSampling config_;
  RandomStream random_;
  int64_t rows_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeRejectionSamplingPass(const RejectionSampling& config,
                                                                         const PassContext& context) {
  return std::make_unique<RejectionSamplingPass>(config, context);
}

}  // namespace plumb
