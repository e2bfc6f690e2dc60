#include "common/kernels/packed_attention.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"
#include "common/kernels/tile_product.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

// Scores are made by tiles of so many keys and queries (Dao et al. 2022, FlashAttention, arXiv 2205.14135), a
// row for each key: so what befalls each query's scores befalls a register of queries at a time, and only the
// tile's own queries, not all keys, are laid out the other way for the products.
constexpr int64_t kQueries = 48;
constexpr int64_t kKeys = 96;
static_assert(kKeys % kProductRows == 0 && kQueries % kProductRows == 0 &&
              kQueries % kProductColumns<float> == 0 && kQueries % kProductColumns<double> == 0);

// Rows of the batch.
struct Rows {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  bool operator==(const Rows& other) const { return begin == other.begin && end == other.end; }
};

// A segment and what it sees.
struct Path {
  std::vector<Rows> rows;  // of its ancestors, oldest first, then its own
  int64_t total = 0;
  int64_t length = 0;  // its own rows: the last of the path
};

// Segments that see each other's tokens, directly or through another.
using Tree = std::vector<Path>;

std::vector<Tree> Trees(absl::Span<const Segment> segments) {
  std::vector<Tree> trees;
  std::vector<Path> paths(segments.size());
  std::vector<size_t> tree(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    if (segment.parent == Segment::kNoParent) {
      tree[i] = trees.size();
      trees.emplace_back();
    } else {
      tree[i] = tree[segment.parent];
      paths[i] = paths[segment.parent];
    }
    paths[i].length = segment.length();
    if (segment.length() == 0) continue;
    paths[i].rows.push_back({segment.begin, segment.end});
    paths[i].total += segment.length();
    trees[tree[i]].push_back(paths[i]);
  }
  return trees;
}

// Memory of one thread. It keeps its numbers as it grows.
template <typename T>
class Buffer {
 public:
  T* Get(int64_t size) {
    if (static_cast<int64_t>(values_.size()) < size) values_.resize(size);
    return values_.data();
  }
  T* Zeros(int64_t size) {
    T* values = Get(size);
    std::fill(values, values + size, T{0});
    return values;
  }

 private:
  std::vector<T> values_;
};

// One head of q, k, v or a gradient: rows of D numbers, `stride` apart.
template <typename T>
struct HeadRows {
  T* data;
  int64_t stride;
  T* operator[](int64_t row) const { return data + row * stride; }
  HeadRows From(int64_t row) const { return {data + row * stride, stride}; }
};

template <typename T>
HeadRows<const T> HeadOf(const at::Tensor& x, int64_t head) {
  return {x.const_data_ptr<T>() + head * x.size(2), x.size(1) * x.size(2)};
}

template <typename T>
HeadRows<T> MutableHeadOf(const at::Tensor& x, int64_t head) {
  return {x.mutable_data_ptr<T>() + head * x.size(2), x.size(1) * x.size(2)};
}

// Where a block of keys stands among those of its path, and which queries of a tile see one of them: query i,
// at position first_position + i of the path, sees key j of the block if i is in [First(j), Last(j)).
struct Block {
  int64_t begin, size;
  int64_t first_position, window;
  int64_t First(int64_t j) const { return std::clamp<int64_t>(begin + j - first_position, 0, kQueries); }
  int64_t Last(int64_t j) const {
    return window > 0 ? std::clamp<int64_t>(begin + j - first_position + window, 0, kQueries) : kQueries;
  }
};

// Puts `value` into scores [keys, kQueries] where a query does not see a key.
template <typename W>
void Hide(const Block& block, W value, W* scores) {
  for (int64_t j = 0; j < block.size; ++j) {
    W* row = scores + j * kQueries;
    std::fill(row, row + block.First(j), value);
    std::fill(row + block.Last(j), row + kQueries, value);
  }
}

