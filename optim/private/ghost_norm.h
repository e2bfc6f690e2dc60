#ifndef PLUMB_OPTIM_PRIVATE_GHOST_NORM_H_
#define PLUMB_OPTIM_PRIVATE_GHOST_NORM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

// Squared norms of per-example gradients without the gradients ("ghost norms"): from what a layer read and
// the gradients of its outputs. Goodfellow 2015 (arXiv 1510.01799) for one row an example; Li et al. 2022,
// "Large Language Models Can Be Strong Differentially Private Learners" (arXiv 2110.05679), for
// sequences; Bu, Mao and Xu 2022 (arXiv 2205.10683) for convolutions and for choosing, layer by layer,
// between
//   the Gram form    sum over rows s, t of (a_s . a_t) (d_s . d_t)      rows^2 (in + out) multiplications
//   the direct form  |A^T D|^2, one example's gradient at a time        rows * in * out.
// Theirs chooses by memory, of which theirs needs rows^2 or in * out for each example of a batch; here few
// examples are multiplied at a time and neither form is large, so by multiplications. (For linear layers
// both choices are nearly one: the direct form is the cheaper exactly where an example's gradient is smaller
// than the activations and output gradients that it is made of.)
//
// Rows of all examples stand end to end: `activations` [N, in], `output_gradients` [N, out], example b owns
// rows offsets[b] .. offsets[b + 1] (offsets[0] = 0, the last is N; RowOffsets() for a padded batch). The
// output gradients are those of the sum of the examples' losses, not of their mean. Every function returns
// [examples] f64; parameters add up: a model's squared norm is the sum over its layers.
// Numbers of 16 bits are multiplied in f32, in which the Gram form is right to about 1e-7 of the sum of its
// terms' sizes. Results do not depend on the number of threads.

// 0, rows, 2 * rows ...
std::vector<int64_t> RowOffsets(int64_t examples, int64_t rows);

enum class GhostForm { kCheaper, kGram, kDirect };

// kGram or kDirect, whichever takes fewer multiplications for examples of so many rows.
GhostForm CheaperForm(int64_t rows, int64_t in, int64_t out);

// |x[n]|^2 of rows [N, ...] of f32 or f64; f64 [N].
at::Tensor RowSquaredNorms(const at::Tensor& x);

// How many rows each example has; -1 where they differ or there is no example.
int64_t EqualRows(absl::Span<const int64_t> offsets);

// The sum of each example's rows [N, size]: [examples, size]. For one row an example: the rows themselves.
at::Tensor ExampleSums(const at::Tensor& rows, absl::Span<const int64_t> offsets);

// Weights [out, in] of linear layers. Several output gradients are those of several layers with one input
// (query, key and value projections), whose squared norms are summed; their common Gram matrix is made once.
at::Tensor LinearSquaredNorms(const at::Tensor& activations, absl::Span<const at::Tensor> output_gradients,
                              absl::Span<const int64_t> offsets, GhostForm form = GhostForm::kCheaper);

// The gradients themselves, [examples, out, in], for where they take less memory than what they are made of.
at::Tensor LinearExampleGradients(const at::Tensor& activations, const at::Tensor& output_gradients,
                                  absl::Span<const int64_t> offsets);

// What is added to each row: biases of linear layers and of normalisations.
at::Tensor BiasSquaredNorms(const at::Tensor& output_gradients, absl::Span<const int64_t> offsets);

// The four projections of attention: `hidden` [N, in] goes into query, key and value, `context` [N, heads *
// head size] into the output projection.
struct AttentionGradients {
  at::Tensor query, key, value, output;  // of the projections' outputs, [N, size]
};
at::Tensor AttentionSquaredNorms(const at::Tensor& hidden, const at::Tensor& context,
                                 const AttentionGradients& output_gradients,
                                 absl::Span<const int64_t> offsets, GhostForm form = GhostForm::kCheaper);

// Weights [out, in / groups, kernel height, kernel width]; input [B, in, H, W], output_gradients [B, out, H',
// W']. A convolution of one dimension has a height of 1.
struct ConvolutionShape {
  std::vector<int64_t> kernel = {1, 1};
  std::vector<int64_t> stride = {1, 1};
  std::vector<int64_t> padding = {0, 0};
  std::vector<int64_t> dilation = {1, 1};
  int64_t groups = 1;
};
at::Tensor ConvolutionSquaredNorms(const at::Tensor& input, const at::Tensor& output_gradients,
                                   const ConvolutionShape& shape, GhostForm form = GhostForm::kCheaper);
// [B, out, in / groups, kernel height, kernel width].
at::Tensor ConvolutionExampleGradients(const at::Tensor& input, const at::Tensor& output_gradients,
                                       const ConvolutionShape& shape);
at::Tensor ConvolutionBiasSquaredNorms(const at::Tensor& output_gradients);

// An embedding table: ids [N] int64, output_gradients [N, size]. Rows of one id are summed, which costs N *
// size, less than either form above. `padding_id` has no gradient; -1: there is none.
at::Tensor EmbeddingSquaredNorms(const at::Tensor& ids, const at::Tensor& output_gradients,
                                 absl::Span<const int64_t> offsets, int64_t padding_id = -1);

// What is added where layers share a weight, whose gradient is the sum of both layers': twice the product of
// the two. Of two linear layers; of two embeddings; of an embedding and a head, which read `hidden` [N, size]
// and has `logit_gradients` [N, vocabulary].
at::Tensor LinearCrossTerms(const at::Tensor& activations, const at::Tensor& output_gradients,
                            const at::Tensor& other_activations, const at::Tensor& other_output_gradients,
                            absl::Span<const int64_t> offsets, absl::Span<const int64_t> other_offsets);
at::Tensor EmbeddingCrossTerms(const at::Tensor& ids, const at::Tensor& output_gradients,
                               const at::Tensor& other_ids, const at::Tensor& other_output_gradients,
                               absl::Span<const int64_t> offsets, absl::Span<const int64_t> other_offsets);
at::Tensor TiedEmbeddingCrossTerms(const at::Tensor& ids, const at::Tensor& embedding_gradients,
                                   const at::Tensor& hidden, const at::Tensor& logit_gradients,
                                   absl::Span<const int64_t> offsets, absl::Span<const int64_t> head_offsets);

// Scales of normalisations, from their inputs x. Layer norm and RMS norm over the last axis of [N, size],
// group norm over the channels of [B, C, H, W] in `groups`. Biases are BiasSquaredNorms() and
// ConvolutionBiasSquaredNorms().
at::Tensor LayerNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                                 absl::Span<const int64_t> offsets, double epsilon);
at::Tensor RmsNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                               absl::Span<const int64_t> offsets, double epsilon);
at::Tensor GroupNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients, int64_t groups,
                                 double epsilon);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_GHOST_NORM_H_
