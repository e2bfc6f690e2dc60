#include "common/kernels/paged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

// Query rows (a token and a head each) that go over a block together, while it is in the nearest cache.
constexpr int64_t kTaskRows = 16;

// Rows of one task on their way over the blocks: an online softmax each.
template <typename A>
struct QueryRows {
  QueryRows(int64_t rows, int64_t dim) : queries(rows * dim), outputs(rows * dim), max(rows), sum(rows) {}
  void Reset() {
    std::fill(outputs.begin(), outputs.end(), A{0});
    std::fill(max.begin(), max.end(), -std::numeric_limits<A>::infinity());
    std::fill(sum.begin(), sum.end(), A{0});
  }
  std::vector<A> queries;   // [rows, D], scaled
  std::vector<A> outputs;   // [rows, D], of weights exp(score - max)
  std::vector<A> max, sum;  // of the scores; of the weights
};

// Takes rows [row, row + R) over a block: keys [D, kBlockTokens], values [kBlockTokens, D]. Row row + r sees
// tokens [first[r], last[r]) of the block, maybe none.
template <typename A, int R>
PLUMB_VECTORIZED void AttendToBlock(const A* keys, const A* values, int64_t dim, const int64_t* first,
                                    const int64_t* last, const A* queries, A* outputs, A* max, A* sum) {
  using V = typename Vector<A>::type;
  constexpr int64_t kLanes = Vector<A>::kLanes, kStep = 2 * kLanes;
  A weights[R][kBlockTokens], shrink[R];
  for (int64_t token = 0; token < kBlockTokens; token += kStep) {
    V low[R] = {}, high[R] = {};
    for (int64_t d = 0; d < dim; ++d) {
      const V k_low = *reinterpret_cast<const V*>(keys + d * kBlockTokens + token);
      const V k_high = *reinterpret_cast<const V*>(keys + d * kBlockTokens + token + kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        low[r] += queries[r * dim + d] * k_low;
        high[r] += queries[r * dim + d] * k_high;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      *reinterpret_cast<V*>(&weights[r][token]) = low[r];
      *reinterpret_cast<V*>(&weights[r][token + kLanes]) = high[r];
    }
  }
  int64_t begin = kBlockTokens, end = 0;
  for (int r = 0; r < R; ++r) {
    A* w = weights[r];
    if (first[r] >= last[r]) {
      std::fill_n(w, kBlockTokens, A{0});
      shrink[r] = 1;
      continue;
    }
    begin = std::min(begin, first[r]);
    end = std::max(end, last[r]);
    std::fill(w, w + first[r], -std::numeric_limits<A>::infinity());
    std::fill(w + last[r], w + kBlockTokens, -std::numeric_limits<A>::infinity());
    A largest = max[r];
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < kBlockTokens; ++i) largest = w[i] > largest ? w[i] : largest;
    shrink[r] = std::exp(max[r] - largest);
    max[r] = largest;
    A total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < kBlockTokens; ++i) {
      w[i] = std::exp(w[i] - largest);
      total += w[i];
    }
    sum[r] = sum[r] * shrink[r] + total;
  }
  int64_t d = 0;
  for (; d + kStep <= dim; d += kStep) {
    V low[R], high[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      low[r] = *reinterpret_cast<const V*>(outputs + r * dim + d) * shrink[r];
      high[r] = *reinterpret_cast<const V*>(outputs + r * dim + d + kLanes) * shrink[r];
    }
    for (int64_t i = begin; i < end; ++i) {
      const V v_low = *reinterpret_cast<const V*>(values + i * dim + d);
      const V v_high = *reinterpret_cast<const V*>(values + i * dim + d + kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        low[r] += weights[r][i] * v_low;
        high[r] += weights[r][i] * v_high;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      *reinterpret_cast<V*>(outputs + r * dim + d) = low[r];
      *reinterpret_cast<V*>(outputs + r * dim + d + kLanes) = high[r];
    }
  }
  for (; d < dim; ++d) {
    for (int r = 0; r < R; ++r) {
      A total = outputs[r * dim + d] * shrink[r];
      for (int64_t i = begin; i < end; ++i) total += weights[r][i] * values[i * dim + d];
      outputs[r * dim + d] = total;
    }
  }
}

template <typename T, typename A>
PLUMB_VECTORIZED void Widen(const T* x, int64_t size, A* wide) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) wide[i] = static_cast<A>(x[i]);
}

// New tokens [begin, end) of a sequence under one key head.
struct Task {
  const PagedSequence* sequence;
  int64_t key_head;
  int64_t begin, end;
};

// T: of the tensors; A: of the computation.
template <typename T, typename A>
class Attender {
 public:
  Attender(const at::Tensor& q, const at::Tensor& output, int64_t key_heads, int64_t layer,
           const AttentionOptions& options)
      : q_(q.const_data_ptr<T>()),
        output_(output.mutable_data_ptr<T>()),
        heads_(q.size(1)),
        dim_(q.size(2)),
        key_heads_(key_heads),
        group_(heads_ / key_heads),
        layer_(layer),
        options_(options) {}