// scores [keys, kQueries] -> weights exp(score - max) under the online softmax of each of the first `columns`
// queries, of which the sum, and the row of outputs [rows, width], are brought to its new maximum.
template <typename W>
PLUMB_VECTORIZED void SoftmaxColumns(const Block& block, int64_t rows, int64_t columns, int64_t width,
                                     W* scores, W* max, W* sum, W* outputs) {
  constexpr W kNothing = -std::numeric_limits<W>::infinity();
  Hide(block, kNothing, scores);
  W top[kQueries], total[kQueries] = {}, shrink[kQueries];
  std::copy(max, max + kQueries, top);
  for (int64_t j = 0; j < block.size; ++j) {
    const W* row = scores + j * kQueries;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) top[i] = row[i] > top[i] ? row[i] : top[i];
  }
#pragma omp simd
  for (int64_t i = 0; i < columns; ++i) {
    const W finite = top[i] > kNothing ? top[i] : 0;  // of a query that has seen no key yet
    shrink[i] = std::exp(max[i] - finite);
    max[i] = top[i];
    top[i] = finite;
  }
  for (int64_t j = 0; j < block.size; ++j) {
    W* row = scores + j * kQueries;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) {
      row[i] = std::exp(row[i] - top[i]);
      total[i] += row[i];
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < columns; ++i) sum[i] = sum[i] * shrink[i] + total[i];
  for (int64_t i = 0; i < rows; ++i) {
    W* output = outputs + i * width;
#pragma omp simd
    for (int64_t d = 0; d < width; ++d) output[d] *= shrink[i];
  }
}

// scores -> weights exp(score - log_sum_exp), 0 where a query does not see, and in rows up to `padded_keys`.
template <typename W>
PLUMB_VECTORIZED void WeightColumns(const Block& block, int64_t padded_keys, int64_t columns,
                                    const W* log_sum_exps, W* scores) {
  for (int64_t j = 0; j < block.size; ++j) {
    W* row = scores + j * kQueries;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) row[i] = std::exp(row[i] - log_sum_exps[i]);
  }
  Hide(block, W{0}, scores);
  std::fill(scores + block.size * kQueries, scores + padded_keys * kQueries, W{0});
}

// d_weights -> d_scores = weights (d_weights - delta).
template <typename W>
PLUMB_VECTORIZED void ScoreGradients(int64_t keys, int64_t columns, const W* weights, const W* delta,
                                     W* d_weights) {
  for (int64_t j = 0; j < keys; ++j) {
    const W* weight = weights + j * kQueries;
    W* d = d_weights + j * kQueries;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) d[i] = weight[i] * (d[i] - delta[i]);
  }
}

// to [rows, width] = scale x of `dim` columns, and back.
template <typename T>
PLUMB_VECTORIZED void WidenRows(HeadRows<const T> x, int64_t rows, int64_t dim, Wide<T> scale, Wide<T>* to,
                                int64_t width) {
  for (int64_t i = 0; i < rows; ++i) {
#pragma omp simd
    for (int64_t d = 0; d < dim; ++d) to[i * width + d] = Widen(x[i][d]) * scale;
  }
}

template <typename T>
PLUMB_VECTORIZED void StoreRow(const Wide<T>* x, Wide<T> scale, int64_t size, T* to) {
#pragma omp simd
  for (int64_t d = 0; d < size; ++d) Store(x[d] * scale, to + d);
}

// to += x [rows, width] of `dim` columns.
template <typename W>
PLUMB_VECTORIZED void AddRows(const W* x, int64_t width, int64_t rows, int64_t dim, HeadRows<W> to) {
  for (int64_t i = 0; i < rows; ++i) {
    W* sum = to[i];
#pragma omp simd
    for (int64_t d = 0; d < dim; ++d) sum[d] += x[i * width + d];
  }
}

// The product of each row of x [rows, width] with that of y.
template <typename T>
PLUMB_VECTORIZED void RowProducts(const Wide<T>* x, int64_t width, HeadRows<const T> y, int64_t rows,
                                  int64_t dim, Wide<T>* products) {
  for (int64_t i = 0; i < rows; ++i) {
    Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < dim; ++d) sum += x[i * width + d] * Widen(y[i][d]);
    products[i] = sum;
  }
}

