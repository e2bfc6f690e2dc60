#ifndef PLUMB_COMMON_NN_REWARD_MODEL_H_
#define PLUMB_COMMON_NN_REWARD_MODEL_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/nn/causal_lm.h"

namespace plumb {

// Scores texts: transformers' ...ForSequenceClassification with one label. The reward of a text is `score`
// applied to its last token's hidden state. H is the hidden size. Folders: common/nn/pretrained.h.
struct RewardModel {
  std::shared_ptr<CausalLm> body;  // without a head over the vocabulary
  at::Tensor score;                // [1, H]

  // Every weight under transformers' name: the body's, and score.weight.
  void VisitParameters(ParameterVisitor visitor);

  // Rewards [N] of hidden states [N, H].
  at::Tensor Rewards(const at::Tensor& hidden) const;
};

// A language model's body, which is shared, under a new head: normal(0, initializer_range), as transformers
// starts it. An error where WithRewardHead refuses the configuration.
absl::StatusOr<RewardModel> NewRewardModel(CausalLm& model, const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_REWARD_MODEL_H_
