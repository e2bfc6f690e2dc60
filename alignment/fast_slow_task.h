#ifndef PLUMB_ALIGNMENT_FAST_SLOW_TASK_H_
#define PLUMB_ALIGNMENT_FAST_SLOW_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "alignment/preference_task.h"
#include "alignment/recipe.pb.h"
#include "common/nn/linear.h"
#include "common/train/optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {

// Log-probability of the chosen answer less that of the rejected one: [B].
at::Tensor AnswerMargins(const PreferenceLogps& logps);

// How far the fast module is ahead of the slow one on each pair, [B]:
//
//   -log sigmoid(beta (m_F - m_S)),   m = log pi(y_w|x) - log pi(y_l|x)
//
// DPO's loss with the slow module in the place of the reference. Its slope depends on the difference of the
// two alone, so that it does not vanish when both have long learnt a pair, as DPO's own does.
at::Tensor FastSlowGap(const at::Tensor& fast_margins, const at::Tensor& slow_margins, double beta);

// Online fast-slow chasing DPO, OFS-DPO (Qi et al. 2024, "Online DPO: Online Direct Preference Optimization
// with Fast-Slow Chasing", arXiv 2406.05534): two adapters of one shape on one model, which differ in their
// learning rates and chase each other,
//
//   loss_F = loss(F) + alpha gap(F, sg(S))        loss_S = loss(S) - alpha gap(sg(F), S)
//
// where loss is that of the stage's objectives and gap is FastSlowGap(): the fast module runs ahead, the slow
// one closes up. The slow one moves at slow_learning_rate_ratio of the fast one's rate. Every swap_steps
// steps the two change places if the slow one's mean loss over these steps was the lower one: the weights
// are exchanged, while the optimizer's moments stay with their places. The fast module is the model that is
// evaluated, saved and gone on with.
//
// The abstract says as much as "two identical modules with different optimization speeds" and "a new
// regularization term". The form of the term, its two signs and the exchange by the lower loss were read in
// another's program for diffusion models that cites the paper's equations 3 to 6 and Algorithm 1; there the
// modules keep their rates and change their parts in the loss. alpha, beta of the gap, the ratio of the rates
// and swap_steps are ours: the paper's could not be confirmed.
//
// Metrics beside the fast module's own: `fast_slow/loss_slow`, the slow module's loss; `fast_slow/gap`, the
// fast module's preference probability sigmoid(beta m_F) less the slow one's, of the policies without their
// reference; `fast_slow/swaps`, exchanges per micro-batch. `loss` has alpha times the gap's loss in it.
class FastSlowTask : public PreferenceTask {
 public:
  // As PreferenceTask. The policy has an adapter, from which the slow one starts as a copy.
  FastSlowTask(TextModel* policy, const PreferenceData* data, const WeightedObjectives* objectives,
               PreferenceReference reference, const FastSlow& config, bool gradient_checkpointing);

  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  // The adapter's, and the slow module's under "slow." and the same names.
  std::vector<NamedParameter> TrainableParameters() override;
  std::vector<NamedParameter> State() override { return {NamedParameter{"fast_slow.losses", losses_}}; }

 private:
  // The other module computes from now on.
  void ExchangeModules();
  // Begins a step; whether fast and slow changed places.
  bool StartStep(int64_t index);

  TextModel& policy_;
  FastSlow config_;
  std::vector<std::shared_ptr<LoraWeights>> other_;  // the module that does not compute, in the model's order
  at::Tensor losses_;                                // [2] f64: fast and slow, sums since they were compared
  int64_t step_ = -1;
};

// The optimizer that `config` names for the parameters of such a task, with one rate for the fast module and
// `slow_learning_rate_ratio` of it for the slow one. Its learning rate is the fast one's.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeFastSlowOptimizer(const OptimizerConfig& config,
                                                                 double slow_learning_rate_ratio,
                                                                 std::vector<NamedParameter> parameters);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_FAST_SLOW_TASK_H_
