#include "common/kernels/linear_logprob.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/kernels/bf16_product.h"
#include "common/kernels/gradient_in_place.h"
#include "common/kernels/rounding.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Sums over the logits z of a row or of a part of it; those of the reference are q.
struct LogitSums {
  double max = -std::numeric_limits<double>::infinity();
  double exps = 0;      // sum of exp(z - max)
  double weighted = 0;  // sum of exp(z - max) z
  double squares = 0;   // sum of exp(2 (z - max))
  double logits = 0;    // sum of z

  // Joins the sums over another part.
  void Add(const LogitSums& part) {
    const double joint = std::max(max, part.max);
    const double mine = std::exp(max - joint), theirs = std::exp(part.max - joint);
    max = joint;
    exps = exps * mine + part.exps * theirs;
    weighted = weighted * mine + part.weighted * theirs;
    squares = squares * mine * mine + part.squares * theirs * theirs;
    logits += part.logits;
  }
  double LogSumExp() const { return max + std::log(exps); }
};

struct Row {
  LogitSums policy;
  LogitSums reference;  // its `weighted` is the sum of exp(q - max) (q - z)
  double target = 0;    // the target's logit
  // The largest logits so far, the smallest of them first (a heap).
  std::vector<double> top;

  template <typename T>
  void AddToTop(const T* z, int64_t size, size_t count) {
    for (int64_t i = 0; i < size; ++i) {
      if (top.size() == count) {
        if (z[i] <= top.front()) continue;
        std::pop_heap(top.begin(), top.end(), std::greater<>());
        top.pop_back();
      }
      top.push_back(z[i]);
      std::push_heap(top.begin(), top.end(), std::greater<>());
    }
  }
};

template <typename T>
PLUMB_VECTORIZED T Max(const T* z, int64_t size) {
  T max = z[0];
#pragma omp simd reduction(max : max)
  for (int64_t i = 0; i < size; ++i) max = z[i] > max ? z[i] : max;
  return max;
}

// Sums of differences to the maximum are small, so T is wide enough for them.
template <typename T>
PLUMB_VECTORIZED LogitSums SumLogits(const T* z, int64_t size) {
  const T max = Max(z, size);
  T exps = 0, weighted = 0, squares = 0, below = 0;
#pragma omp simd reduction(+ : exps, weighted, squares, below)
  for (int64_t i = 0; i < size; ++i) {
    const T difference = z[i] - max, e = std::exp(difference);
    exps += e;
    weighted += e * difference;
    squares += e * e;
    below += difference;
  }
  return {max, exps, weighted + double{exps} * max, squares, below + double{max} * size};
}

LogitSums SumsOfTop(const Row& row) { return SumLogits(row.top.data(), row.top.size()); }

template <typename T>
PLUMB_VECTORIZED LogitSums SumReferenceLogits(const T* q, const T* z, T z_max, int64_t size) {
  const T max = Max(q, size);
  T exps = 0, weighted = 0;
#pragma omp simd reduction(+ : exps, weighted)
  for (int64_t i = 0; i < size; ++i) {
    const T difference = q[i] - max, e = std::exp(difference);
    exps += e;
    weighted += e * (difference - (z[i] - z_max));
  }
  return {max, exps, weighted + exps * (double{max} - z_max), 0, 0};
}

// d = scale exp(z - max)
template <typename T>
PLUMB_VECTORIZED void ScaledExp(const T* z, T max, T scale, int64_t size, T* d) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) d[i] = scale * std::exp(z[i] - max);
}

// d += scale exp(z - max)
template <typename T>
PLUMB_VECTORIZED void AddScaledExp(const T* z, T max, T scale, int64_t size, T* d) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) d[i] += scale * std::exp(z[i] - max);
}

// A head, and where its logits go.
struct Head {
  at::Tensor hidden;  // [M, H], of the logits' dtype, or bf16 where bf16 is multiplied as such
  at::Tensor weight;  // [V, H]
  at::Tensor kept;    // [M * V] logits, tile after tile; undefined: they are made again for each pass

