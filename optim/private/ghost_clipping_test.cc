#include "optim/private/ghost_clipping.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

// What the tests compare with: LibTorch's own operators and its gradients, an example at a time.
struct Plain {
  static at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {}) {
    return at::linear(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
  }
  static at::Tensor Convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                const ConvolutionShape& s) {
    return at::conv2d(x, weight, bias, s.stride, s.padding, s.dilation, s.groups);
  }
  static at::Tensor Embedding(const at::Tensor& ids, const at::Tensor& weight, int64_t padding_id = -1) {
    return at::embedding(weight, ids, padding_id);
  }
  static at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return at::layer_norm(x, {x.size(-1)}, weight, bias);
  }
  static at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight) {
    return at::rms_norm(x, {x.size(-1)}, weight, 1e-6);
  }
  static at::Tensor GroupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                              const at::Tensor& bias) {
    return at::group_norm(x, groups, weight, bias);
  }
  static at::Tensor SelfAttention(const at::Tensor& x, const GhostClipping::AttentionParameters& p,
                                  int64_t heads, bool causal) {
    const int64_t rows = x.size(1), head = p.query.size(0) / heads;
    const auto split = [&](const at::Tensor& weight, const at::Tensor& bias) {
      return Linear(x, weight, bias).view({-1, rows, heads, head}).transpose(1, 2);
    };
    at::Tensor scores = split(p.query, p.query_bias).matmul(split(p.key, p.key_bias).mT()) / std::sqrt(head);
    if (causal) {
      const at::Tensor position = at::arange(rows, at::kLong);
      scores = scores.masked_fill(position.unsqueeze(0) > position.unsqueeze(1), -INFINITY);
    }
    const at::Tensor context = at::softmax(scores, -1).matmul(split(p.value, p.value_bias));
    return Linear(context.transpose(1, 2).reshape({-1, rows, heads * head}), p.output, p.output_bias);
  }
};

class Parameters {
 public:
  at::Tensor New(at::IntArrayRef sizes, double scale = 0.5) {
    all_.push_back(Numbers(sizes, 0.37 * (all_.size() + 1), scale).requires_grad_(true));
    return all_.back();
  }
  const std::vector<at::Tensor>& all() const { return all_; }
  // The gradients, which are then gone.
  std::vector<at::Tensor> TakeGradients() {
    std::vector<at::Tensor> gradients;
    for (at::Tensor& tensor : all_) {
      gradients.push_back(tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor));
      tensor.mutable_grad() = at::Tensor();
    }
    return gradients;
  }

 private:
  std::vector<at::Tensor> all_;
};

struct Clipped {
  std::vector<double> norms;
  std::vector<at::Tensor> gradients;
};

// losses(begin, end) of examples begin .. end - 1 by LibTorch alone, an example at a time.
Clipped Loop(int64_t examples, Parameters* parameters, double max_norm,
             const std::function<at::Tensor(int64_t)>& loss) {
  Clipped result;
  for (const at::Tensor& tensor : parameters->all()) result.gradients.push_back(at::zeros_like(tensor));
  for (int64_t b = 0; b < examples; ++b) {
    loss(b).sum().backward();
    const std::vector<at::Tensor> own = parameters->TakeGradients();
    double squared = 0;
    for (const at::Tensor& gradient : own) squared += gradient.square().sum().item<double>();
    result.norms.push_back(std::sqrt(squared));
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < own.size(); ++i) {
      result.gradients[i] += own[i] * std::min(1.0, max_norm / std::sqrt(squared));
    }
  }
  return result;
}

void ExpectSame(const at::Tensor& norms, Parameters* parameters, const Clipped& expected) {
  for (size_t b = 0; b < expected.norms.size(); ++b) {
    EXPECT_NEAR(norms[b].item<double>(), expected.norms[b], 1e-10 * std::max(1.0, expected.norms[b]))
        << "example " << b;
  }
  const std::vector<at::Tensor> gradients = parameters->TakeGradients();
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_LT(Difference(gradients[i], expected.gradients[i]), 1e-10) << "parameter " << i;
  }
}

