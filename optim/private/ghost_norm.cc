#include "optim/private/ghost_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

namespace plumb {
namespace {

at::Tensor Widened(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach();
  return values.element_size() < 4 ? values.to(at::kFloat) : values;
}

double SquaredNorm(const at::Tensor& tensor) { return tensor.square().sum(at::kDouble).item<double>(); }

// One example's rows of one layer, or of several that share the input: a [T, in], d [T, out] each.
double LinearSquaredNorm(const at::Tensor& a, absl::Span<const at::Tensor> gradients, GhostForm form) {
  const int64_t rows = a.size(0), in = a.size(1);
  if (rows == 0) return 0;
  int64_t out = 0;
  for (const at::Tensor& d : gradients) out += d.size(1);
  if (form == GhostForm::kCheaper) {
    form = rows * (in + out) <= in * out ? GhostForm::kGram : GhostForm::kDirect;
  }
  double squared_norm = 0;
  if (form == GhostForm::kDirect) {
    for (const at::Tensor& d : gradients) squared_norm += SquaredNorm(at::mm(d.t(), a));
    return squared_norm;
  }
  if (rows == 1) {
    for (const at::Tensor& d : gradients) squared_norm += SquaredNorm(d);
    return squared_norm * SquaredNorm(a);
  }
  at::Tensor gram = at::mm(gradients[0], gradients[0].t());
  for (size_t i = 1; i < gradients.size(); ++i) gram.addmm_(gradients[i], gradients[i].t());
  // Rounding may leave a tiny negative number where the gradient vanishes.
  return std::max(0.0, (gram * at::mm(a, a.t())).sum(at::kDouble).item<double>());
}

// norm(example) for each example, in parallel; what is within is then serial.
template <typename Norm>
at::Tensor PerExample(int64_t examples, const Norm& norm) {
  at::Tensor result = at::empty({examples}, at::kDouble);
  double* values = result.mutable_data_ptr<double>();
  at::parallel_for(0, examples, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t example = begin; example < end; ++example) values[example] = norm(example);
  });
  return result;
}

int64_t CheckedExamples(absl::Span<const int64_t> offsets, const at::Tensor& rows) {
  TORCH_CHECK(!offsets.empty() && offsets.front() == 0 && offsets.back() == rows.size(0),
              "offsets of examples must begin with 0 and end with the ", rows.size(0), " rows");
  TORCH_CHECK(std::is_sorted(offsets.begin(), offsets.end()), "offsets of examples must not fall");
  return static_cast<int64_t>(offsets.size()) - 1;
}

// |sum of the example's rows|^2.
at::Tensor RowSumSquaredNorms(const at::Tensor& rows, absl::Span<const int64_t> offsets) {
  const at::Tensor values = Widened(rows);
  return PerExample(CheckedExamples(offsets, rows), [&](int64_t b) {
    return SquaredNorm(values.slice(0, offsets[b], offsets[b + 1]).sum(0));
  });
}

}  // namespace

std::vector<int64_t> RowOffsets(int64_t examples, int64_t rows) {
  std::vector<int64_t> offsets(examples + 1);
  for (int64_t i = 0; i <= examples; ++i) offsets[i] = i * rows;
  return offsets;
}

at::Tensor LinearSquaredNorms(const at::Tensor& activations, absl::Span<const at::Tensor> output_gradients,
                              absl::Span<const int64_t> offsets, GhostForm form) {
  const int64_t examples = CheckedExamples(offsets, activations);
  const at::Tensor a = Widened(activations);
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& gradient : output_gradients) {
    TORCH_CHECK(gradient.size(0) == a.size(0), "activations have ", a.size(0), " rows, output gradients ",
                gradient.size(0));
    gradients.push_back(Widened(gradient));
  }
  return PerExample(examples, [&](int64_t b) {
    std::vector<at::Tensor> own;
    for (const at::Tensor& gradient : gradients) {
      own.push_back(gradient.slice(0, offsets[b], offsets[b + 1]));
    }
    return LinearSquaredNorm(a.slice(0, offsets[b], offsets[b + 1]), own, form);
  });
}

at::Tensor BiasSquaredNorms(const at::Tensor& output_gradients, absl::Span<const int64_t> offsets) {
  return RowSumSquaredNorms(output_gradients, offsets);
}

at::Tensor AttentionSquaredNorms(const at::Tensor& hidden, const at::Tensor& context,
                                 const AttentionGradients& output_gradients,
                                 absl::Span<const int64_t> offsets, GhostForm form) {
  const auto& [query, key, value, output] = output_gradients;
  return LinearSquaredNorms(hidden, {query, key, value}, offsets, form) +
         LinearSquaredNorms(context, {output}, offsets, form);
}

