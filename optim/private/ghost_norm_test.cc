#include "optim/private/ghost_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/native_group_norm.h>
#include <ATen/ops/native_group_norm_backward.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

constexpr GhostForm kForms[] = {GhostForm::kCheaper, GhostForm::kGram, GhostForm::kDirect};

// Ragged, with an example of no rows and one of a single row.
const std::vector<int64_t> kOffsets = {0, 5, 5, 6, 13};

template <typename Gradient>
at::Tensor Explicit(const std::vector<int64_t>& offsets, const Gradient& gradient) {
  std::vector<at::Tensor> norms;
  for (size_t b = 0; b + 1 < offsets.size(); ++b) {
    norms.push_back(gradient(offsets[b], offsets[b + 1]).square().sum());
  }
  return at::stack(norms);
}

TEST(GhostNormTest, LinearIsThatOfExplicitGradients) {
  const at::Tensor a = Numbers({13, 4}, 0.1), d = Numbers({13, 6}, 0.2);
  const at::Tensor expected = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
    return at::mm(d.slice(0, begin, end).t(), a.slice(0, begin, end));
  });
  for (const GhostForm form : kForms) {
    EXPECT_LT(Difference(LinearSquaredNorms(a, {d}, kOffsets, form), expected), 1e-10);
  }
  EXPECT_LT(Difference(BiasSquaredNorms(d, kOffsets),
                       Explicit(kOffsets,
                                [&](int64_t begin, int64_t end) { return d.slice(0, begin, end).sum(0); })),
            1e-10);
}

// One row an example: |a|^2 |d|^2 (Goodfellow 2015).
TEST(GhostNormTest, ARowAnExampleIsAProductOfNorms) {
  const at::Tensor a = Numbers({7, 3}, 0.3), d = Numbers({7, 5}, 0.4);
  EXPECT_LT(Difference(LinearSquaredNorms(a, {d}, RowOffsets(7, 1)), a.square().sum(1) * d.square().sum(1)),
            1e-12);
}

TEST(GhostNormTest, AttentionIsTheSumOfItsProjections) {
  const at::Tensor hidden = Numbers({13, 6}, 0.1), context = Numbers({13, 8}, 0.2);
  const AttentionGradients d = {Numbers({13, 8}, 0.3), Numbers({13, 4}, 0.4), Numbers({13, 4}, 0.5),
                                Numbers({13, 6}, 0.6)};
  const at::Tensor expected = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
    const at::Tensor h = hidden.slice(0, begin, end), c = context.slice(0, begin, end);
    return at::cat({at::mm(d.query.slice(0, begin, end).t(), h).flatten(),
                    at::mm(d.key.slice(0, begin, end).t(), h).flatten(),
                    at::mm(d.value.slice(0, begin, end).t(), h).flatten(),
                    at::mm(d.output.slice(0, begin, end).t(), c).flatten()});
  });
  for (const GhostForm form : kForms) {
    EXPECT_LT(Difference(AttentionSquaredNorms(hidden, context, d, kOffsets, form), expected), 1e-10);
  }
}

void ExpectConvolution(const at::Tensor& x, const at::Tensor& d, const at::Tensor& weight,
                       const ConvolutionShape& shape) {
  std::vector<at::Tensor> gradients, bias_norms;
  for (int64_t b = 0; b < x.size(0); ++b) {
    const auto [input_gradient, weight_gradient, bias_gradient] = at::convolution_backward(
        d.slice(0, b, b + 1), x.slice(0, b, b + 1), weight, at::IntArrayRef({d.size(1)}), shape.stride,
        shape.padding, shape.dilation, /*transposed=*/false, at::IntArrayRef({0, 0}), shape.groups,
        {false, true, true});
    gradients.push_back(weight_gradient);
    bias_norms.push_back(bias_gradient.square().sum());
  }
  const at::Tensor explicit_gradients = at::stack(gradients);
  EXPECT_LT(Difference(ConvolutionExampleGradients(x, d, shape), explicit_gradients), 1e-10);
  for (const GhostForm form : kForms) {
    EXPECT_LT(
        Difference(ConvolutionSquaredNorms(x, d, shape, form), explicit_gradients.flatten(1).square().sum(1)),
        1e-10);
  }
  EXPECT_LT(Difference(ConvolutionBiasSquaredNorms(d), at::stack(bias_norms)), 1e-10);
}

TEST(GhostNormTest, ConvolutionIsThatOfExplicitGradients) {
  ConvolutionShape shape;
  shape.kernel = {3, 2};
  shape.stride = {2, 1};
  shape.padding = {1, 1};
  shape.dilation = {1, 2};
  shape.groups = 2;
  ExpectConvolution(Numbers({3, 4, 7, 6}, 0.1), Numbers({3, 6, 4, 6}, 0.2),
                    at::zeros({6, 2, 3, 2}, at::kDouble), shape);
  // Not dilated along its rows, which are copied in one piece; too wide for that.
  shape.dilation = {2, 1};
  ExpectConvolution(Numbers({3, 4, 7, 6}, 0.1), Numbers({3, 6, 3, 7}, 0.2),
                    at::zeros({6, 2, 3, 2}, at::kDouble), shape);
  ConvolutionShape wide;
  wide.kernel = {2, 11};
  wide.padding = {0, 1};
  ExpectConvolution(Numbers({2, 3, 4, 14}, 0.1), Numbers({2, 5, 3, 6}, 0.2),
                    at::zeros({5, 3, 2, 11}, at::kDouble), wide);
}