// A norm between the examples': some are clipped, some are not.
double MiddleNorm(Clipped expected) {
  std::sort(expected.norms.begin(), expected.norms.end());
  return 0.5 * (expected.norms[0] + expected.norms.back());
}

// model(layers, begin, end): the losses of these examples, by GhostClipping or by Plain.
template <typename Model>
void ExpectClipsAsTheLoop(int64_t examples, Parameters* parameters, const Model& model) {
  const Plain plain;
  const auto loss = [&](int64_t b) { return model(plain, b, b + 1); };
  const double max_norm = MiddleNorm(Loop(examples, parameters, 1, loss));
  const Clipped expected = Loop(examples, parameters, max_norm, loss);
  ASSERT_LT(expected.norms[0], INFINITY);
  {
    GhostClipping clipping(examples);
    const at::Tensor norms = clipping.Backward(model(clipping, 0, examples), max_norm);
    ExpectSame(norms, parameters, expected);
  }
  // In micro-batches gradients add up to the same.
  GhostClipping first(1), second(examples - 1);
  const at::Tensor norm = first.Backward(model(first, 0, 1), max_norm);
  const at::Tensor norms = second.Backward(model(second, 1, examples), max_norm);
  ExpectSame(at::cat({norm, norms}), parameters, expected);
}

at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(logits, labels, {}, /*reduction=*/0);
}

TEST(GhostClippingTest, MultilayerPerceptron) {
  Parameters parameters;
  const at::Tensor w1 = parameters.New({7, 5}), b1 = parameters.New({7}), w2 = parameters.New({4, 7}, 2),
                   b2 = parameters.New({4}), w3 = parameters.New({3, 4}, 2);
  const at::Tensor x = Numbers({6, 5}, 0.1, 2), labels = at::tensor({0, 2, 1, 1, 0, 2}, at::kLong);
  ExpectClipsAsTheLoop(6, &parameters, [&](auto&& layers, int64_t begin, int64_t end) {
    const at::Tensor hidden = at::relu(layers.Linear(x.slice(0, begin, end), w1, b1));
    return CrossEntropy(layers.Linear(at::tanh(layers.Linear(hidden, w2, b2)), w3),
                        labels.slice(0, begin, end));
  });
}

// Small images and many channels, and the other way round: both forms of a convolution's norm. Grouped,
// dilated and strided.
TEST(GhostClippingTest, ConvolutionalNetwork) {
  Parameters parameters;
  const at::Tensor w1 = parameters.New({4, 2, 3, 3}), b1 = parameters.New({4}), scale = parameters.New({4}),
                   shift = parameters.New({4}), w2 = parameters.New({16, 2, 3, 2}), b2 = parameters.New({16}),
                   w3 = parameters.New({24, 16, 2, 2}), b3 = parameters.New({24}),
                   w4 = parameters.New({3, 24}), b4 = parameters.New({3});
  const at::Tensor x = Numbers({5, 2, 9, 8}, 0.1), labels = at::tensor({0, 2, 1, 1, 0}, at::kLong);
  ConvolutionShape first, second, third;
  first.kernel = {3, 3};
  first.padding = {1, 1};
  second.kernel = {3, 2};
  second.stride = {2, 1};
  second.padding = {1, 0};
  second.dilation = {1, 2};
  second.groups = 2;
  third.kernel = {2, 2};
  third.stride = {2, 2};
  EXPECT_LT(w1.numel() * 5, x.numel() + 5 * 4 * 72);  // the first keeps gradients
  EXPECT_GT(w3.numel(), 16 * 5 * 6 + 24 * 2 * 3);     // the third does not
  ExpectClipsAsTheLoop(5, &parameters, [&](auto&& layers, int64_t begin, int64_t end) {
    at::Tensor hidden = layers.Convolution(x.slice(0, begin, end), w1, b1, first);
    hidden = at::relu(layers.GroupNorm(hidden, 2, scale, shift));
    hidden = at::tanh(layers.Convolution(hidden, w2, b2, second));
    hidden = at::relu(layers.Convolution(hidden, w3, b3, third));
    return CrossEntropy(layers.Linear(hidden.mean(at::IntArrayRef{2, 3}), w4, b4),
                        labels.slice(0, begin, end));
  });
}

