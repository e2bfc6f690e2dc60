#include "common/kernels/packed_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

std::vector<Segment> Tree(const std::vector<int64_t>& lengths, const std::vector<int>& parents) {
  std::vector<std::vector<int64_t>> sequences;
  for (const int64_t length : lengths) sequences.emplace_back(length);
  return PackTree(sequences, parents).segments;
}

// Rows that a token of segment `index` may see, in the sequence's order.
std::vector<int64_t> Path(const std::vector<Segment>& segments, int index) {
  std::vector<int64_t> rows;
  for (int i = index; i != Segment::kNoParent; i = segments[i].parent) {
    for (int64_t row = segments[i].end - 1; row >= segments[i].begin; --row) rows.insert(rows.begin(), row);
  }
  return rows;
}

// Softmax over the whole batch, all that a token does not see masked.
at::Tensor Plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const std::vector<Segment>& segments, const AttentionOptions& options) {
  const int64_t count = q.size(0), group = q.size(1) / k.size(1);
  at::Tensor mask = at::zeros({count, count}, at::kDouble).fill_(-std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::vector<int64_t> path = Path(segments, i);
    for (int64_t own = path.size() - segments[i].length(); own < path.size(); ++own) {
      for (int64_t seen = 0; seen <= own; ++seen) {
        if (options.sliding_window > 0 && own - seen >= options.sliding_window) continue;
        mask[path[own]][path[seen]] = 0;
      }
    }
  }
  std::vector<at::Tensor> heads;
  for (int64_t h = 0; h < q.size(1); ++h) {
    const at::Tensor scores = at::matmul(q.select(1, h), k.select(1, h / group).t()) * options.scale + mask;
    heads.push_back(at::matmul(at::softmax(scores, -1), v.select(1, h / group)).unsqueeze(1));
  }
  return at::cat(heads, 1);
}

struct Example {
  explicit Example(const std::vector<Segment>& segments, int64_t heads = 2, int64_t key_heads = 2)
      : q(Numbers({segments.back().end, heads, 4}, 0, 2)),
        k(Numbers({segments.back().end, key_heads, 4}, 1, 2)),
        v(Numbers({segments.back().end, key_heads, 4}, 2)) {
    for (at::Tensor* x : {&q, &k, &v}) x->requires_grad_(true);
  }
  at::Tensor q, k, v;
};

// Two sequences, a prompt with two answers, one of which goes on in two ways; some of them empty.
std::vector<Segment> Forest() { return Tree({4, 0, 3, 2, 3, 0, 2, 1, 1}, {-1, -1, -1, 2, 2, 2, 4, 4, 5}); }

void ExpectPlain(const std::vector<Segment>& segments, int64_t heads, int64_t key_heads,
                 int64_t sliding_window) {
  const Example e(segments, heads, key_heads);
  const AttentionOptions options{0.4, sliding_window};
  const at::Tensor output = PackedAttention(e.q, e.k, e.v, segments, options);
  EXPECT_EQ(output.sizes(), e.q.sizes());
  EXPECT_LE(Difference(output, Plain(e.q, e.k, e.v, segments, options)), 1e-12);
  const auto narrow = [&](const at::Tensor& x) { return x.detach().to(at::kFloat); };
  EXPECT_LE(Difference(PackedAttention(narrow(e.q), narrow(e.k), narrow(e.v), segments, options), output),
            1e-5);
}

TEST(PackedAttentionTest, IsThePlainFormula) {
  ExpectPlain(Tree({5, 1, 3}, {-1, -1, -1}), 2, 2, 0);
  ExpectPlain(Forest(), 2, 2, 0);
}

TEST(PackedAttentionTest, QueryHeadsShareKeyHeads) {
  ExpectPlain(Forest(), 6, 2, 0);
  ExpectPlain(Forest(), 4, 1, 0);
  ExpectPlain(Tree({5, 3}, {-1, -1}), 4, 2, 0);
}

TEST(PackedAttentionTest, SlidingWindows) {
  for (const int64_t window : {1, 2, 3, 4, 100}) {
    ExpectPlain(Forest(), 2, 2, window);
    ExpectPlain(Forest(), 4, 2, window);
  }
}

TEST(PackedAttentionTest, LongSegments) {
  ExpectPlain(Tree({70, 45, 33}, {-1, 0, 0}), 4, 2, 0);
  ExpectPlain(Tree({70, 45, 33}, {-1, 0, 0}), 4, 2, 40);
}