  bool by_bf16() const { return hidden.scalar_type() == at::kBFloat16; }
};

// Part of the logits: `rows` from `row` on, `columns` from `column` on.
struct Tile {
  int64_t row, rows, column, columns;
  size_t index_of_rows;                 // tiles above
  at::Tensor weight;                    // [columns, H] of the policy, of its hidden states' dtype
  at::Tensor logits, reference_logits;  // [rows, columns]
};

// How many rows make a thread worth its while.
int64_t GrainSize(const Tile& tile) { return std::max<int64_t>(1, int64_t{1 << 14} / tile.columns); }

// Makes logits of a head, column by column of tiles.
class TileMaker {
 public:
  // `made`: what is kept is there already.
  TileMaker(const Head& head, bool made) : head_(head), made_(made && head.kept.defined()) {}

  void SetColumns(int64_t column, int64_t columns) {
    weight_ = head_.weight.narrow(0, column, columns).to(head_.hidden.scalar_type());
    if (head_.by_bf16() && !made_) factor_.emplace(weight_.t());
  }
  const at::Tensor& weight() const { return weight_; }

  at::Tensor Logits(const Tile& tile) {
    const int64_t size = tile.rows * tile.columns;
    at::Tensor logits;
    if (head_.kept.defined()) {
      logits = head_.kept.narrow(0, tile.column * head_.hidden.size(0) + tile.row * tile.columns, size);
    } else {
      // The first tile is the largest.
      if (!buffer_.defined()) {
        buffer_ = at::empty({size}, head_.by_bf16() ? at::kFloat : head_.hidden.scalar_type());
      }
      logits = buffer_.narrow(0, 0, size);
    }
    logits = logits.view({tile.rows, tile.columns});
    if (made_) return logits;
    const at::Tensor hidden = head_.hidden.narrow(0, tile.row, tile.rows);
    if (head_.by_bf16()) {
      Bf16Product(hidden, *factor_, /*add=*/false, logits);
    } else {
      at::mm_out(logits, hidden, weight_.t());
    }
    return logits;
  }

 private:
  const Head& head_;
  const bool made_;
  at::Tensor weight_, buffer_;
  std::optional<Bf16Factor> factor_;
};

// Adds the products of a tile's gradient of logits, d_logits [rows, columns], with weight and with hidden
// states: to d_hidden [rows, H] and to d_weight [columns, H], where these are defined.
class TileGradients {
 public:
  explicit TileGradients(const Head& head) : head_(head) {}

  void Add(const at::Tensor& d_logits, const Tile& tile, const at::Tensor& d_hidden,
           const at::Tensor& d_weight) {
    const at::Tensor hidden = head_.hidden.narrow(0, tile.row, tile.rows);
    if (!head_.by_bf16()) {
      if (d_hidden.defined()) d_hidden.addmm_(d_logits, tile.weight);
      if (d_weight.defined()) d_weight.addmm_(d_logits.t(), hidden);
      return;
    }
    const at::Tensor rounded = d_logits.to(at::kBFloat16);
    if (d_hidden.defined()) {
      if (tile.row == 0) weight_.emplace(tile.weight);
      Bf16Product(rounded, *weight_, /*add=*/true, d_hidden);
    }
    if (d_weight.defined()) {
      if (tile.column == 0) hidden_.emplace_back(hidden);
      AddBf16TransposedProduct(Bf16Factor(rounded), hidden_[tile.index_of_rows], d_weight);
    }
  }

 private:
  const Head& head_;
  std::optional<Bf16Factor> weight_;  // of the tile's columns
  std::vector<Bf16Factor> hidden_;    // of each tile's rows
};

// The computation for one set of inputs, none of which has a gradient here.
struct Pass {
  Head policy, reference;  // reference.hidden is undefined without one
  at::Tensor targets;      // [M]
  int64_t tile_rows, tile_columns, top_k;
  std::vector<Row> rows;  // what the forward pass found