// [rows, width] -> [dim, kQueries].
template <typename W>
void TransposeTile(const W* x, int64_t width, int64_t rows, int64_t dim, W* to) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t d = 0; d < dim; ++d) to[d * kQueries + i] = x[i * width + d];
  }
}

template <typename W>
PLUMB_VECTORIZED void Product(Strided<W> a, const W* b, int64_t b_row, W* c, int64_t c_row, int64_t rows,
                              int64_t columns, int64_t depth) {
  AddProduct(a, b, b_row, c, c_row, rows, columns, depth);
}

// What one thread works with: tiles and copies in the wide type W. `width` is D rounded up to whole products;
// so are counts of keys and queries, and what a product makes beyond them is not used.
template <typename T>
class Worker {
 public:
  using W = Wide<T>;

  Worker(int64_t head_dim, const AttentionOptions& options)
      : dim_(head_dim),
        width_(RoundUp(head_dim, kProductColumns<W>)),
        scale_(options.scale),
        window_(options.sliding_window) {}

  void SetHead(HeadRows<const T> keys, HeadRows<const T> values) {
    head_keys_ = keys;
    head_values_ = values;
    path_ = nullptr;
  }

  // Copies the path's keys and values, but for the ancestors that it shares with the last one.
  void SetPath(const Path& path) {
    const int64_t size = (path.total + kProductRows) * width_;
    keys_ = keys_buffer_.Get(size);
    values_ = values_buffer_.Get(size);
    bool known = path_ != nullptr;
    int64_t position = 0;
    for (size_t i = 0; i < path.rows.size(); ++i) {
      const Rows& rows = path.rows[i];
      known = known && i < path_->rows.size() && path_->rows[i] == rows;
      if (!known) {
        WidenRows<T>(head_keys_.From(rows.begin), rows.size(), dim_, 1, keys_ + position * width_, width_);
        WidenRows<T>(head_values_.From(rows.begin), rows.size(), dim_, 1, values_ + position * width_,
                     width_);
      }
      position += rows.size();
    }
    path_ = &path;
  }

  void Forward(HeadRows<const T> queries, HeadRows<T> output, W* log_sum_exps, int64_t log_sum_exp_stride) {
    ForEachTile(queries, [&](int64_t first_row, int64_t rows, int64_t position) {
      W* outputs = outputs_buffer_.Zeros(kQueries * width_);
      W max[kQueries], sum[kQueries] = {};
      std::fill(max, max + kQueries, -std::numeric_limits<W>::infinity());
      ForEachBlock(position, rows, [&](const Block& block) {
        W* weights = Scores(block, rows);
        SoftmaxColumns(block, rows, Columns(rows), width_, weights, max, sum, outputs);
        Product<W>({weights, 1, kQueries}, values_ + block.begin * width_, width_, outputs, width_,
                   PaddedRows(rows), width_, block.size);
      });
      for (int64_t i = 0; i < rows; ++i) {
        StoreRow<T>(outputs + i * width_, 1 / sum[i], dim_, output[first_row + i]);
        if (log_sum_exps != nullptr) {
          log_sum_exps[(first_row + i) * log_sum_exp_stride] = max[i] + std::log(sum[i]);
        }
      }
    });
  }

  // Before a path's backward passes, one for each head of queries, which add to its gradients.
  void ClearGradients() {
    const int64_t size = (path_->total + kProductRows) * width_;
    d_keys_ = d_keys_buffer_.Zeros(size);
    d_values_ = d_values_buffer_.Zeros(size);
  }

