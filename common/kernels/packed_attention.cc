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

// Scores are made by tiles of so many queries and keys (Dao et al. 2022, FlashAttention, arXiv 2205.14135).
constexpr int64_t kQueries = 48;
constexpr int64_t kKeys = 96;
static_assert(kQueries % kProductRows == 0 && kKeys % kProductRows == 0 &&
              kKeys % kProductColumns<float> == 0 && kKeys % kProductColumns<double> == 0);

// Rows of the batch.
struct Rows {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
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

// Memory of one thread, of which a whole number of T is taken at a time.
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
};

template <typename T>
HeadRows<const T> HeadOf(const at::Tensor& x, int64_t head) {
  return {x.const_data_ptr<T>() + head * x.size(2), x.size(1) * x.size(2)};
}

template <typename T>
HeadRows<T> MutableHeadOf(const at::Tensor& x, int64_t head) {
  return {x.mutable_data_ptr<T>() + head * x.size(2), x.size(1) * x.size(2)};
}

// Where a block of keys stands among those of its path, and which of its keys the queries of a tile see:
// query i, at position first_position + i of the path, sees [First(i), Last(i)) of the block.
struct Block {
  int64_t begin, size;
  int64_t first_position, window;
  int64_t First(int64_t i) const {
    return window > 0 ? std::clamp<int64_t>(first_position + i - window + 1 - begin, 0, size) : 0;
  }
  int64_t Last(int64_t i) const { return std::clamp<int64_t>(first_position + i + 1 - begin, 0, size); }
};

// scores [rows, kKeys] -> weights exp(score - max) under the online softmax of each row, whose sums and
// outputs [rows, width] are brought to its new maximum.
template <typename W>
PLUMB_VECTORIZED void SoftmaxRows(const Block& block, int64_t rows, int64_t columns, int64_t width, W* scores,
                                  W* max, W* sum, W* outputs) {
  for (int64_t i = 0; i < rows; ++i) {
    W* row = scores + i * kKeys;
    const int64_t first = block.First(i), last = block.Last(i);
    for (int64_t j = 0; j < first; ++j) row[j] = -std::numeric_limits<W>::infinity();
    for (int64_t j = last; j < columns; ++j) row[j] = -std::numeric_limits<W>::infinity();
    W top = max[i];
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < columns; ++j) top = row[j] > top ? row[j] : top;
    if (first >= last) {
      for (int64_t j = 0; j < columns; ++j) row[j] = 0;
      continue;
    }
    W total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < columns; ++j) {
      row[j] = std::exp(row[j] - top);
      total += row[j];
    }
    const W shrink = std::exp(max[i] - top);
    max[i] = top;
    sum[i] = sum[i] * shrink + total;
    W* output = outputs + i * width;
#pragma omp simd
    for (int64_t d = 0; d < width; ++d) output[d] *= shrink;
  }
}

// scores -> weights exp(score - log_sum_exp), 0 where a query does not see.
template <typename W>
PLUMB_VECTORIZED void WeightRows(const Block& block, int64_t rows, int64_t columns, const W* log_sum_exps,
                                 W* scores) {
  for (int64_t i = 0; i < rows; ++i) {
    W* row = scores + i * kKeys;
    const int64_t first = block.First(i), last = block.Last(i);
    const W log_sum_exp = log_sum_exps[i];
#pragma omp simd
    for (int64_t j = 0; j < columns; ++j) row[j] = std::exp(row[j] - log_sum_exp);
    for (int64_t j = 0; j < std::min(first, columns); ++j) row[j] = 0;
    for (int64_t j = last; j < columns; ++j) row[j] = 0;
  }
}

// d_weights -> d_scores = weights (d_weights - delta).
template <typename W>
PLUMB_VECTORIZED void ScoreGradients(int64_t rows, int64_t columns, const W* weights, const W* delta,
                                     W* d_weights) {
  for (int64_t i = 0; i < rows; ++i) {
    const W* weight = weights + i * kKeys;
    W* d = d_weights + i * kKeys;
#pragma omp simd
    for (int64_t j = 0; j < columns; ++j) d[j] = weight[j] * (d[j] - delta[i]);
  }
}

// to = scale x of `size` numbers, and back.
template <typename T>
PLUMB_VECTORIZED void WidenRow(const T* x, Wide<T> scale, int64_t size, Wide<T>* to) {
#pragma omp simd
  for (int64_t d = 0; d < size; ++d) to[d] = Widen(x[d]) * scale;
}