  // Columns are the outer loop, so a head's weight is converted to the logits' dtype but once.
  template <typename Body>
  void ForEachTile(bool made, const Body& body) const {
    const int64_t height = policy.hidden.size(0), width = policy.weight.size(0);
    TileMaker policy_tiles(policy, made), reference_tiles(reference, made);
    Tile tile;
    for (tile.column = 0; tile.column < width; tile.column += tile_columns) {
      tile.columns = std::min(tile_columns, width - tile.column);
      policy_tiles.SetColumns(tile.column, tile.columns);
      tile.weight = policy_tiles.weight();
      if (reference.hidden.defined()) reference_tiles.SetColumns(tile.column, tile.columns);
      for (tile.row = 0; tile.row < height; tile.row += tile_rows) {
        tile.index_of_rows = tile.row / tile_rows;
        tile.rows = std::min(tile_rows, height - tile.row);
        tile.logits = policy_tiles.Logits(tile);
        if (reference.hidden.defined()) tile.reference_logits = reference_tiles.Logits(tile);
        body(tile);
      }
    }
  }

  template <typename T>
  void Forward() {
    rows.resize(policy.hidden.size(0));
    const int64_t* target = targets.const_data_ptr<int64_t>();
    ForEachTile(/*made=*/false, [&](const Tile& tile) {
      const T* logits = tile.logits.template const_data_ptr<T>();
      const T* reference_logits =
          reference.hidden.defined() ? tile.reference_logits.template const_data_ptr<T>() : nullptr;
      at::parallel_for(0, tile.rows, GrainSize(tile), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T* z = logits + i * tile.columns;
          Row& row = rows[tile.row + i];
          const LogitSums sums = SumLogits(z, tile.columns);
          row.policy.Add(sums);
          if (top_k > 0) row.AddToTop(z, tile.columns, top_k);
          const int64_t column = target[tile.row + i] - tile.column;
          if (column >= 0 && column < tile.columns) row.target = z[column];
          if (reference_logits != nullptr) {
            row.reference.Add(SumReferenceLogits(reference_logits + i * tile.columns, z,
                                                 static_cast<T>(sums.max), tile.columns));
          }
        }
      });
    });
  }

  // The gradients of logps and of token_kl may be undefined: zero. d_hidden [M, H] of the logits' dtype and
  // d_weight [V, H] of the weight's are added to; undefined: not asked for.
  template <typename T>
  void Backward(const at::Tensor& d_logps, const at::Tensor& d_kl, const at::Tensor& d_hidden,
                const at::Tensor& d_weight) const {
    const int64_t* target = targets.const_data_ptr<int64_t>();
    const T* d_logp = d_logps.defined() ? d_logps.const_data_ptr<T>() : nullptr;
    const T* d_divergence = d_kl.defined() ? d_kl.const_data_ptr<T>() : nullptr;
    TileGradients products(policy);
    at::Tensor buffer, wide_d_weight;
    ForEachTile(/*made=*/true, [&](const Tile& tile) {
      // Logits that are kept may be asked for again.
      at::Tensor d_logits = tile.logits;
      if (policy.kept.defined()) {
        if (!buffer.defined()) buffer = at::empty({tile.rows * tile.columns}, tile.logits.options());
        d_logits = buffer.narrow(0, 0, tile.rows * tile.columns).view({tile.rows, tile.columns});
      }
      const T* logits = tile.logits.template const_data_ptr<T>();
      T* d = d_logits.template mutable_data_ptr<T>();
      at::parallel_for(0, tile.rows, GrainSize(tile), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const Row& row = rows[tile.row + i];
          const double of_logp = d_logp == nullptr ? 0 : d_logp[tile.row + i];
          const double of_kl = d_divergence == nullptr ? 0 : d_divergence[tile.row + i];
          T* out = d + i * tile.columns;
          // d logp / d logits = onehot - p; d KL(q || p) / d logits = p - q.
          ScaledExp<T>(logits + i * tile.columns, row.policy.max, (of_kl - of_logp) / row.policy.exps,
                       tile.columns, out);
          if (of_kl != 0) {
            const T* q = tile.reference_logits.template const_data_ptr<T>() + i * tile.columns;
            AddScaledExp<T>(q, row.reference.max, -of_kl / row.reference.exps, tile.columns, out);
          }
          const int64_t column = target[tile.row + i] - tile.column;
          if (column >= 0 && column < tile.columns) out[column] += of_logp;
        }
      });
      at::Tensor rounded;
      if (d_weight.defined()) {
        rounded = d_weight.narrow(0, tile.column, tile.columns);
        if (tile.row == 0) wide_d_weight = rounded.to(d_logits.scalar_type());
      }
      products.Add(d_logits, tile, d_hidden.defined() ? d_hidden.narrow(0, tile.row, tile.rows) : d_hidden,
                   wide_d_weight);
      if (rounded.defined() && tile.row + tile.rows == policy.hidden.size(0)) rounded.copy_(wide_d_weight);
    });
  }
};