  void Backward(HeadRows<const T> queries, HeadRows<const T> output, HeadRows<const T> gradient,
                const W* log_sum_exps, int64_t log_sum_exp_stride, HeadRows<T> d_queries) {
    ForEachTile(queries, [&](int64_t first_row, int64_t rows, int64_t position) {
      W* d_outputs = d_outputs_buffer_.Get(kQueries * width_);
      WidenRows<T>(gradient.From(first_row), rows, dim_, 1, d_outputs, width_);
      W* transposed_d_outputs = transposed_d_outputs_buffer_.Get(dim_ * kQueries);
      TransposeTile(d_outputs, width_, rows, dim_, transposed_d_outputs);
      W* d_query = outputs_buffer_.Zeros(kQueries * width_);
      W delta[kQueries] = {}, log_sum_exp[kQueries] = {};
      RowProducts<T>(d_outputs, width_, output.From(first_row), rows, dim_, delta);
      for (int64_t i = 0; i < rows; ++i) log_sum_exp[i] = log_sum_exps[(first_row + i) * log_sum_exp_stride];
      const int64_t columns = Columns(rows);
      ForEachBlock(position, rows, [&](const Block& block) {
        const int64_t offset = block.begin * width_, padded_keys = PaddedRows(block.size);
        W* weights = Scores(block, rows);
        WeightColumns(block, padded_keys, columns, log_sum_exp, weights);
        Product<W>({weights, kQueries, 1}, d_outputs, width_, d_values_ + offset, width_, padded_keys, width_,
                   rows);
        W* d_scores = d_scores_buffer_.Zeros(padded_keys * kQueries);
        Product<W>({values_ + offset, width_, 1}, transposed_d_outputs, kQueries, d_scores, kQueries,
                   padded_keys, columns, dim_);
        ScoreGradients(padded_keys, columns, weights, delta, d_scores);
        Product<W>({d_scores, 1, kQueries}, keys_ + offset, width_, d_query, width_, PaddedRows(rows), width_,
                   block.size);
        Product<W>({d_scores, kQueries, 1}, query_tile_, width_, d_keys_ + offset, width_, padded_keys,
                   width_, rows);
      });
      for (int64_t i = 0; i < rows; ++i) {
        StoreRow<T>(d_query + i * width_, scale_, dim_, d_queries[first_row + i]);
      }
    });
  }

  // Adds the path's gradients of keys and values.
  void AddGradients(HeadRows<W> d_keys, HeadRows<W> d_values) const {
    int64_t position = 0;
    for (const Rows& rows : path_->rows) {
      AddRows(d_keys_ + position * width_, width_, rows.size(), dim_, d_keys.From(rows.begin));
      AddRows(d_values_ + position * width_, width_, rows.size(), dim_, d_values.From(rows.begin));
      position += rows.size();
    }
  }

 private:
  static int64_t PaddedRows(int64_t rows) { return RoundUp(rows, kProductRows); }
  static int64_t Columns(int64_t queries) { return RoundUp(queries, kProductColumns<W>); }

  // Calls body(first row, rows, position of the first in the path) with the scaled queries in query_tile_.
  template <typename Body>
  void ForEachTile(HeadRows<const T> queries, const Body& body) {
    const Rows own = path_->rows.back();
    for (int64_t begin = 0; begin < path_->length; begin += kQueries) {
      const int64_t rows = std::min(kQueries, path_->length - begin);
      query_tile_ = query_buffer_.Get(kQueries * width_);
      transposed_queries_ = transposed_queries_buffer_.Get(dim_ * kQueries);
      WidenRows<T>(queries.From(own.begin + begin), rows, dim_, scale_, query_tile_, width_);
      TransposeTile(query_tile_, width_, rows, dim_, transposed_queries_);
      body(own.begin + begin, rows, path_->total - path_->length + begin);
    }
  }

  // Calls body for the blocks of which the tile's queries see something.
  template <typename Body>
  void ForEachBlock(int64_t position, int64_t rows, const Body& body) const {
    const int64_t first = window_ > 0 ? std::max<int64_t>(0, position - window_ + 1) : 0;
    for (int64_t begin = first; begin < position + rows; begin += kKeys) {
      body(Block{begin, std::min(kKeys, position + rows - begin), position, window_});
    }
  }

  // [keys, kQueries].
  W* Scores(const Block& block, int64_t rows) {
    const int64_t padded_keys = PaddedRows(block.size);
    W* scores = scores_buffer_.Zeros(padded_keys * kQueries);
    Product<W>({keys_ + block.begin * width_, width_, 1}, transposed_queries_, kQueries, scores, kQueries,
               padded_keys, Columns(rows), dim_);
    return scores;
  }