template <typename T>
PLUMB_VECTORIZED void StoreRow(const Wide<T>* x, Wide<T> scale, int64_t size, T* to) {
#pragma omp simd
  for (int64_t d = 0; d < size; ++d) Store(x[d] * scale, to + d);
}

template <typename W>
PLUMB_VECTORIZED void Product(Strided<W> a, const W* b, int64_t b_row, W* c, int64_t c_row, int64_t rows,
                              int64_t columns, int64_t depth) {
  AddProduct(a, b, b_row, c, c_row, rows, columns, depth);
}

// What one thread works with: tiles and copies in the wide type W, padded with zeros to whole products.
// `width` is D rounded up.
template <typename T>
class Worker {
 public:
  using W = Wide<T>;

  Worker(int64_t head_dim, const AttentionOptions& options)
      : dim_(head_dim),
        width_(RoundUp(head_dim, kProductColumns<W>)),
        scale_(options.scale),
        window_(options.sliding_window) {}

  // Copies a path's keys and values where the passes find them. `backward`: also their other layouts.
  void SetPath(const Path& path, HeadRows<const T> keys, HeadRows<const T> values, bool backward) {
    path_ = &path;
    const int64_t padded = RoundUp(path.total, kKeys);
    transposed_keys_ = Transposed(path, keys, &transposed_keys_buffer_);
    values_ = Widened(path, values, padded, &values_buffer_);
    if (!backward) return;
    transposed_values_ = Transposed(path, values, &transposed_values_buffer_);
    keys_ = Widened(path, keys, padded, &keys_buffer_);
    d_keys_ = d_keys_buffer_.Zeros(padded * width_);
    d_values_ = d_values_buffer_.Zeros(padded * width_);
  }