TEST(PackedAttentionTest, GradientsAreFiniteDifferences) {
  for (const int64_t window : {0, 3}) {
    const std::vector<Segment> segments = Tree({2, 0, 2, 1, 2}, {-1, -1, -1, 2, 2});
    const Example e(segments, 2, 1);
    ExpectGradientsAreFiniteDifferences({e.q, e.k, e.v}, [&] {
      return PackedAttention(e.q, e.k, e.v, segments, {0.5, window});
    });
  }
}

TEST(PackedAttentionTest, ASharedPromptIsAsGoodAsTwo) {
  for (const int64_t window : {0, 4}) {
    const AttentionOptions options{0.5, window};
    const std::vector<Segment> tree = Tree({5, 3, 2}, {-1, 0, 0}), pair = Tree({8, 7}, {-1, -1});
    const Example shared(tree, 4, 2), source(tree, 4, 2);
    // The prompt's five rows before either answer.
    const auto twice = [](const at::Tensor& x) {
      return at::cat({x.narrow(0, 0, 8), x.narrow(0, 0, 5), x.narrow(0, 8, 2)});
    };
    const at::Tensor output = PackedAttention(shared.q, shared.k, shared.v, tree, options);
    const at::Tensor apart =
        PackedAttention(twice(source.q), twice(source.k), twice(source.v), pair, options);
    EXPECT_LE(Difference(twice(output), apart), 1e-10);

    const at::Tensor weights = Numbers(apart.sizes(), 3);
    (twice(output) * weights).sum().backward();
    (apart * weights).sum().backward();
    EXPECT_LE(Difference(shared.q.grad(), source.q.grad()), 1e-10);
    EXPECT_LE(Difference(shared.k.grad(), source.k.grad()), 1e-10);
    EXPECT_LE(Difference(shared.v.grad(), source.v.grad()), 1e-10);
  }
}

// Values and gradients of the kernel's own body and of LibTorch's operators.
void ExpectBothBodiesAgree(at::ScalarType dtype, double tolerance) {
  for (const int64_t window : {0, 70}) {
    const std::vector<Segment> segments = Tree({130, 101, 60, 7, 300}, {-1, 0, 0, 2, -1});
    std::vector<at::Tensor> results[2];
    for (const bool fused : {false, true}) {
      std::optional<ScopedUnfusedKernels> unfused;
      if (!fused) unfused.emplace();
      std::vector<at::Tensor> inputs;
      for (int i = 0; i < 3; ++i) {
        inputs.push_back(
            Numbers({segments.back().end, i == 0 ? 4 : 2, 24}, i, 2).to(dtype).requires_grad_(true));
      }
      const at::Tensor output = PackedAttention(inputs[0], inputs[1], inputs[2], segments, {0.3, window});
      EXPECT_EQ(output.scalar_type(), dtype);
      output.backward(Numbers(output.sizes(), 5).to(dtype));
      results[fused] = {output.detach()};
      for (const at::Tensor& input : inputs) results[fused].push_back(input.grad());
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_LE(Difference(results[0][i], results[1][i]), tolerance)
          << "result " << i << ", window " << window;
    }
  }
}

TEST(PackedAttentionTest, BothBodiesAgree) {
  ExpectBothBodiesAgree(at::kDouble, 1e-12);
  ExpectBothBodiesAgree(at::kFloat, 5e-5);
  ExpectBothBodiesAgree(at::kBFloat16, 0.1);
}

TEST(PackedAttentionTest, ARowDoesNotDependOnWhatElseIsInTheBatch) {
  const std::vector<Segment> tree = Tree({130, 101, 60}, {-1, 0, 0}), pair = Tree({231, 190}, {-1, -1});
  const auto numbers = [](double phase) { return Numbers({291, 2, 24}, phase, 2).to(at::kFloat); };
  const auto twice = [](const at::Tensor& x) {
    return at::cat({x.narrow(0, 0, 231), x.narrow(0, 0, 130), x.narrow(0, 231, 60)});
  };
  const at::Tensor q = numbers(0), k = numbers(1), v = numbers(2);
  EXPECT_TRUE(twice(PackedAttention(q, k, v, tree, {0.3, 0}))
                  .equal(PackedAttention(twice(q), twice(k), twice(v), pair, {0.3, 0})));
}

TEST(PackedAttentionTest, NoTokens) {
  const at::Tensor none = at::zeros({0, 2, 4});
  EXPECT_EQ(PackedAttention(none, none, none, {}, {}).sizes(), none.sizes());
  EXPECT_EQ(PackedAttention(none, none, none, Tree({0, 0}, {-1, 0}), {}).sizes(), none.sizes());
}

}  // namespace
}  // namespace plumb