  // Whole groups of query heads; at least one token.
  int64_t TokensPerTask() const { return std::max<int64_t>(1, kTaskRows / group_); }

  void Run(absl::Span<const Task> tasks) const {
    QueryRows<A> rows(TokensPerTask() * group_, dim_);
    std::vector<A> wide(std::is_same_v<T, A> ? 0 : 2 * kBlockTokens * dim_);
    std::vector<int64_t> first(rows.max.size()), last(rows.max.size());
    for (const Task& task : tasks) RunTask(task, &rows, wide.data(), first.data(), last.data());
  }

 private:
  void RunTask(const Task& task, QueryRows<A>* rows, A* wide, int64_t* first, int64_t* last) const {
    const PagedSequence& sequence = *task.sequence;
    const int64_t count = (task.end - task.begin) * group_;
    const auto offset = [&](int64_t row) {  // of a query row in q and the output
      const int64_t token = sequence.begin + task.begin + row / group_;
      return (token * heads_ + task.key_head * group_ + row % group_) * dim_;
    };
    rows->Reset();
    for (int64_t row = 0; row < count; ++row) {
      const T* query = q_ + offset(row);
      for (int64_t d = 0; d < dim_; ++d) {
        rows->queries[row * dim_ + d] = static_cast<A>(query[d]) * static_cast<A>(options_.scale);
      }
    }
    const int64_t window = options_.sliding_window > 0 ? options_.sliding_window : sequence.past + task.end;
    const int64_t size = kBlockTokens * dim_;
    const int64_t seen_first = std::max<int64_t>(0, sequence.past + task.begin + 1 - window);
    for (int64_t block = seen_first / kBlockTokens; block * kBlockTokens < sequence.past + task.end;
         ++block) {
      for (int64_t row = 0; row < count; ++row) {
        const int64_t end = sequence.past + task.begin + row / group_ + 1;
        first[row] = std::max<int64_t>(0, end - window - block * kBlockTokens);
        last[row] = std::clamp<int64_t>(end - block * kBlockTokens, 0, kBlockTokens);
      }
      const T* layer = sequence.blocks[block].template const_data_ptr<T>() + layer_ * 2 * key_heads_ * size;
      const T* keys = layer + task.key_head * size;
      const T* values = layer + (key_heads_ + task.key_head) * size;
      if constexpr (std::is_same_v<T, A>) {
        Attend(keys, values, count, first, last, rows);
      } else {
        const int64_t held =
            std::min(sequence.past + sequence.end - sequence.begin - block * kBlockTokens, kBlockTokens);
        Widen(keys, size, wide);
        Widen(values, held * dim_, wide + size);
        Attend(wide, wide + size, count, first, last, rows);
      }
    }
    for (int64_t row = 0; row < count; ++row) {
      T* out = output_ + offset(row);
      for (int64_t d = 0; d < dim_; ++d) {
        out[d] = static_cast<T>(rows->outputs[row * dim_ + d] / rows->sum[row]);
      }
    }
  }

  void Attend(const A* keys, const A* values, int64_t count, const int64_t* first, const int64_t* last,
              QueryRows<A>* rows) const {
    int64_t row = 0;
    const auto attend = [&](auto body, int64_t height) {
      for (; row + height <= count; row += height) {
        body(keys, values, dim_, first + row, last + row, rows->queries.data() + row * dim_,
             rows->outputs.data() + row * dim_, rows->max.data() + row, rows->sum.data() + row);
      }
    };
    attend(AttendToBlock<A, 4>, 4);
    attend(AttendToBlock<A, 2>, 2);
    attend(AttendToBlock<A, 1>, 1);
  }

  const T* q_;
  T* output_;
  int64_t heads_, dim_, key_heads_, group_, layer_;
  const AttentionOptions& options_;
};

template <typename T, typename A>
void Attend(const at::Tensor& q, absl::Span<const PagedSequence> sequences, int64_t key_heads, int64_t layer,
            const AttentionOptions& options, const at::Tensor& output) {
  const Attender<T, A> attender(q, output, key_heads, layer, options);
  std::vector<Task> tasks;
  int64_t seen = 0;
  for (const PagedSequence& sequence : sequences) {
    const int64_t count = sequence.end - sequence.begin, step = attender.TokensPerTask();
    seen += sequence.past * std::min<int64_t>(count, step) + count;
    for (int64_t begin = 0; begin < count; begin += step) {
      for (int64_t head = 0; head < key_heads; ++head) {
        tasks.push_back({&sequence, head, begin, std::min(begin + step, count)});
      }
    }
  }
  // A thread is worth its while from some ten thousand products on.
  const int64_t products = seen * q.size(1) * q.size(2);
  const int64_t grain = 1 + (int64_t{1} << 14) * tasks.size() / (products + 1);
  at::parallel_for(0, tasks.size(), grain, [&](int64_t begin, int64_t end) {
    attender.Run(absl::MakeConstSpan(tasks).subspan(begin, end - begin));
  });
}