class LinearLogProbBackward : public torch::autograd::Node {
 public:
  LinearLogProbBackward(const at::Tensor& hidden, const at::Tensor& weight, Pass pass)
      : pass_(std::move(pass)), hidden_(hidden, /*is_output=*/false), weight_(weight, /*is_output=*/false) {
    set_next_edges(torch::autograd::collect_next_edges(hidden, weight));
  }

  // `gradients`: of logps and of token_kl.
  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(!at::GradMode::is_enabled(), "LinearLogProb: there is no second derivative");
    const at::Tensor hidden = hidden_.unpack(),
                     weight = weight_.unpack();  // tells if they have been changed since
    const at::Tensor d_logps = gradients[0].defined() ? gradients[0].contiguous() : gradients[0];
    const at::Tensor d_kl = gradients[1].defined() ? gradients[1].contiguous() : gradients[1];
    at::Tensor d_hidden, d_weight, in_place;
    if (task_should_compute_output(0)) {
      const bool wide = pass_.policy.hidden.scalar_type() == at::kDouble;
      d_hidden = at::zeros(pass_.policy.hidden.sizes(), wide ? at::kDouble : at::kFloat);
    }
    if (task_should_compute_output(1)) {
      in_place = GradientInPlace(weight);
      d_weight = in_place.defined() ? in_place : at::zeros_like(weight, {}, at::MemoryFormat::Contiguous);
    }
    if (pass_.policy.hidden.scalar_type() == at::kDouble) {
      pass_.Backward<double>(d_logps, d_kl, d_hidden, d_weight);
    } else {
      pass_.Backward<float>(d_logps, d_kl, d_hidden, d_weight);
    }
    if (d_hidden.defined()) d_hidden = d_hidden.to(hidden.scalar_type());
    return {d_hidden, in_place.defined() ? at::Tensor() : d_weight};
  }

  void release_variables() override {
    pass_ = {};
    hidden_.reset_data();
    weight_.reset_data();
  }

  std::string name() const override { return "LinearLogProbBackward"; }

 private:
  Pass pass_;
  SavedVariable hidden_, weight_;
};

void CheckHead(const char* name, const at::Tensor& hidden, const at::Tensor& weight, int64_t rows) {
  TORCH_CHECK(
      hidden.dim() == 2 && weight.dim() == 2 && hidden.size(0) == rows && hidden.size(1) == weight.size(1),
      "LinearLogProb: ", name, " hidden ", hidden.sizes(), " and weight ", weight.sizes(), " for ", rows,
      " targets; expected [M, H] and [V, H] for M targets");
  TORCH_CHECK(hidden.is_cpu() && weight.is_cpu(), "LinearLogProb: ", name, " tensors must be on the CPU");
}

}  // namespace

