#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/selection/selection_pass.h"
#include "alignment/selection/situated_faithfulness.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::StatusOr<double> ReadConfidence(const Row& row, const char* name) {
  const Record* column = FindColumn(row, name);
  if (column != nullptr && column->is_number()) {
    const double confidence = column->get<double>();
    if (confidence >= 0 && confidence <= 1) return confidence;
  }
  return RowError(row, absl::StrCat("column '", name, "': expected a number from 0 to 1"));
}

class ConfidencePromptPass : public SelectionPass {
 public:
  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const std::string question, ReadText(row, "question"));
    PLUMB_ASSIGN_OR_RETURN(const std::string context, ReadText(row, "context"));
    std::string internal_answer;
    if (FindColumn(row, "internal_answer") != nullptr) {
      PLUMB_ASSIGN_OR_RETURN(internal_answer, ReadText(row, "internal_answer"));
    }
    row.record["prompt"] = SelfGuidedPrompt(question, context, internal_answer);
    return emit(std::move(row));
  }
};

class ConfidenceRulePass : public SelectionPass {
 public:
  explicit ConfidenceRulePass(const ConfidenceRule& config) : config_(config) {}

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const TrustedSource trusted, Trusted(row));
    const bool is_context = trusted == TrustedSource::kContext;
    PLUMB_ASSIGN_OR_RETURN(std::string answer,
                           ReadText(row, is_context ? "context_answer" : "internal_answer"));
    ++rows_;
    context_trusted_ += is_context;
    if (FindColumn(row, "internal_is_right") != nullptr && FindColumn(row, "context_is_right") != nullptr) {
      PLUMB_ASSIGN_OR_RETURN(const bool internal_is_right, ReadFlag(row, "internal_is_right"));
      PLUMB_ASSIGN_OR_RETURN(const bool context_is_right, ReadFlag(row, "context_is_right"));
      judged_.push_back({context_is_right, is_context ? context_is_right : internal_is_right});
    }
    row.record["trusted"] = is_context ? "context" : "internal";
    row.record["answer"] = std::move(answer);
    return emit(std::move(row));
  }

  std::string Figures() const override {
    std::string figures = absl::StrFormat("the context is trusted in %d of %d rows", context_trusted_, rows_);
    if (const auto faithfulness = SituatedFaithfulness(judged_); faithfulness.has_value()) {
      absl::StrAppendFormat(&figures, "; situated faithfulness %.3g of %d answers", *faithfulness,
                            judged_.size());
    }
    return figures;
  }

 private:
  absl::StatusOr<TrustedSource> Trusted(const Row& row) const {
    PLUMB_ASSIGN_OR_RETURN(const double internal, ReadConfidence(row, "internal_confidence"));
    if (config_.has_threshold()) return TrustByThreshold(internal, config_.threshold());
    PLUMB_ASSIGN_OR_RETURN(const double context, ReadConfidence(row, "context_confidence"));
    return TrustByComparison(internal, context);
  }

  ConfidenceRule config_;
  int64_t rows_ = 0, context_trusted_ = 0;
  std::vector<SituatedAnswer> judged_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeConfidencePromptPass(const ConfidencePrompts&,
                                                                        const PassContext&) {
  return std::make_unique<ConfidencePromptPass>();
}

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeConfidenceRulePass(const ConfidenceRule& config,
                                                                      const PassContext&) {
  return std::make_unique<ConfidenceRulePass>(config);
}

}  // namespace plumb
