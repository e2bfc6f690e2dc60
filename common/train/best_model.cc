#include "common/train/best_model.h"

#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/program/nearest_name.h"
#include "common/status/status_macros.h"
#include "common/train/train.pb.h"

namespace plumb {
namespace {

std::string MetricName(const EvalOptions& options) {
  const std::string& name = options.metric_for_best_model();
  return absl::StartsWith(name, "eval_") ? name : absl::StrCat("eval_", name);
}

bool GreaterIsBetter(const EvalOptions& options) {
  if (options.has_greater_is_better()) return options.greater_is_better();
  return !absl::EndsWith(options.metric_for_best_model(), "loss");
}

absl::StatusOr<double> FindMetric(const std::string& name, const std::map<std::string, double>& evaluation) {
  const auto found = evaluation.find(name);
  if (found != evaluation.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [other, value] : evaluation) names.push_back(other);
  return absl::InvalidArgumentError(
      absl::StrCat("eval.metric_for_best_model: no metric ", name,
                   names.empty() ? "; there is no held-out data" : SuggestName(name, names)));
}

}  // namespace

absl::Status CheckBestModelOptions(const EvalOptions& options) {
  if (!options.metric_for_best_model().empty()) return absl::OkStatus();
  const char* field = options.load_best_model_at_end()        ? "load_best_model_at_end"
                      : options.early_stopping_patience() > 0 ? "early_stopping_patience"
                                                              : nullptr;
  if (field == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "eval.", field, " needs eval.metric_for_best_model, for example \"eval_loss\": it says which is best"));
}

absl::StatusOr<bool> CompareWithBest(const EvalOptions& options,
                                     const std::map<std::string, double>& evaluation, TrainState* state) {
  if (options.metric_for_best_model().empty()) return false;
  PLUMB_ASSIGN_OR_RETURN(const double metric, FindMetric(MetricName(options), evaluation));
  const bool first = state->best_step == 0;
  const double gain = GreaterIsBetter(options) ? metric - state->best_metric : state->best_metric - metric;
  const bool better = first ? !std::isnan(metric) : gain > 0;
  if (first ? better : better && gain > options.early_stopping_threshold()) {
    state->evaluations_without_gain = 0;
  } else {
    ++state->evaluations_without_gain;
  }
  const int64_t patience = options.early_stopping_patience();
  if (patience > 0 && state->evaluations_without_gain >= patience) state->stopped_early = true;
  if (better) {
    state->best_step = state->step;
    state->best_metric = metric;
  }
  return better;
}

}  // namespace plumb