  void Forward(HeadRows<const T> queries, HeadRows<T> output, W* log_sum_exps, int64_t log_sum_exp_stride) {
    ForEachTile(queries, [&](int64_t first_row, int64_t rows, int64_t position) {
      W* outputs = outputs_buffer_.Zeros(kQueries * width_);
      W max[kQueries], sum[kQueries] = {};
      std::fill(max, max + kQueries, -std::numeric_limits<W>::infinity());
      ForEachBlock(position, rows, [&](const Block& block) {
        W* scores = Scores(block, rows);
        SoftmaxRows(block, rows, Columns(block), width_, scores, max, sum, outputs);
        Product<W>({scores, kKeys, 1}, values_ + block.begin * width_, width_, outputs, width_,
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

  void Backward(HeadRows<const T> queries, HeadRows<const T> output, HeadRows<const T> gradient,
                const W* log_sum_exps, int64_t log_sum_exp_stride, HeadRows<T> d_queries) {
    ForEachTile(queries, [&](int64_t first_row, int64_t rows, int64_t position) {
      W* d_outputs = d_outputs_buffer_.Zeros(kQueries * width_);
      W* d_query = outputs_buffer_.Zeros(kQueries * width_);
      W delta[kQueries], log_sum_exp[kQueries];
      for (int64_t i = 0; i < rows; ++i) {
        const W* d_output = d_outputs + i * width_;
        const T* result = output[first_row + i];
        WidenRow<T>(gradient[first_row + i], 1, dim_, d_outputs + i * width_);
        log_sum_exp[i] = log_sum_exps[(first_row + i) * log_sum_exp_stride];
        delta[i] = 0;
        for (int64_t d = 0; d < dim_; ++d) delta[i] += d_output[d] * Widen(result[d]);
      }
      const int64_t padded_rows = PaddedRows(rows);
      ForEachBlock(position, rows, [&](const Block& block) {
        const int64_t columns = Columns(block), padded_keys = RoundUp(block.size, kProductRows);
        W* weights = Scores(block, rows);
        WeightRows(block, rows, columns, log_sum_exp, weights);
        Product<W>({weights, 1, kKeys}, d_outputs, width_, d_values_ + block.begin * width_, width_,
                   padded_keys, width_, rows);
        W* d_scores = d_scores_buffer_.Zeros(kQueries * kKeys);
        Product<W>({d_outputs, width_, 1}, transposed_values_ + block.begin * dim_, kKeys, d_scores, kKeys,
                   padded_rows, columns, dim_);
        ScoreGradients(rows, columns, weights, delta, d_scores);
        Product<W>({d_scores, kKeys, 1}, keys_ + block.begin * width_, width_, d_query, width_, padded_rows,
                   width_, block.size);
        Product<W>({d_scores, 1, kKeys}, query_tile_, width_, d_keys_ + block.begin * width_, width_,
                   padded_keys, width_, rows);
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
      for (int64_t row = rows.begin; row < rows.end; ++row, ++position) {
        for (int64_t d = 0; d < dim_; ++d) {
          d_keys[row][d] += d_keys_[position * width_ + d];
          d_values[row][d] += d_values_[position * width_ + d];
        }
      }
    }
  }

 private:
  static int64_t PaddedRows(int64_t rows) { return RoundUp(rows, kProductRows); }
  static int64_t Columns(const Block& block) { return RoundUp(block.size, kProductColumns<W>); }

  // [padded, width] of the path's rows.
  W* Widened(const Path& path, HeadRows<const T> x, int64_t padded, Buffer<W>* buffer) {
    W* to = buffer->Zeros(padded * width_);
    W* next = to;
    for (const Rows& rows : path.rows) {
      for (int64_t row = rows.begin; row < rows.end; ++row, next += width_) {
        WidenRow<T>(x[row], 1, dim_, next);
      }
    }
    return to;
  }

  // Block after block of [D, kKeys].
  W* Transposed(const Path& path, HeadRows<const T> x, Buffer<W>* buffer) {
    W* to = buffer->Zeros(RoundUp(path.total, kKeys) * dim_);
    int64_t position = 0;
    for (const Rows& rows : path.rows) {
      for (int64_t row = rows.begin; row < rows.end; ++row, ++position) {
        W* column = to + position / kKeys * kKeys * dim_ + position % kKeys;
        for (int64_t d = 0; d < dim_; ++d) column[d * kKeys] = Widen(x[row][d]);
      }
    }
    return to;
  }

  // Calls body(first row, rows, position of the first in the path) with the scaled queries in query_tile_.
  template <typename Body>
  void ForEachTile(HeadRows<const T> queries, const Body& body) {
    const Rows own = path_->rows.back();
    for (int64_t begin = 0; begin < path_->length; begin += kQueries) {
      const int64_t rows = std::min(kQueries, path_->length - begin);
      query_tile_ = query_buffer_.Zeros(kQueries * width_);
      for (int64_t i = 0; i < rows; ++i) {
        WidenRow<T>(queries[own.begin + begin + i], scale_, dim_, query_tile_ + i * width_);
      }
      body(own.begin + begin, rows, path_->total - path_->length + begin);
    }
  }

  // Calls body for the blocks of which the tile's queries see something.
  template <typename Body>
  void ForEachBlock(int64_t position, int64_t rows, const Body& body) const {
    const int64_t first = window_ > 0 ? std::max<int64_t>(0, position - window_ + 1) : 0;
    for (int64_t begin = first / kKeys * kKeys; begin < position + rows; begin += kKeys) {
      body(Block{begin, std::min(kKeys, path_->total - begin), position, window_});
    }
  }

  // [kQueries, kKeys]; rows and columns beyond the tile are 0.
  W* Scores(const Block& block, int64_t rows) {
    W* scores = scores_buffer_.Zeros(kQueries * kKeys);
    Product<W>({query_tile_, width_, 1}, transposed_keys_ + block.begin * dim_, kKeys, scores, kKeys,
               PaddedRows(rows), Columns(block), dim_);
    return scores;
  }

  const int64_t dim_, width_;
  const W scale_;
  const int64_t window_;
  const Path* path_ = nullptr;
  W *query_tile_ = nullptr, *transposed_keys_ = nullptr, *transposed_values_ = nullptr, *keys_ = nullptr,
    *values_ = nullptr, *d_keys_ = nullptr, *d_values_ = nullptr;
  Buffer<W> query_buffer_, scores_buffer_, d_scores_buffer_, outputs_buffer_, d_outputs_buffer_,
      transposed_keys_buffer_, transposed_values_buffer_, keys_buffer_, values_buffer_, d_keys_buffer_,
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
    for (const Path& path : tree) {
      worker->SetPath(path, HeadOf<T>(k, key_head), HeadOf<T>(v, key_head), /*backward=*/false);
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
    for (const Path& path : tree) {
      worker->SetPath(path, HeadOf<T>(k, key_head), HeadOf<T>(v, key_head), /*backward=*/true);
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