LinearLogProbs LinearLogProb(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                             const LinearLogProbOptions& options) {
  TORCH_CHECK(targets.dim() == 1 && targets.scalar_type() == at::kLong && targets.is_cpu(),
              "LinearLogProb: targets must be int64 [M] on the CPU, not ", targets.scalar_type(), " ",
              targets.sizes());
  const int64_t count = targets.size(0);
  CheckHead("policy", hidden, weight, count);
  const bool has_reference = options.reference_hidden.defined();
  if (has_reference) {
    CheckHead("reference", options.reference_hidden, options.reference_weight, count);
    TORCH_CHECK(options.reference_weight.size(0) == weight.size(0),
                "LinearLogProb: the reference has a vocabulary of ", options.reference_weight.size(0),
                ", the policy of ", weight.size(0), "; they must be the same");
  }
  const int64_t vocabulary = weight.size(0);
  const at::ScalarType dtype = WideType(hidden.scalar_type());
  const bool needs_gradient = torch::autograd::compute_requires_grad(hidden, weight);

  Pass pass;
  pass.tile_rows = options.tile_rows;
  pass.tile_columns = options.tile_columns;
  pass.top_k = options.top_k;
  pass.targets = targets.contiguous();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t target = pass.targets.const_data_ptr<int64_t>()[i];
    TORCH_CHECK(target >= 0 && target < vocabulary, "LinearLogProb: target ", target, " of row ", i,
                " is not in the vocabulary of ", vocabulary);
  }
  const auto head = [&](const at::Tensor& its_hidden, const at::Tensor& its_weight) {
    const bool by_bf16 = options.bf16_products && HasBf16Products() &&
                         its_hidden.scalar_type() == at::kBFloat16 &&
                         its_weight.scalar_type() == at::kBFloat16;
    Head head{its_hidden.detach().to(by_bf16 ? at::kBFloat16 : dtype).contiguous(),
              its_weight.detach().contiguous(),
              {}};
    if (needs_gradient && count * vocabulary <= options.max_kept_logits) {
      head.kept = at::empty({count * vocabulary}, dtype);
    }
    return head;
  };
  pass.policy = head(hidden, weight);
  if (has_reference) pass.reference = head(options.reference_hidden, options.reference_weight);
  if (dtype == at::kDouble) {
    pass.Forward<double>();
  } else {
    pass.Forward<float>();
  }

  const auto output = [&](auto value) {
    at::Tensor values = at::empty({count}, at::kDouble);
    for (int64_t i = 0; i < count; ++i) values.mutable_data_ptr<double>()[i] = value(pass.rows[i]);
    return values.to(dtype);
  };
  LinearLogProbs result;
  result.logps = output([](const Row& row) { return row.target - row.policy.LogSumExp(); });
  if (options.statistics) {
    result.entropy =
        output([](const Row& row) { return row.policy.LogSumExp() - row.policy.weighted / row.policy.exps; });
    result.mean_logit = output([&](const Row& row) { return row.policy.logits / vocabulary; });
    result.top1 = output([](const Row& row) { return row.target >= row.policy.max; });
    result.log_sum_squares = output([](const Row& row) {
      return std::log(row.policy.squares) + 2 * (row.policy.max - row.policy.LogSumExp());
    });
  }
  if (options.top_k > 0) {
    result.top_k_mass =
        output([](const Row& row) { return std::exp(SumsOfTop(row).LogSumExp() - row.policy.LogSumExp()); });
    result.top_k_entropy = output([](const Row& row) {
      const LogitSums top = SumsOfTop(row);
      return top.LogSumExp() - top.weighted / top.exps;
    });
  }
  if (has_reference) {
    result.token_kl = output([](const Row& row) {
      return row.reference.weighted / row.reference.exps - row.reference.LogSumExp() + row.policy.LogSumExp();
    });
  }
  if (needs_gradient) {
    torch::autograd::set_history({result.logps, result.token_kl},
                                 std::make_shared<LinearLogProbBackward>(hidden, weight, std::move(pass)));
  }
  return result;
}

}  // namespace plumb