at::Tensor ConvolutionSquaredNorms(const at::Tensor& input, const at::Tensor& output_gradients,
                                   const ConvolutionShape& shape, GhostForm form) {
  const at::Tensor x = Widened(input), d = Widened(output_gradients);
  TORCH_CHECK(x.size(0) == d.size(0), "the input has ", x.size(0), " examples, the output gradients ",
              d.size(0));
  return PerExample(x.size(0), [&](int64_t b) {
    // A convolution is a linear layer on patches: [groups, in / groups * kernel, places].
    const at::Tensor patches = at::im2col(x[b], shape.kernel, shape.dilation, shape.padding, shape.stride);
    const at::Tensor a = patches.view({shape.groups, -1, patches.size(-1)});
    const at::Tensor gradients = d[b].reshape({shape.groups, -1, patches.size(-1)});
    double squared_norm = 0;
    for (int64_t group = 0; group < shape.groups; ++group) {
      squared_norm += LinearSquaredNorm(a[group].t(), {gradients[group].t()}, form);
    }
    return squared_norm;
  });
}

at::Tensor ConvolutionBiasSquaredNorms(const at::Tensor& output_gradients) {
  const at::Tensor d = Widened(output_gradients).flatten(2);
  return PerExample(d.size(0), [&](int64_t b) { return SquaredNorm(d[b].sum(1)); });
}

at::Tensor EmbeddingSquaredNorms(const at::Tensor& ids, const at::Tensor& output_gradients,
                                 absl::Span<const int64_t> offsets, int64_t padding_id) {
  const int64_t examples = CheckedExamples(offsets, output_gradients);
  TORCH_CHECK(ids.dim() == 1 && ids.size(0) == output_gradients.size(0),
              "there must be one id for each of the ", output_gradients.size(0), " rows");
  const at::Tensor contiguous = ids.contiguous();
  const int64_t* id = contiguous.const_data_ptr<int64_t>();
  const at::Tensor d = Widened(output_gradients);
  return PerExample(examples, [&](int64_t b) {
    // Rows by id; a stable order, so that sums are the same on every machine.
    std::vector<int64_t> rows(offsets[b + 1] - offsets[b]);
    std::iota(rows.begin(), rows.end(), offsets[b]);
    std::stable_sort(rows.begin(), rows.end(), [&](int64_t i, int64_t j) { return id[i] < id[j]; });
    double squared_norm = 0;
    for (size_t begin = 0, end; begin < rows.size(); begin = end) {
      at::Tensor sum = d[rows[begin]];
      for (end = begin + 1; end < rows.size() && id[rows[end]] == id[rows[begin]]; ++end) {
        sum = sum + d[rows[end]];
      }
      if (id[rows[begin]] != padding_id) squared_norm += SquaredNorm(sum);
    }
    return squared_norm;
  });
}

at::Tensor TiedEmbeddingCrossTerms(const at::Tensor& ids, const at::Tensor& embedding_gradients,
                                   const at::Tensor& hidden, const at::Tensor& logit_gradients,
                                   absl::Span<const int64_t> offsets) {
  const int64_t examples = CheckedExamples(offsets, hidden);
  const at::Tensor d = Widened(embedding_gradients), h = Widened(hidden), logits = Widened(logit_gradients);
  return PerExample(examples, [&](int64_t b) {
    const int64_t begin = offsets[b], end = offsets[b + 1];
    // Row v of one gradient is the sum of d_t over ids[t] = v, of the other the sum of logits_s[v] h_s.
    const at::Tensor at_ids =
        at::index_select(logits.slice(0, begin, end), 1, ids.slice(0, begin, end));  // [s, t]
    const at::Tensor products = at::mm(h.slice(0, begin, end), d.slice(0, begin, end).t());
    return 2 * (at_ids * products).sum(at::kDouble).item<double>();
  });
}

at::Tensor LayerNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                                 absl::Span<const int64_t> offsets, double epsilon) {
  const at::Tensor values = Widened(x);
  const at::Tensor centered = values - values.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = centered.square().mean(-1, /*keepdim=*/true);
  return RowSumSquaredNorms(centered * at::rsqrt(variance + epsilon) * Widened(output_gradients), offsets);
}

at::Tensor RmsNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                               absl::Span<const int64_t> offsets, double epsilon) {
  const at::Tensor values = Widened(x);
  const at::Tensor scale = at::rsqrt(values.square().mean(-1, /*keepdim=*/true) + epsilon);
  return RowSumSquaredNorms(values * scale * Widened(output_gradients), offsets);
}

at::Tensor GroupNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients, int64_t groups,
                                 double epsilon) {
  const at::Tensor values = Widened(x).reshape({x.size(0), groups, -1});
  const at::Tensor centered = values - values.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = centered.square().mean(-1, /*keepdim=*/true);
  const at::Tensor normalized = (centered * at::rsqrt(variance + epsilon)).view(x.sizes());
  return ConvolutionBiasSquaredNorms(normalized * Widened(output_gradients));
}

}  // namespace plumb
