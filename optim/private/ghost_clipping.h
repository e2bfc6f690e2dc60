#ifndef PLUMB_OPTIM_PRIVATE_GHOST_CLIPPING_H_
#define PLUMB_OPTIM_PRIVATE_GHOST_CLIPPING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "optim/private/ghost_norm.h"

namespace plumb {

// The sum of clipped per-example gradients of a whole model from one backward pass, without per-example
// gradients of large layers: mixed ghost clipping (Bu, Mao and Xu 2022, arXiv 2205.10683) in its
// book-keeping form (Bu et al. 2023, arXiv 2210.00038). A step is
//   GhostClipping clipping(examples);
//   const at::Tensor hidden = at::relu(clipping.Linear(x, weight1, bias1));
//   const at::Tensor logits = clipping.Linear(hidden, weight2, bias2);
//   clipping.Backward(at::cross_entropy_loss(logits, labels, {}, at::Reduction::None), max_grad_norm);
// after which each parameter's grad() has grown by the sum over examples b of
//   min(1, max_grad_norm / |g_b|) g_b,   |g_b| over all parameters together,
// which DpSgd (dp_sgd.h) makes private. Between the layers stands whatever LibTorch differentiates and that
// keeps examples apart; batch normalisation does not.
//
// The backward pass asks for gradients of activations alone. From a layer's output gradient its squared
// norms are added, and of what is then kept the smaller: the layer's input and output gradient, whose
// product weighted by the clipping factors ends the step, or the per-example gradients themselves, whose
// weighted sum does. So there is neither a second backward pass nor a gradient that is made and thrown away.
//
// A parameter may serve several layers (a tied embedding). A parameter without requires_grad is left alone;
// one that is read outside these layers would not be clipped, and Backward() throws rather than let it be.
class GhostClipping {
 public:
  // Inputs are [examples, ...]; those of linear layers [examples, ..., in].
  explicit GhostClipping(int64_t examples);
  // Packed: inputs are rows [N, ...], of which example b owns offsets[b] .. offsets[b + 1].
  explicit GhostClipping(std::vector<int64_t> offsets);
  GhostClipping(const GhostClipping&) = delete;
  GhostClipping& operator=(const GhostClipping&) = delete;

  // Layers: what LibTorch's operator of the name gives, remembered. Without gradients asked for they are just
  // that operator. Biases, and weights of normalisations, may be undefined.
  at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});
  at::Tensor Convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const ConvolutionShape& shape);  // shape.kernel is the weight's
  at::Tensor Embedding(const at::Tensor& ids, const at::Tensor& weight, int64_t padding_id = -1);
  at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       double epsilon = 1e-5);
  at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon = 1e-6);
  at::Tensor GroupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                       double epsilon = 1e-5);

  // Self-attention of [examples, T, size] with projections [size, size]; `causal`: each token sees itself and
  // those before it. Attention over packed rows is Linear() around a kernel of its own.
  struct AttentionParameters {
    at::Tensor query, key, value, output;                      // weights
    at::Tensor query_bias, key_bias, value_bias, output_bias;  // or undefined
  };
  at::Tensor SelfAttention(const at::Tensor& x, const AttentionParameters& parameters, int64_t heads,
                           bool causal);

  // `losses` [examples], one each. Returns |g_b| before clipping, f64 [examples]. Once an object.
  at::Tensor Backward(const at::Tensor& losses, double max_grad_norm);

 private:
  // What one use of a parameter adds. Either `gradients` are per-example gradients [examples, ...], or they
  // are output gradients [N, out] of `activations` [N, in] (of an embedding: ids [N]).
  struct Use {
    at::Tensor activations;
    at::Tensor gradients;
    std::vector<int64_t> offsets;
    // The parameter's gradient, weighted by factors [examples].
    std::function<at::Tensor(const at::Tensor& factors)> weighted;
  };
  struct Parameter {
    at::Tensor tensor;
    int64_t layers = 0;  // that read it
    std::vector<Use> uses;
  };

  // From what was saved and the gradient of a layer's output to that of its input, which may be left
  // undefined where it is not needed.
  using Saved = std::vector<at::Tensor>;
  using LayerBackward =
      std::function<at::Tensor(const Saved& saved, const at::Tensor& gradient, bool input_needed)>;
  // Makes `output` that of a layer, where one of the gradients is asked for. `saved` is freed as soon as the
  // backward pass has used it.
  at::Tensor Recorded(const char* name, const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                      const Saved& saved, const at::Tensor& output, LayerBackward backward);

  // Of `count` rows.
  std::vector<int64_t> Offsets(int64_t count) const;
  // The entry of a parameter whose gradient is asked for, or null.
  Parameter* Find(const at::Tensor& tensor);

  // The uses that the backward pass finds.
  void UseLinear(const at::Tensor& weight, const at::Tensor& activations, const at::Tensor& gradients);
  void UseConvolution(const at::Tensor& weight, const at::Tensor& x, const at::Tensor& gradients,
                      const ConvolutionShape& shape);
  void UseEmbedding(const at::Tensor& weight, const at::Tensor& ids, const at::Tensor& gradients,
                    int64_t padding_id);
  void UseGradients(const at::Tensor& parameter, const at::Tensor& gradients);  // [examples, ...]
  void AddUse(Parameter* parameter, Use use, const at::Tensor& squared_norms);

  int64_t examples_;
  std::vector<int64_t> offsets_;  // empty: equal parts
  at::Tensor anchor_;             // a leaf that gives every layer a place in the graph
  at::Tensor squared_norms_;      // [examples]
  std::vector<Parameter> parameters_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_GHOST_CLIPPING_H_
