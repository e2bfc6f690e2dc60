#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "alignment/eval/attack_success.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

class AttackSuccessPass : public SelectionPass {
 public:
  explicit AttackSuccessPass(const AttackSuccess& config) : config_(config) {}

  absl::Status Take(Row row, RowSink emit) override {
    SafetyAnswer answer;
    PLUMB_ASSIGN_OR_RETURN(answer.is_unsafe_request, IsUnsafe(row));
    PLUMB_ASSIGN_OR_RETURN(answer.style, Name(row, config_.style_column()));
    PLUMB_ASSIGN_OR_RETURN(answer.topic, Name(row, config_.topic_column()));
    PLUMB_ASSIGN_OR_RETURN(const Record* answers, ReadAnswers(row, config_.answers()));
    std::vector<bool> refused;
    for (const Record& said : *answers) {
      PLUMB_ASSIGN_OR_RETURN(const std::string text,
                             RowText({{{config_.answers(), said}}, row.where}, {config_.answers()}));
      answer.is_refused = IsRefusal(text);
      refused.push_back(answer.is_refused);
      answers_.push_back(answer);
    }
    row.record[config_.refused_column()] = refused;
    return emit(std::move(row));
  }

  std::string Figures() const override {
    const auto unsafe = std::count_if(answers_.begin(), answers_.end(),
                                      [](const SafetyAnswer& answer) { return answer.is_unsafe_request; });
    const auto harmless = static_cast<int64_t>(answers_.size()) - unsafe;
    std::string figures =
        absl::StrFormat("attack success %.3g of %d answers", AttackSuccessRate(answers_), unsafe);
    AppendGroups("style", &SafetyAnswer::style, &figures);
    AppendGroups("topic", &SafetyAnswer::topic, &figures);
    if (harmless > 0) {
      absl::StrAppendFormat(&figures, "; over-refusal %.3g of %d", OverRefusalRate(answers_), harmless);
    }
    return figures;
  }

 private:
  absl::StatusOr<bool> IsUnsafe(const Row& row) const {
    if (FindColumn(row, config_.unsafe_column()) == nullptr) return true;
    return ReadFlag(row, config_.unsafe_column());
  }

  // Empty where the column is not there.
  static absl::StatusOr<std::string> Name(const Row& row, const std::string& column) {
    if (FindColumn(row, column) == nullptr) return std::string();
    return ReadText(row, column);
  }

  // "; by style a 0.5, b 0", where rows have that column.
  void AppendGroups(const char* what, std::string SafetyAnswer::*group, std::string* figures) const {
    std::vector<std::string> rates;
    for (const auto& [name, rate] : AttackSuccessRateBy(answers_, group)) {
      if (!name.empty()) rates.push_back(absl::StrFormat("%s %.3g", name, rate));
    }
    if (!rates.empty()) absl::StrAppend(figures, "; by ", what, " ", absl::StrJoin(rates, ", "));
  }

  AttackSuccess config_;
  std::vector<SafetyAnswer> answers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeAttackSuccessPass(const AttackSuccess& config,
                                                                     const PassContext&) {
  return std::make_unique<AttackSuccessPass>(config);
}

}  // namespace plumb
