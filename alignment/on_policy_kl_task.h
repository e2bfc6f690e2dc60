#ifndef PLUMB_ALIGNMENT_ON_POLICY_KL_TASK_H_
#define PLUMB_ALIGNMENT_ON_POLICY_KL_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alignment/preference_data.h"
#include "alignment/recipe.pb.h"
#include "alignment/text_model.h"
#include "common/train/delegating_task.h"

namespace plumb {

// What stands for KL(policy || reference) in a loss, from answers that the policy itself gave: a surrogate
// whose gradient has the divergence's as its mean (REINFORCE),
//
//   mean over k of  log pi(y_k|x) sg(log pi(y_k|x) - log pi_ref(y_k|x) - b_k)
//
// for each prompt, added up over prompts. `logps` and `reference_logps` [N] are sums over whole answers,
// those of a prompt (`num_generations` of them) one after the other. b_k is 0 for one answer a prompt, else
// the mean log-ratio of the prompt's other answers, which lowers the variance and leaves the mean as it is
// (Ahmadian et al. 2024, arXiv 2402.14740). Per-token terms, each with its own log-ratio alone, would be
// another gradient.
at::Tensor OnPolicyKlSurrogate(const at::Tensor& logps, const at::Tensor& reference_logps,
                               int64_t num_generations);

// Hybrid preference optimisation, HyPO (Song et al. 2024, "The Importance of Online Data: Understanding
// Preference Fine-tuning via Coverage", arXiv 2406.01462, Algorithm 1): a contrastive loss on offline
// preferences and, on the same prompts, the KL divergence to the reference on answers sampled by the policy
// as it is at each step,
//
//   loss = loss_offline + weight E_{x ~ D, y ~ pi(.|x)} log(pi(y|x) / pi_ref(y|x))
//
// The paper's offline loss is DPO's; here it is whatever task it is put on. Form and order of magnitude of
// the weight were read in summaries of the paper; the authors' program could not be looked at. No relation to
// the "HyPO" of reference_clipped_dpo.
//
// Answers are drawn at temperature 1 from the whole vocabulary, without dropout; an answer that
// max_new_tokens cuts counts as far as it goes. Metrics: `kl`, the mean log-ratio of the sampled answers, in
// nats; `completions/mean_length`, in tokens; `loss` has weight times `kl` in it. Evaluation is the offline
// task's.
class OnPolicyKlTask : public DelegatingTask {
 public:
  // `policy` and `data` are those of `offline`; they must outlive this. Every example has a prompt.
  OnPolicyKlTask(std::unique_ptr<TrainTask> offline, TextModel* policy, std::shared_ptr<CausalLm> reference,
                 const PreferenceData* data, const OnPolicyKl& config, bool gradient_checkpointing)
      : DelegatingTask(std::move(offline)),
        policy_(*policy),
        reference_(std::move(reference)),
        data_(*data),
        config_(config),
        gradient_checkpointing_(gradient_checkpointing) {}

  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;

 private:
  // Answers to the prompts of a whole step, by the policy as the step begins.
  absl::Status Sample(const TrainStep& step);

  TextModel& policy_;
  std::shared_ptr<CausalLm> reference_;
  const PreferenceData& data_;
  OnPolicyKl config_;
  bool gradient_checkpointing_;
  int64_t sampled_step_ = -1;
  std::map<int64_t, std::vector<std::vector<int64_t>>> answers_;  // of that step, by example
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_ON_POLICY_KL_TASK_H_
