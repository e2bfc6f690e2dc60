#ifndef PLUMB_ALIGNMENT_TARGET_SURROGATE_TASK_H_
#define PLUMB_ALIGNMENT_TARGET_SURROGATE_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "alignment/preference_task.h"
#include "common/train/optimizer.h"

namespace plumb {

// Target-based surrogates (Lavington, Vaswani, Babanezhad, Schmidt and Le Roux 2023, "Target-based Surrogates
// for Stochastic Optimization", arXiv 2302.02607) of objectives on log-probabilities. Targets z are the
// log-probabilities of the answers' tokens, one gradient dl/dz is taken for a batch, and several steps lower
//
//   l(z_t) + <dl/dz, z(theta) - z_t> + |z(theta) - z_t|^2 / (2 eta n),   n the step's examples
//
// (optim/surrogate/target_surrogate.h; there with a line search of its own, here with the stage's optimizer).
// What made the batch dear is paid once: the reference's pass, and answers that were sampled for it. The
// first inner step is a step on the objective itself. The surrogate lies above the loss where eta is at most
// 1 / smoothness: of DPO 4 / (beta^2 times the tokens of both answers). A smaller eta holds the policy back.
class TargetSurrogateTask : public PreferenceTask {
 public:
  // As PreferenceTask.
  TargetSurrogateTask(TextModel* policy, const PreferenceData* data, const WeightedObjectives* objectives,
                      PreferenceReference reference, double eta, bool gradient_checkpointing)
      : PreferenceTask(policy, data, objectives, std::move(reference), gradient_checkpointing), eta_(eta) {}

  // Of the objectives; remembers the step's targets and the gradient in them.
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;

  // Adds the gradients of the last step's surrogate at the parameters as they are; the surrogate less l(z_t).
  double AccumulateSurrogateGradients();

 private:
  // One member of PreferenceLogps that the policy decides.
  struct Target {
    at::Tensor PreferenceLogps::*member;
    bool counts_as_distance;
    at::Tensor value, gradient;  // z_t and dl/dz
  };
  struct MicroBatch {
    std::vector<int64_t> examples;
    std::vector<Target> targets;
  };

  double eta_;
  int64_t step_ = -1;
  std::vector<int64_t> examples_;  // of the step
  RandomStream random_ = RandomStream(0, "");
  std::vector<MicroBatch> micro_batches_;
};

// `inner_steps` steps of another optimizer for each of its own: the first by the gradients that are there,
// the others by the surrogate's, clipped to max_grad_norm as the loop does (0: not).
class TargetSurrogateOptimizer : public Optimizer {
 public:
  // The task must outlive this.
  TargetSurrogateOptimizer(std::unique_ptr<Optimizer> inner, TargetSurrogateTask* task, int64_t inner_steps,
                           double max_grad_norm);

  double learning_rate() const override { return inner_->learning_rate(); }
  void Step(double learning_rate) override;
  std::map<std::string, at::Tensor> State() const override { return inner_->State(); }
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override {
    return inner_->LoadState(state);
  }

 private:
  std::unique_ptr<Optimizer> inner_;
  TargetSurrogateTask& task_;
  int64_t inner_steps_;
  double max_grad_norm_;
  std::vector<NamedParameter> parameters_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_TARGET_SURROGATE_TASK_H_
