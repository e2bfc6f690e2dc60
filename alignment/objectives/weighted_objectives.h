#ifndef PLUMB_ALIGNMENT_OBJECTIVES_WEIGHTED_OBJECTIVES_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_WEIGHTED_OBJECTIVES_H_

#include <ATen/core/Tensor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignment/objectives/objective.h"
#include "common/train/metrics.h"

namespace plumb {

// Adds to the mean `name` over all examples, or tokens, that come.
void AddMean(const std::string& name, const at::Tensor& values, MetricSums* metrics);

// Adds to the means NAME/chosen, of the values for which `is_good` is 1, and NAME/rejected, of those for
// which it is 0.
void AddMeansByLabel(const std::string& name, const at::Tensor& values, const at::Tensor& is_good,
                     MetricSums* metrics);

// What a batch's loss is divided by: sums over a whole optimizer step, of which a batch may be a part.
struct LossTotals {
  double examples = 0;
  double chosen_tokens = 0;
  double good_examples = 0;  // where answers come one by one
};

// The objectives of a stage, added up by their weights (TRL's loss_weights).
class WeightedObjectives {
 public:
  // Refuses an empty list, and what does not go together: objectives on rewards and on log-probabilities, on
  // pairs and on answers one by one, with different baselines.
  static absl::StatusOr<WeightedObjectives> Create(
      const google::protobuf::RepeatedPtrField<ObjectiveConfig>& configs);

  // What one or more of them need.
  const ObjectiveTraits& traits() const { return traits_; }

  // The batch's share of the step's loss, a scalar with gradients: every objective is the mean over the
  // step's examples, or over its chosen tokens. Adds to `metrics`: `loss`; `loss/NAME` of each objective when
  // there are more; rewards/chosen, rewards/rejected, rewards/margins and rewards/accuracies of the first
  // objective that has rewards; and what else objectives report. Where answers come one by one,
  // rewards/chosen is of the good ones, rewards/rejected of the bad ones, and rewards/margins what lies
  // between their means in a step.
  at::Tensor Compute(const PreferenceLogps& logps, const LossTotals& totals, MetricSums* metrics) const;

 private:
  std::vector<Objective> objectives_;
  ObjectiveTraits traits_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_WEIGHTED_OBJECTIVES_H_