  const int64_t dim_, width_;
  const W scale_;
  const int64_t window_;
  HeadRows<const T> head_keys_ = {}, head_values_ = {};
  const Path* path_ = nullptr;
  W *query_tile_ = nullptr, *transposed_queries_ = nullptr;  // [kQueries, width], [D, kQueries]
  W *keys_ = nullptr, *values_ = nullptr;                    // of the path: [total, width]
  W *d_keys_ = nullptr, *d_values_ = nullptr;
  Buffer<W> query_buffer_, transposed_queries_buffer_, scores_buffer_, d_scores_buffer_, outputs_buffer_,
      d_outputs_buffer_, transposed_d_outputs_buffer_, keys_buffer_, values_buffer_, d_keys_buffer_,
      d_values_buffer_;
};

// Calls body(worker, tree, key head) for each, in parallel, key head after key head, so that threads get the
// same mix of trees.
template <typename T, typename Body>
void ForEachTree(const std::vector<Tree>& trees, const at::Tensor& k, const AttentionOptions& options,
                 const Body& body) {
  const int64_t count = trees.size();
  at::parallel_for(0, count * k.size(1), /*grain_size=*/1, [&](int64_t first, int64_t last) {
    Worker<T> worker(k.size(2), options);
    for (int64_t task = first; task < last; ++task) body(&worker, trees[task % count], task / count);
  });
}

template <typename T>
void Forward(const std::vector<Tree>& trees, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
             const AttentionOptions& options, const at::Tensor& output, const at::Tensor& log_sum_exps) {
  using W = typename Worker<T>::W;
  const int64_t heads = q.size(1), group = heads / k.size(1);
  W* sums = log_sum_exps.defined() ? log_sum_exps.mutable_data_ptr<W>() : nullptr;
  ForEachTree<T>(trees, k, options, [&](Worker<T>* worker, const Tree& tree, int64_t key_head) {
    worker->SetHead(HeadOf<T>(k, key_head), HeadOf<T>(v, key_head));
    for (const Path& path : tree) {
      worker->SetPath(path);
      for (int64_t head = key_head * group; head < (key_head + 1) * group; ++head) {
        worker->Forward(HeadOf<T>(q, head), MutableHeadOf<T>(output, head),
                        sums == nullptr ? sums : sums + head, heads);
      }
    }
  });
}

// d_k and d_v are of the wide type and zero.
template <typename T>
void Backward(const std::vector<Tree>& trees, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
              const AttentionOptions& options, const at::Tensor& output, const at::Tensor& log_sum_exps,
              const at::Tensor& gradient, const at::Tensor& d_q, const at::Tensor& d_k,
              const at::Tensor& d_v) {
  using W = typename Worker<T>::W;
  const int64_t heads = q.size(1), group = heads / k.size(1);
  const W* sums = log_sum_exps.const_data_ptr<W>();
  ForEachTree<T>(trees, k, options, [&](Worker<T>* worker, const Tree& tree, int64_t key_head) {
    worker->SetHead(HeadOf<T>(k, key_head), HeadOf<T>(v, key_head));
    for (const Path& path : tree) {
      worker->SetPath(path);
      worker->ClearGradients();
      for (int64_t head = key_head * group; head < (key_head + 1) * group; ++head) {
        worker->Backward(HeadOf<T>(q, head), HeadOf<T>(output, head), HeadOf<T>(gradient, head), sums + head,
                         heads, MutableHeadOf<T>(d_q, head));
      }
      worker->AddGradients(MutableHeadOf<W>(d_k, key_head), MutableHeadOf<W>(d_v, key_head));
    }
  });
}