struct Transformer {
  explicit Transformer(int64_t size, int64_t ff, int64_t vocabulary, int64_t rows) {
    table = parameters.New({vocabulary, size}, 1);
    positions = parameters.New({rows, size}, 0.3);
    norm1 = parameters.New({size}), shift1 = parameters.New({size}), norm2 = parameters.New({size});
    for (at::Tensor* weight : {&attention.query, &attention.key, &attention.value, &attention.output}) {
      *weight = parameters.New({size, size});
    }
    attention.query_bias = parameters.New({size});
    attention.output_bias = parameters.New({size});
    up = parameters.New({ff, size}), up_bias = parameters.New({ff}), down = parameters.New({size, ff});
  }
  Parameters parameters;
  at::Tensor table, positions, norm1, shift1, norm2, up, up_bias, down;
  GhostClipping::AttentionParameters attention;
};

// Next tokens of sequences by one block; the embedding is the head too. Short sequences take the form of Gram
// matrices, long ones the direct form.
TEST(GhostClippingTest, TransformerWithATiedHead) {
  for (const int64_t rows : {3, 12}) {
    Transformer m(8, 16, 11, rows);
    const at::Tensor ids = (Numbers({4, rows + 1}, 0.1).abs() * 1e4).to(at::kLong).remainder(11);
    const at::Tensor positions = at::arange(rows, at::kLong);
    ExpectClipsAsTheLoop(4, &m.parameters, [&](auto&& layers, int64_t begin, int64_t end) {
      const int64_t count = end - begin;
      const at::Tensor own = ids.slice(0, begin, end);
      at::Tensor x = layers.Embedding(own.slice(1, 0, rows), m.table) +
                     layers.Embedding(positions.expand({count, rows}), m.positions);
      x = x + layers.SelfAttention(layers.LayerNorm(x, m.norm1, m.shift1), m.attention, 2, /*causal=*/true);
      const at::Tensor hidden = layers.Linear(layers.RmsNorm(x, m.norm2), m.up, m.up_bias);
      x = x + layers.Linear(at::gelu(hidden), m.down);
      const at::Tensor logits = layers.Linear(x, m.table).view({count * rows, -1});
      return CrossEntropy(logits, own.slice(1, 1).reshape(-1)).view({count, rows}).mean(1);
    });
  }
}

// Layers that share weights: linear ones, embeddings, convolutions, biases and scales.
TEST(GhostClippingTest, SharedParameters) {
  Parameters parameters;
  const at::Tensor table = parameters.New({6, 5}), weight = parameters.New({5, 5}),
                   bias = parameters.New({5}), scale = parameters.New({5}),
                   kernel = parameters.New({1, 1, 3, 3});
  const at::Tensor ids = at::tensor({0, 1, 2, 2, 5, 0, 1, 3, 4, 2, 2, 2}, at::kLong).view({3, 4});
  const at::Tensor others = at::tensor({1, 1, 2, 4, 0, 0}, at::kLong).view({3, 2});
  ConvolutionShape shape;
  shape.kernel = {3, 3};
  shape.padding = {1, 1};
  ExpectClipsAsTheLoop(3, &parameters, [&](auto&& layers, int64_t begin, int64_t end) {
    const at::Tensor rows = layers.Embedding(ids.slice(0, begin, end), table, /*padding_id=*/5);
    const at::Tensor other = layers.Embedding(others.slice(0, begin, end), table);
    at::Tensor x = layers.RmsNorm(layers.Linear(rows, weight, bias), scale);
    x = layers.RmsNorm(layers.Linear(at::tanh(x), weight, bias), scale);
    const at::Tensor y = layers.Linear(other, weight);
    at::Tensor image = at::cat({x, y}, 1).unsqueeze(1);
    image = layers.Convolution(at::tanh(layers.Convolution(image, kernel, at::Tensor(), shape)), kernel,
                               at::Tensor(), shape);
    return (image.flatten(1) + 0.1).square().sum(1);
  });
}

