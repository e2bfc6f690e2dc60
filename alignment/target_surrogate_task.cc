#include "alignment/target_surrogate_task.h"

#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/train/gradients.h"

namespace plumb {
namespace {

// What of PreferenceLogps the policy decides. Sums and tokens come from the same numbers side by side, so
// that a loss' gradient in these is the sum of both; the distance between policies is that of the tokens
// alone.
struct PolicyMember {
  at::Tensor PreferenceLogps::*member;
  bool counts_as_distance;
};
constexpr PolicyMember kMembers[] = {
    {&PreferenceLogps::policy_chosen_logps, false},   {&PreferenceLogps::policy_chosen_token_logps, true},
    {&PreferenceLogps::policy_rejected_logps, false}, {&PreferenceLogps::policy_rejected_token_logps, true},
    {&PreferenceLogps::policy_gold_logps, true},
};

}  // namespace

absl::Status TargetSurrogateTask::AccumulateGradients(const TrainStep& step,
                                                      absl::Span<const int64_t> micro_batch,
                                                      MetricSums* metrics) {
  if (step.index != step_) {
    step_ = step.index;
    examples_.assign(step.examples.begin(), step.examples.end());
    random_ = step.random;
    micro_batches_.clear();
  }
  PreferenceLogps logps;
  const at::Tensor loss = MicroBatchLoss(step, micro_batch, metrics, &logps);
  MicroBatch remembered;
  remembered.examples.assign(micro_batch.begin(), micro_batch.end());
  std::vector<at::Tensor> targets;
  for (const PolicyMember& known : kMembers) {
    const at::Tensor& target = logps.*known.member;
    if (!target.defined() || !target.requires_grad()) continue;
    targets.push_back(target);
    remembered.targets.push_back({known.member, known.counts_as_distance, target.detach(), {}});
  }
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({loss}, targets, {}, /*retain_graph=*/true, /*create_graph=*/false,
                            /*allow_unused=*/true);
  for (size_t i = 0; i < targets.size(); ++i) remembered.targets[i].gradient = gradients[i];
  micro_batches_.push_back(std::move(remembered));
  loss.backward();
  return absl::OkStatus();
}

double TargetSurrogateTask::AccumulateSurrogateGradients() {
  const TrainStep step = {step_, examples_, random_};
  const double scale = 1 / (2 * eta_ * static_cast<double>(examples_.size()));
  double value = 0;
  for (const MicroBatch& micro_batch : micro_batches_) {
    const PreferenceLogps logps = MicroBatchPolicyLogps(step, micro_batch.examples);
    at::Tensor surrogate;
    const auto add = [&](const at::Tensor& term) {
      surrogate = surrogate.defined() ? surrogate + term : term;
    };
    for (const Target& target : micro_batch.targets) {
      const at::Tensor difference = logps.*target.member - target.value;
      if (target.gradient.defined()) add((target.gradient * difference).sum());
      if (target.counts_as_distance) add(scale * difference.square().sum());
    }
    if (!surrogate.defined()) continue;
    value += surrogate.item<double>();
    surrogate.backward();
  }
  return value;
}

TargetSurrogateOptimizer::TargetSurrogateOptimizer(std::unique_ptr<Optimizer> inner,
                                                   TargetSurrogateTask* task, int64_t inner_steps,
                                                   double max_grad_norm)
    : inner_(std::move(inner)),
      task_(*task),
      inner_steps_(inner_steps),
      max_grad_norm_(max_grad_norm),
      parameters_(task->TrainableParameters()) {}

void TargetSurrogateOptimizer::Step(double learning_rate) {
  inner_->Step(learning_rate);
  for (int64_t inner = 1; inner < inner_steps_; ++inner) {
    ClearGradients(parameters_);
    WidenGradients(parameters_);
    task_.AccumulateSurrogateGradients();
    if (max_grad_norm_ > 0) ClipGradients(parameters_, GlobalGradientNorm(parameters_), max_grad_norm_);
    inner_->Step(learning_rate);
  }
}

}  // namespace plumb
