#ifndef PLUMB_COMMON_KERNELS_LINEAR_LOGPROB_H_
#define PLUMB_COMMON_KERNELS_LINEAR_LOGPROB_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// What LinearLogProb computes beside the log-probabilities.
struct LinearLogProbOptions {
  bool statistics = false;  // entropy, mean_logit, top1, log_sum_squares
  int64_t top_k = 0;        // above 0: top_k_mass, top_k_entropy
  at::Tensor
      reference_hidden;  // [M, H'] with reference_weight [V, H']: token_kl; no gradient flows into them
  at::Tensor reference_weight;
  // Of speed and memory alone: the tile of logits that is held at once, and up to how many logits (M * V) the
  // backward pass finds kept rather than makes again.
  int64_t tile_rows = 512;
  int64_t tile_columns = 1024;
  int64_t max_kept_logits = int64_t{1} << 24;
  // Multiply bf16 inputs as such where the processor can (common/kernels/bf16_product.h). Logits are as
  // exact; the gradients of logits are rounded to bf16 before they are multiplied.
  bool bf16_products = true;
};

// Each [M]; f64 for f64 hidden states, else f32. What was not asked for is undefined.
struct LinearLogProbs {
  at::Tensor logps;            // log softmax(hidden weight^T)[target], with gradient
  at::Tensor entropy;          // of the distribution; no gradient
  at::Tensor mean_logit;       // over the vocabulary; no gradient
  at::Tensor top1;             // 1 where no token is likelier than the target; no gradient
  at::Tensor log_sum_squares;  // log of the sum of p^2 over the vocabulary; no gradient
  at::Tensor top_k_mass;       // probability of the top_k likeliest tokens together; no gradient
  at::Tensor top_k_entropy;    // of the distribution among these alone; no gradient
  at::Tensor token_kl;         // KL(reference || policy) over the whole vocabulary, with gradient
};

// Log-probabilities of targets [M] int64 under the head weight [V, H] applied to hidden [M, H], on the CPU,
// without anything of size [M, V] unless that is small: tiles of tokens and vocabulary with an online
// log-sum-exp. Logits and gradients are summed in f32 (f64 for f64 hidden states) whatever the inputs are,
// and gradients are rounded once, but for bf16_products. Throws c10::Error when shapes do not fit or a target
// is not in the vocabulary.
LinearLogProbs LinearLogProb(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                             const LinearLogProbOptions& options = {});

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_LINEAR_LOGPROB_H_