template <typename T>
void Store(const at::Tensor& k, const at::Tensor& v, absl::Span<const PagedSequence> sequences,
           int64_t layer) {
  const int64_t key_heads = k.size(1), dim = k.size(2), size = kBlockTokens * dim;
  const T *from_k = k.const_data_ptr<T>(), *from_v = v.const_data_ptr<T>();
  for (const PagedSequence& sequence : sequences) {
    for (int64_t row = sequence.begin; row < sequence.end; ++row) {
      const int64_t token = sequence.past + row - sequence.begin, place = token % kBlockTokens;
      T* keys =
          sequence.blocks[token / kBlockTokens].template mutable_data_ptr<T>() + layer * 2 * key_heads * size;
      T* values = keys + key_heads * size;
      for (int64_t head = 0; head < key_heads; ++head) {
        const T* key = from_k + (row * key_heads + head) * dim;
        for (int64_t d = 0; d < dim; ++d) keys[head * size + d * kBlockTokens + place] = key[d];
        std::copy_n(from_v + (row * key_heads + head) * dim, dim, values + head * size + place * dim);
      }
    }
  }
}

void CheckBlocks(absl::Span<const PagedSequence> sequences, const at::Tensor& rows) {
  for (const PagedSequence& sequence : sequences) {
    const int64_t tokens = sequence.past + sequence.end - sequence.begin;
    TORCH_CHECK(static_cast<int64_t>(sequence.blocks.size()) * kBlockTokens >= tokens,
                "paged attention: ", sequence.blocks.size(), " blocks of ", kBlockTokens, " tokens for ",
                tokens);
    TORCH_CHECK(0 <= sequence.begin && sequence.begin < sequence.end && sequence.end <= rows.size(0),
                "paged attention: rows ", sequence.begin, "..", sequence.end, " of ", rows.sizes());
    for (const at::Tensor& block : sequence.blocks) {
      TORCH_CHECK(block.scalar_type() == rows.scalar_type() && block.is_contiguous() &&
                      block.size(3) == kBlockTokens * rows.size(2) && rows.size(1) % block.size(2) == 0,
                  "paged attention: a block of ", block.scalar_type(), " ", block.sizes(), " for rows of ",
                  rows.scalar_type(), " ", rows.sizes());
    }
  }
}

}  // namespace

at::Tensor EmptyBlock(int64_t layers, int64_t key_heads, int64_t head_dim, at::ScalarType dtype) {
  return at::empty({layers, 2, key_heads, kBlockTokens * head_dim}, at::TensorOptions().dtype(dtype));
}

void StoreInBlocks(const at::Tensor& k, const at::Tensor& v, absl::Span<const PagedSequence> sequences,
                   int64_t layer) {
  CheckBlocks(sequences, k);
  const at::Tensor keys = k.contiguous(), values = v.contiguous();
  switch (k.scalar_type()) {
    case at::kFloat:
      return Store<float>(keys, values, sequences, layer);
    case at::kDouble:
      return Store<double>(keys, values, sequences, layer);
    case at::kBFloat16:
      return Store<at::BFloat16>(keys, values, sequences, layer);
    case at::kHalf:
      return Store<at::Half>(keys, values, sequences, layer);
    default:
      TORCH_CHECK(false, "paged attention: ", k.scalar_type(), "; expected f32, f64, bf16 or f16");
  }
}

at::Tensor PagedAttention(const at::Tensor& q, absl::Span<const PagedSequence> sequences, int64_t layer,
                          const AttentionOptions& options) {
  CheckBlocks(sequences, q);
  const at::Tensor queries = q.contiguous();
  const at::Tensor output = at::empty(q.sizes(), q.options());
  if (sequences.empty()) return output;
  const int64_t key_heads = sequences[0].blocks[0].size(2);
  switch (q.scalar_type()) {
    case at::kFloat:
      Attend<float, float>(queries, sequences, key_heads, layer, options, output);
      break;
    case at::kDouble:
      Attend<double, double>(queries, sequences, key_heads, layer, options, output);
      break;
    case at::kBFloat16:
      Attend<at::BFloat16, float>(queries, sequences, key_heads, layer, options, output);
      break;
    case at::kHalf:
      Attend<at::Half, float>(queries, sequences, key_heads, layer, options, output);
      break;
    default:
      TORCH_CHECK(false, "paged attention: ", q.scalar_type(), "; expected f32, f64, bf16 or f16");
  }
  return output;
}

}  // namespace plumb