TEST(GhostClippingTest, PackedExamples) {
  const std::vector<int64_t> offsets = {0, 5, 6, 13};
  Parameters parameters;
  const at::Tensor table = parameters.New({6, 4}), scale = parameters.New({4}), shift = parameters.New({4}),
                   wide = parameters.New({9, 4}), narrow = parameters.New({2, 9}), bias = parameters.New({2});
  const at::Tensor ids = at::tensor({2, 0, 2, 2, 1, 3, 1, 1, 0, 0, 4, 1, 5}, at::kLong);
  const auto rows = [&](auto&& layers, int64_t begin, int64_t end) {
    const at::Tensor x = layers.LayerNorm(layers.Embedding(ids.slice(0, begin, end), table), scale, shift);
    return layers.Linear(at::tanh(layers.Linear(x, wide)), narrow, bias).square().sum(1);
  };
  const auto loss = [&](int64_t b) { return rows(Plain(), offsets[b], offsets[b + 1]).sum().view(1); };
  const double max_norm = MiddleNorm(Loop(3, &parameters, 1, loss));
  const Clipped expected = Loop(3, &parameters, max_norm, loss);
  GhostClipping clipping(offsets);
  const at::Tensor losses = rows(clipping, 0, 13);
  const at::Tensor sums = at::stack({losses.slice(0, 0, 5).sum(), losses[5], losses.slice(0, 6, 13).sum()});
  ExpectSame(clipping.Backward(sums, max_norm), &parameters, expected);
}

TEST(GhostClippingTest, FrozenParametersAreLeftAlone) {
  Parameters parameters;
  const at::Tensor frozen = Numbers({4, 5}, 0.1), trained = parameters.New({3, 4});
  const at::Tensor x = Numbers({6, 5}, 0.2);
  ExpectClipsAsTheLoop(6, &parameters, [&](auto&& layers, int64_t begin, int64_t end) {
    const at::Tensor hidden = at::tanh(layers.Linear(x.slice(0, begin, end), frozen));
    return layers.Linear(hidden, trained).square().sum(1);
  });
  EXPECT_FALSE(frozen.grad().defined());
}

TEST(GhostClippingTest, WithoutGradientsLayersAreOperators) {
  Parameters parameters;
  const at::Tensor weight = parameters.New({3, 5}), x = Numbers({6, 5}, 0.1);
  const at::NoGradGuard no_grad;
  GhostClipping clipping(6);
  const at::Tensor y = clipping.Linear(x, weight);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_LT(Difference(y, at::linear(x, weight)), 1e-15);
}

TEST(GhostClippingTest, HalfPrecisionIsMultipliedInSingle) {
  Parameters parameters;
  const at::Tensor weight = Numbers({3, 5}, 0.1).to(at::kBFloat16).requires_grad_(true);
  const at::Tensor x = Numbers({6, 5}, 0.2).to(at::kBFloat16);
  GhostClipping clipping(6);
  const at::Tensor norms = clipping.Backward(clipping.Linear(x, weight).sum(1), 1e-3);
  EXPECT_LT(Difference(norms, (3 * x.to(at::kDouble).square().sum(1)).sqrt()), 1e-5);
  EXPECT_EQ(weight.grad().scalar_type(), at::kBFloat16);
}

// A gradient that no layer clips would break the privacy of everything.
TEST(GhostClippingTest, RefusesWhatItCannotClip) {
  Parameters parameters;
  const at::Tensor weight = parameters.New({3, 5}), outside = parameters.New({3}), x = Numbers({6, 5}, 0.1);
  GhostClipping clipping(6);
  EXPECT_ANY_THROW(clipping.Backward((clipping.Linear(x, weight) * outside).sum(1), 1));
  EXPECT_FALSE(weight.grad().defined());
  EXPECT_FALSE(outside.grad().defined());
  EXPECT_ANY_THROW(GhostClipping(6).Linear(x, weight * 2));
  EXPECT_ANY_THROW(GhostClipping(6).Backward(Numbers({5}, 0.1), 1));
  EXPECT_ANY_THROW(GhostClipping(0));
}

}  // namespace
}  // namespace plumb
