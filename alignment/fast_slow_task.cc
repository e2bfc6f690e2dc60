#include "alignment/fast_slow_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/train/gradients.h"
#include "optim/make_optimizer.h"

namespace plumb {
namespace {

constexpr char kFast[] = "fast.", kSlow[] = "slow.";

class FastSlowOptimizer : public Optimizer {
 public:
  FastSlowOptimizer(std::unique_ptr<Optimizer> fast, std::unique_ptr<Optimizer> slow, double ratio)
      : fast_(std::move(fast)), slow_(std::move(slow)), ratio_(ratio) {}

  double learning_rate() const override { return fast_->learning_rate(); }

  void Step(double learning_rate) override {
    fast_->Step(learning_rate);
    slow_->Step(ratio_ * learning_rate);
  }

  std::map<std::string, at::Tensor> State() const override {
    std::map<std::string, at::Tensor> state;
    for (const auto& [name, tensor] : fast_->State()) state[kFast + name] = tensor;
    for (const auto& [name, tensor] : slow_->State()) state[kSlow + name] = tensor;
    return state;
  }

  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override {
    PLUMB_RETURN_IF_ERROR(fast_->LoadState(Part(state, kFast)));
    return slow_->LoadState(Part(state, kSlow));
  }

 private:
  static std::map<std::string, at::Tensor> Part(const std::map<std::string, at::Tensor>& state,
                                                const std::string& prefix) {
    std::map<std::string, at::Tensor> part;
    for (const auto& [name, tensor] : state) {
      if (absl::StartsWith(name, prefix)) part[name.substr(prefix.size())] = tensor;
    }
    return part;
  }

  std::unique_ptr<Optimizer> fast_, slow_;
  double ratio_;
};

}  // namespace

at::Tensor AnswerMargins(const PreferenceLogps& logps) {
  return logps.policy_chosen_logps - logps.policy_rejected_logps;
}

at::Tensor FastSlowGap(const at::Tensor& fast_margins, const at::Tensor& slow_margins, double beta) {
  return -at::log_sigmoid(beta * (fast_margins - slow_margins));
}

FastSlowTask::FastSlowTask(TextModel* policy, const PreferenceData* data,
                           const WeightedObjectives* objectives, PreferenceReference reference,
                           const FastSlow& config, bool gradient_checkpointing)
    : PreferenceTask(policy, data, objectives, std::move(reference), gradient_checkpointing),
      policy_(*policy),
      config_(config),
      losses_(at::zeros({2}, at::kDouble)) {
  policy_.model->VisitLinears([&](const std::string&, Linear& linear) {
    if (linear.adapter == nullptr) return;
    other_.push_back(std::make_shared<LoraWeights>(*linear.adapter));
    other_.back()->lora_a = linear.adapter->lora_a.detach().clone();
    other_.back()->lora_b = linear.adapter->lora_b.detach().clone();
  });
}

void FastSlowTask::ExchangeModules() {
  auto other = other_.begin();
  policy_.model->VisitLinears([&](const std::string&, Linear& linear) {
    if (linear.adapter != nullptr) std::swap(linear.adapter, *other++);
  });
}

std::vector<NamedParameter> FastSlowTask::TrainableParameters() {
  std::vector<NamedParameter> parameters = TrainedParameters(policy_);
  ExchangeModules();
  for (NamedParameter& slow : TrainedParameters(policy_)) {
    parameters.push_back({kSlow + slow.name, std::move(slow.tensor)});
  }
  ExchangeModules();
  return parameters;
}

bool FastSlowTask::StartStep(int64_t index) {
  step_ = index;
  if (index == 0 || index % config_.swap_steps() != 0) return false;
  const bool overtaken = losses_[1].item<double>() < losses_[0].item<double>();
  losses_.zero_();
  if (!overtaken) return false;
  const at::NoGradGuard no_grad;
  auto slow = other_.begin();
  policy_.model->VisitLinears([&](const std::string&, Linear& linear) {
    if (linear.adapter == nullptr) return;
    for (at::Tensor LoraWeights::*weights : {&LoraWeights::lora_a, &LoraWeights::lora_b}) {
      const at::Tensor fast = ((*linear.adapter).*weights).clone();
      ((*linear.adapter).*weights).copy_((**slow).*weights);
      ((**slow).*weights).copy_(fast);
    }
    ++slow;
  });
  return true;
}

absl::Status FastSlowTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                               MetricSums* metrics) {
  const bool swapped = step_ != step.index && StartStep(step.index);
  const auto examples = static_cast<double>(step.examples.size());
  const auto gap = [&](const at::Tensor& fast, const at::Tensor& slow) {
    return config_.alpha() / examples * FastSlowGap(fast, slow, config_.beta()).sum();
  };
  PreferenceLogps logps;
  const at::Tensor fast_loss = MicroBatchLoss(step, micro_batch, metrics, &logps);
  const at::Tensor fast = AnswerMargins(logps);

  // Each backward pass while its own module computes: checkpointed layers are computed again in it.
  ExchangeModules();
  MetricSums slow_metrics;
  const at::Tensor slow_loss = MicroBatchLoss(step, micro_batch, &slow_metrics, &logps);
  const at::Tensor slow = AnswerMargins(logps);
  Backward(slow_loss - gap(fast.detach(), slow));
  ExchangeModules();
  const at::Tensor ahead = gap(fast, slow.detach());
  Backward(fast_loss + ahead);

  losses_[0].add_(fast_loss.detach());
  losses_[1].add_(slow_loss.detach());
  const auto count = static_cast<double>(micro_batch.size());
  metrics->Add("loss", ahead.item<double>(), 0);  // its examples are counted
  metrics->Add("fast_slow/loss_slow", slow_loss.item<double>(), count / examples);
  AddMean("fast_slow/gap",
          at::sigmoid(config_.beta() * fast.detach()) - at::sigmoid(config_.beta() * slow.detach()), metrics);
  metrics->Add("fast_slow/swaps", swapped ? 1 : 0, 1);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Optimizer>> MakeFastSlowOptimizer(const OptimizerConfig& config,
                                                                 double slow_learning_rate_ratio,
                                                                 std::vector<NamedParameter> parameters) {
  std::vector<NamedParameter> fast, slow;
  for (NamedParameter& parameter : parameters) {
    (absl::StartsWith(parameter.name, kSlow) ? slow : fast).push_back(std::move(parameter));
  }
  PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> fast_optimizer, MakeOptimizer(config, std::move(fast)));
  PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> slow_optimizer, MakeOptimizer(config, std::move(slow)));
  return std::make_unique<FastSlowOptimizer>(std::move(fast_optimizer), std::move(slow_optimizer),
                                             slow_learning_rate_ratio);
}

}  // namespace plumb
