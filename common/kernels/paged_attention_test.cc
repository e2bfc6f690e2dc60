#include "common/kernels/paged_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

struct Sizes {
  int64_t heads = 4, key_heads = 2, dim = 16;
};

// A sequence of `length` tokens whose blocks hold nothing yet.
struct Sequence {
  Sequence(int64_t length, const Sizes& sizes, uint64_t seed)
      : q(Numbers({length, sizes.heads, sizes.dim}, seed, 2)),
        k(Numbers({length, sizes.key_heads, sizes.dim}, seed + 1, 2)),
        v(Numbers({length, sizes.key_heads, sizes.dim}, seed + 2)) {}
  at::Tensor q, k, v;
  std::vector<at::Tensor> blocks;
  int64_t past = 0;
};

// Softmax over the whole sequence, what a token does not see masked.
at::Tensor Plain(const Sequence& s, const AttentionOptions& options) {
  const int64_t group = s.q.size(1) / s.k.size(1);
  const at::Tensor position = at::arange(s.q.size(0), at::kLong);
  const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);
  at::Tensor seen = distance.ge(0);
  if (options.sliding_window > 0) seen = seen.logical_and(distance.lt(options.sliding_window));
  std::vector<at::Tensor> heads;
  for (int64_t h = 0; h < s.q.size(1); ++h) {
    const at::Tensor scores = at::matmul(s.q.select(1, h), s.k.select(1, h / group).t()) * options.scale;
    const at::Tensor masked = at::where(seen, scores, -std::numeric_limits<double>::infinity());
    heads.push_back(at::matmul(at::softmax(masked, -1), s.v.select(1, h / group)).unsqueeze(1));
  }
  return at::cat(heads, 1);
}

constexpr int64_t kLayers = 3, kLayer = 1;

// Takes counts[i] more tokens of sequence i, all in one batch; the new tokens' outputs, sequence by sequence.
std::vector<at::Tensor> Feed(std::vector<Sequence>* sequences, const std::vector<int64_t>& counts,
                             const AttentionOptions& options, at::ScalarType dtype) {
  std::vector<at::Tensor> q, k, v;
  std::vector<PagedSequence> paged;
  int64_t rows = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    Sequence& s = (*sequences)[i];
    if (counts[i] == 0) continue;
    while (static_cast<int64_t>(s.blocks.size()) * kBlockTokens < s.past + counts[i]) {
      s.blocks.push_back(EmptyBlock(kLayers, s.k.size(1), s.k.size(2), dtype));
      s.blocks.back().fill_(std::numeric_limits<double>::quiet_NaN());  // what nobody wrote nobody may read
    }
    for (auto [part, whole] : {std::pair{&q, &s.q}, {&k, &s.k}, {&v, &s.v}}) {
      part->push_back(whole->narrow(0, s.past, counts[i]).to(dtype));
    }
    paged.push_back({rows, rows + counts[i], s.past, s.blocks});
    s.past += counts[i];
    rows += counts[i];
  }
  StoreInBlocks(at::cat(k), at::cat(v), paged, kLayer);
  const at::Tensor output = PagedAttention(at::cat(q), paged, kLayer, options);
  std::vector<at::Tensor> outputs;
  for (const PagedSequence& s : paged) outputs.push_back(output.narrow(0, s.begin, s.end - s.begin));
  return outputs;
}

// Sequences of several lengths, read in parts: long ones, single tokens, and parts that end within a block.
void ExpectPlain(const Sizes& sizes, const AttentionOptions& options) {
  struct Precision {
    at::ScalarType dtype;
    double tolerance;
  };
  for (const Precision& precision :
       {Precision{at::kDouble, 1e-12}, {at::kFloat, 5e-5}, {at::kBFloat16, 5e-3}, {at::kHalf, 1e-3}}) {
    std::vector<Sequence> sequences = {{100, sizes, 1}, {33, sizes, 4}, {7, sizes, 7}};
    for (Sequence& s : sequences) {  // of what the dtype can tell
      for (at::Tensor* x : {&s.q, &s.k, &s.v}) *x = x->to(precision.dtype).to(at::kDouble);
    }
    std::vector<std::vector<at::Tensor>> parts(3);
    for (const std::vector<int64_t>& counts :
         {std::vector<int64_t>{70, 32, 0}, {1, 1, 5}, {20, 0, 1}, {9, 0, 1}}) {
      const std::vector<at::Tensor> outputs = Feed(&sequences, counts, options, precision.dtype);
      size_t next = 0;
      for (size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] > 0) parts[i].push_back(outputs[next++]);
      }
    }
    for (size_t i = 0; i < sequences.size(); ++i) {
      EXPECT_LE(Difference(at::cat(parts[i]), Plain(sequences[i], options)), precision.tolerance)
          << precision.dtype << ", sequence " << i;
    }
  }
}

TEST(PagedAttentionTest, IsThePlainFormula) {
  ExpectPlain({4, 4, 16}, {0.25, 0});
  ExpectPlain({2, 2, 40}, {0.2, 0});  // a head size that is no multiple of two vectors
  ExpectPlain({1, 1, 3}, {0.5, 0});
}

TEST(PagedAttentionTest, QueryHeadsShareKeyHeads) {
  ExpectPlain({6, 2, 16}, {0.25, 0});
  ExpectPlain({7, 1, 8}, {0.3, 0});
  ExpectPlain({40, 2, 8}, {0.3, 0});  // more of them than rows of a task
}

TEST(PagedAttentionTest, SlidingWindows) {
  for (const int64_t window : {1, 3, 31, 32, 33, 64, 1000}) ExpectPlain({4, 2, 8}, {0.3, window});
}

TEST(PagedAttentionTest, LargeScoresDoNotOverflow) { ExpectPlain({2, 1, 16}, {50, 0}); }

TEST(PagedAttentionTest, SequencesShareBlocks) {
  const AttentionOptions options{0.25, 0};
  std::vector<Sequence> sequences = {{40, {}, 1}, {40, {}, 1}};
  Feed(&sequences, {32, 0}, options, at::kDouble);
  sequences[1].blocks = sequences[0].blocks;
  sequences[1].past = 32;
  const std::vector<at::Tensor> outputs = Feed(&sequences, {8, 8}, options, at::kDouble);
  for (int i : {0, 1}) {
    EXPECT_LE(Difference(outputs[i], Plain(sequences[i], options).narrow(0, 32, 8)), 1e-12);
  }
}

TEST(PagedAttentionTest, NeighboursChangeNothing) {
  const AttentionOptions options{0.25, 0};
  std::vector<Sequence> together = {{40, {}, 1}, {90, {}, 4}}, alone = {{90, {}, 4}};
  const at::Tensor a = Feed(&together, {40, 90}, options, at::kFloat)[1];
  EXPECT_TRUE(a.equal(Feed(&alone, {90}, options, at::kFloat)[0]));
}

TEST(PagedAttentionTest, RefusesTooFewBlocks) {
  const at::Tensor rows = at::zeros({2, 2, 4});
  const std::vector<at::Tensor> blocks = {EmptyBlock(1, 2, 4, at::kFloat)};
  const PagedSequence sequence{0, 2, kBlockTokens - 1, blocks};
  EXPECT_THROW(PagedAttention(rows, {sequence}, 0, {}), c10::Error);
  EXPECT_THROW(StoreInBlocks(rows, rows, {sequence}, 0), c10::Error);
}

}  // namespace
}  // namespace plumb