at::Tensor FusedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          absl::Span<const Segment> segments, const AttentionOptions& options) {
  const bool needs_gradient = NeedsGradient({q, k, v});
  std::vector<Tree> trees = Trees(segments);
  const at::Tensor output = at::empty(q.sizes(), q.options());
  at::Tensor log_sum_exps;
  if (needs_gradient)
    log_sum_exps = at::empty({q.size(0), q.size(1)}, q.options().dtype(WideType(q.scalar_type())));
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, q.scalar_type(), "PackedAttention",
                                 [&] { Forward<scalar_t>(trees, q, k, v, options, output, log_sum_exps); });
  if (!needs_gradient) return output;
  RecordBackward("PackedAttentionBackward", {q, k, v}, {q, k, v, output.detach(), log_sum_exps}, output,
                 [trees = std::move(trees), options](const BackwardPass& pass) {
                   const at::Tensor &q = pass.saved[0], &k = pass.saved[1], &v = pass.saved[2];
                   const at::Tensor d_q = at::empty(q.sizes(), q.options());
                   const auto wide = k.options().dtype(WideType(k.scalar_type()));
                   const at::Tensor d_k = at::zeros(k.sizes(), wide), d_v = at::zeros(v.sizes(), wide);
                   AT_DISPATCH_FLOATING_TYPES_AND(
                       at::kBFloat16, q.scalar_type(), "PackedAttentionBackward", [&] {
                         Backward<scalar_t>(trees, q, k, v, options, pass.saved[3], pass.saved[4],
                                            pass.gradient, d_q, d_k, d_v);
                       });
                   return std::vector<at::Tensor>{d_q, d_k.to(k.scalar_type()), d_v.to(v.scalar_type())};
                 });
  return output;
}

// Rows of the segment's ancestors, oldest first, then its own: [Hkv, T, D].
at::Tensor WithAncestors(const at::Tensor& x, absl::Span<const Segment> segments, int index) {
  std::vector<at::Tensor> parts;
  for (int i = index; i != Segment::kNoParent; i = segments[i].parent) {
    parts.insert(parts.begin(), x.narrow(0, segments[i].begin, segments[i].length()));
  }
  return (parts.size() == 1 ? parts[0] : at::cat(parts)).transpose(0, 1);
}

// A call of LibTorch's own for each segment, with a mask where it has ancestors or a sliding window.
at::Tensor UnfusedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            absl::Span<const Segment> segments, const AttentionOptions& options) {
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t length = segments[i].length();
    if (length == 0) continue;
    const at::Tensor queries = q.narrow(0, segments[i].begin, length).transpose(0, 1).unsqueeze(0);
    const at::Tensor keys = WithAncestors(k, segments, i).unsqueeze(0);
    const at::Tensor values = WithAncestors(v, segments, i).unsqueeze(0);
    const int64_t total = keys.size(2);
    const bool plain = total == length && options.sliding_window == 0;
    std::optional<at::Tensor> mask;
    if (!plain) {
      const at::Tensor distance = at::arange(total - length, total, at::kLong).unsqueeze(1) -
                                  at::arange(total, at::kLong).unsqueeze(0);
      mask = distance.ge(0);
      if (options.sliding_window > 0) mask = mask->logical_and(distance.lt(options.sliding_window));
    }
    outputs.push_back(at::scaled_dot_product_attention(queries, keys, values, mask, 0.0, plain, options.scale,
                                                       /*enable_gqa=*/q.size(1) != k.size(1))
                          .squeeze(0)
                          .transpose(0, 1));
  }
  return outputs.empty() ? at::empty_like(q) : at::cat(outputs);
}

}  // namespace

at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           absl::Span<const Segment> segments, const AttentionOptions& options) {
  TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
                  q.size(2) == k.size(2) && k.size(1) > 0 && q.size(1) % k.size(1) == 0,
              "PackedAttention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes(),
              "; expected [N, Hq, D], [N, Hkv, D], [N, Hkv, D] with Hq a multiple of Hkv");
  if (!FusedKernels() || !q.is_cpu() || q.scalar_type() == at::kHalf) {
    return UnfusedAttention(q, k, v, segments, options);
  }
  return FusedAttention(q.contiguous(), k.contiguous(), v.contiguous(), segments, options);
}

}  // namespace plumb