TEST(GhostNormTest, EmbeddingIsThatOfExplicitGradients) {
  const at::Tensor ids = at::tensor({2, 0, 2, 2, 1, 3, 1, 1, 0, 0, 4, 1, 3}, at::kLong);
  const at::Tensor d = Numbers({13, 5}, 0.1);
  for (const int64_t padding_id : {-1, 0}) {
    const at::Tensor expected = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
      at::Tensor table = at::zeros({6, 5}, at::kDouble);
      table.index_add_(0, ids.slice(0, begin, end), d.slice(0, begin, end));
      if (padding_id >= 0) table[padding_id].zero_();
      return table;
    });
    EXPECT_LT(Difference(EmbeddingSquaredNorms(ids, d, kOffsets, padding_id), expected), 1e-10);
  }
}

TEST(GhostNormTest, ATiedTableIsTheSumOfBothGradients) {
  const at::Tensor ids = at::tensor({2, 0, 2, 2, 1, 3, 1, 1, 0, 0, 4, 1, 3}, at::kLong);
  const at::Tensor d = Numbers({13, 5}, 0.1), hidden = Numbers({13, 5}, 0.2), logits = Numbers({13, 6}, 0.3);
  const at::Tensor expected = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
    at::Tensor table = at::mm(logits.slice(0, begin, end).t(), hidden.slice(0, begin, end));
    return table.index_add_(0, ids.slice(0, begin, end), d.slice(0, begin, end));
  });
  const at::Tensor found = EmbeddingSquaredNorms(ids, d, kOffsets) +
                           LinearSquaredNorms(hidden, {logits}, kOffsets) +
                           TiedEmbeddingCrossTerms(ids, d, hidden, logits, kOffsets, kOffsets);
  EXPECT_LT(Difference(found, expected), 1e-10);
}

TEST(GhostNormTest, NormalisationScalesAreThoseOfExplicitGradients) {
  constexpr double kEpsilon = 1e-2;
  const at::Tensor x = Numbers({13, 6}, 0.1), d = Numbers({13, 6}, 0.2), ones = at::ones({6}, at::kDouble);
  const at::Tensor layer = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
    const at::Tensor own = x.slice(0, begin, end);
    const auto [output, mean, rstd] = at::native_layer_norm(own, {6}, ones, ones, kEpsilon);
    return std::get<1>(at::native_layer_norm_backward(d.slice(0, begin, end), own, {6}, mean, rstd, ones,
                                                      ones, {false, true, true}));
  });
  EXPECT_LT(Difference(LayerNormSquaredNorms(x, d, kOffsets, kEpsilon), layer), 1e-10);

  const at::Tensor rms = Explicit(kOffsets, [&](int64_t begin, int64_t end) {
    const at::Tensor own = x.slice(0, begin, end);
    return (d.slice(0, begin, end) * own / (own.square().mean(-1, true) + kEpsilon).sqrt()).sum(0);
  });
  EXPECT_LT(Difference(RmsNormSquaredNorms(x, d, kOffsets, kEpsilon), rms), 1e-10);

  const at::Tensor image = Numbers({3, 6, 4, 5}, 0.1), gradient = Numbers({3, 6, 4, 5}, 0.2);
  const at::Tensor group = Explicit(RowOffsets(3, 1), [&](int64_t begin, int64_t end) {
    const at::Tensor own = image.slice(0, begin, end);
    const auto [output, mean, rstd] = at::native_group_norm(own, ones, ones, 1, 6, 20, 3, kEpsilon);
    return std::get<1>(at::native_group_norm_backward(gradient.slice(0, begin, end), own, mean, rstd, ones, 1,
                                                      6, 20, 3, {false, true, true}));
  });
  EXPECT_LT(Difference(GroupNormSquaredNorms(image, gradient, 3, kEpsilon), group), 1e-10);
}

TEST(GhostNormTest, SixteenBitsAreMultipliedInThirtyTwo) {
  const at::Tensor a = Numbers({13, 4}, 0.1).to(at::kBFloat16), d = Numbers({13, 6}, 0.2).to(at::kBFloat16);
  for (const GhostForm form : {GhostForm::kGram, GhostForm::kDirect}) {
    const at::Tensor wide = LinearSquaredNorms(a.to(at::kDouble), {d.to(at::kDouble)}, kOffsets, form);
    EXPECT_LT(Difference(LinearSquaredNorms(a, {d}, kOffsets, form), wide), 1e-5);
  }
}

TEST(GhostNormTest, ThreadsDoNotChangeTheResult) {
  const at::Tensor a = Numbers({13, 40}, 0.1).to(at::kFloat), d = Numbers({13, 60}, 0.2).to(at::kFloat);
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    results.push_back(LinearSquaredNorms(a, {d}, kOffsets));
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

TEST(GhostNormTest, ConvolutionPlacesThatDoNotFitAreOurBug) {
  ConvolutionShape shape;
  shape.kernel = {3, 3};
  EXPECT_ANY_THROW(ConvolutionSquaredNorms(Numbers({2, 1, 5, 5}, 0.1), Numbers({2, 1, 3, 4}, 0.2), shape));
}

TEST(GhostNormTest, OffsetsThatDoNotFitAreOurBug) {
  const at::Tensor a = Numbers({13, 4}, 0.1);
  EXPECT_ANY_THROW(BiasSquaredNorms(a, {0, 5, 12}));
  EXPECT_ANY_THROW(BiasSquaredNorms(a, {0, 5, 3, 13}));
}

}  // namespace
}  // namespace plumb
