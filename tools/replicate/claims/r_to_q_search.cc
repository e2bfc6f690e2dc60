// Rafailov et al. 2024: a DPO policy's likelihood is a value to search by.

#include <ATen/TensorOperators.h>
#include <ATen/ops/one_hot.h>

#include <vector>

#include "common/nn/beam_search.h"
#include "common/nn/key_value_cache.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

// A bigram policy under one prompt, [V, V] logits, as a language model whose hidden states are one-hot.
class BigramLm : public CausalLm {
 public:
  explicit BigramLm(const at::Tensor& table) : head_(table.t().contiguous()) {
    config_.vocab_size = config_.hidden_size = table.size(0);
    config_.num_hidden_layers = config_.num_key_value_heads = config_.head_dim = 1;
  }
  const ModelConfig& config() const override { return config_; }
  at::Tensor Hidden(const PackedTokens& tokens, const ForwardOptions& options) override {
    return at::one_hot(tokens.token_ids, config_.vocab_size).to(at::kDouble);
  }
  at::Tensor HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) override {
    for (size_t i = 0; i < tokens.segments.size(); ++i) {
      cache->Reserve(static_cast<int64_t>(i), tokens.segments[i].length());
      cache->Grow(static_cast<int64_t>(i), tokens.segments[i].length());
    }
    return Hidden(tokens, {});
  }
  const at::Tensor& HeadWeight() const override { return head_; }
  void VisitParameters(ParameterVisitor visitor) override { visitor("lm_head.weight", head_); }
  void VisitLinears(LinearVisitor visitor) override {}

 private:
  ModelConfig config_;
  at::Tensor head_;
};

// Gold reward of the best answer that a search finds, mean over the prompts.
absl::StatusOr<double> Reward(const PreferenceWorld& world, const at::Tensor& policy, int64_t num_beams) {
  BeamSearchOptions options;
  options.num_beams = num_beams;
  options.max_new_tokens = PreferenceWorldOptions().max_length;
  options.length_penalty = 0;
  options.eos_token_ids = {0};
  double sum = 0;
  const int64_t prompts = policy.size(0);
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    BigramLm model(policy.select(0, prompt));
    PLUMB_ASSIGN_OR_RETURN(const auto found,
                           BeamSearch(model, /*reference=*/nullptr, /*prompt_ids=*/{0}, options));
    for (const int64_t token : found[0].sequence.token_ids) {
      sum += world.token_rewards()[prompt][token].item<double>();
    }
  }
  return sum / static_cast<double>(prompts);
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }"));
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Reward(world, policies.back(), 5));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Reward(world, policies.back(), 1));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"r_to_q_search",
     "Rafailov et al. 2024, From r to Q*: Your Language Model is Secretly a Q-Function (arXiv 2404.12358)",
     "Beam search by the likelihood of a DPO policy finds answers of more reward than its greedy ones.",
     "5 beams", "1 beam", "gold reward of the answer found, mean over 6 prompts (DPO, beta 0.1)",
     /*lower_is_better=*/false, /*seeds=*/10,
     "terms are summed, as the theory has it, not divided by length as transformers does by default: the "
     "likeliest whole answer is then often a short one, while the gold reward adds up over tokens, and after "
     "200 steps on 512 pairs the policy is far from the optimum whose likelihood is a value. Bigram "
     "policies, at most 8 tokens.",
     Run});

}  // namespace
}  // namespace plumb
