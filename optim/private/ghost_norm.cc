#include "optim/private/ghost_norm.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "common/kernels/blocks.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

at::Tensor Widened(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach();
  return values.element_size() < 4 ? values.to(at::kFloat) : values;
}

double SquaredNorm(const at::Tensor& tensor) { return tensor.square().sum(at::kDouble).item<double>(); }

template <typename Scalar>
inline __attribute__((always_inline)) double SumOfSquares(const Scalar* x, int64_t size) {
  double total = 0;
  for (int64_t begin = 0; begin < size; begin += kBlockSize) {
    const int64_t end = std::min(size, begin + kBlockSize);
    Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += x[i] * x[i];
    total += static_cast<double>(sum);
  }
  return total;
}
PLUMB_VECTORIZED double SumOfSquaredFloats(const float* x, int64_t size) { return SumOfSquares(x, size); }
PLUMB_VECTORIZED double SumOfSquaredDoubles(const double* x, int64_t size) { return SumOfSquares(x, size); }

// One example's rows of one layer, or of several that share the input: a [T, in], d [T, out] each.
double LinearSquaredNorm(const at::Tensor& a, absl::Span<const at::Tensor> gradients, GhostForm form) {
  if (a.size(0) == 0) return 0;
  double squared_norm = 0;
  if (form == GhostForm::kDirect) {
    for (const at::Tensor& d : gradients) squared_norm += SquaredNorm(at::mm(d.t(), a));
    return squared_norm;
  }
  at::Tensor gram = at::mm(gradients[0], gradients[0].t());
  for (size_t i = 1; i < gradients.size(); ++i) gram.addmm_(gradients[i], gradients[i].t());
  // Rounding may leave a tiny negative number where the gradient vanishes.
  return std::max(0.0, (gram * at::mm(a, a.t())).sum(at::kDouble).item<double>());
}

// The same of several examples of T rows: a [examples, T, in], d [examples, T, out] each; [examples].
at::Tensor LinearSquaredNormsOfEqualRows(const at::Tensor& a, absl::Span<const at::Tensor> gradients,
                                         GhostForm form) {
  if (form == GhostForm::kDirect) {
    at::Tensor squared_norms = RowSquaredNorms(at::bmm(gradients[0].mT(), a));
    for (size_t i = 1; i < gradients.size(); ++i) {
      squared_norms += RowSquaredNorms(at::bmm(gradients[i].mT(), a));
    }
    return squared_norms;
  }
  at::Tensor gram = at::bmm(gradients[0], gradients[0].mT());
  for (size_t i = 1; i < gradients.size(); ++i) gram.baddbmm_(gradients[i], gradients[i].mT());
  const int64_t rows = a.size(1);
  return at::bmm(gram.view({-1, 1, rows * rows}), at::bmm(a, a.mT()).view({-1, rows * rows, 1}))
      .view(-1)
      .to(at::kDouble)
      .clamp_min(0);
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

// body(scratch, begin, end) for so many examples at a time that what is made of them, `elements` each, stays
// in a cache; in parallel. A thread has one scratch for all that it does.
struct Scratch {
  at::Tensor padded, patches;
};
constexpr int64_t kChunkElements = 1 << 16;
template <typename Body>
void ForEachChunk(int64_t examples, int64_t elements, const Body& body) {
  const int64_t chunk = std::clamp<int64_t>(kChunkElements / std::max<int64_t>(1, elements), 1, 64);
  at::parallel_for(0, BlockCount(examples, chunk), /*grain_size=*/1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;
    Scratch scratch;
    for (int64_t i = first; i < last; ++i) body(&scratch, i * chunk, std::min(examples, (i + 1) * chunk));
  });
}

int64_t CheckedExamples(absl::Span<const int64_t> offsets, const at::Tensor& rows) {
  TORCH_CHECK(!offsets.empty() && offsets.front() == 0 && offsets.back() == rows.size(0),
              "offsets of examples must begin with 0 and end with the ", rows.size(0), " rows");
  TORCH_CHECK(std::is_sorted(offsets.begin(), offsets.end()), "offsets of examples must not fall");
  return static_cast<int64_t>(offsets.size()) - 1;
}

// Rows of patches are copied 8 numbers at a time, the last of which may be 7 too many: there must be room.
constexpr int64_t kCopied = 8;
enum class RowKind { kOneCopy, kCopies, kDilated };
template <RowKind kind, typename Scalar>
inline __attribute__((always_inline)) void CopyRow(const Scalar* from, int64_t size, int64_t step,
                                                   Scalar* to) {
  if constexpr (kind == RowKind::kDilated) {
    for (int64_t i = 0; i < size; ++i) to[i] = from[i * step];
  } else if constexpr (kind == RowKind::kCopies) {
    for (int64_t i = 0; i < size; i += kCopied) std::memcpy(to + i, from + i, kCopied * sizeof(Scalar));
  } else {
    std::memcpy(to, from, kCopied * sizeof(Scalar));
  }
}

// The patches of one image [channels, height, width] as rows: [groups, places, channels / groups * kernel].
// `padded` has room for the image with its borders.
template <RowKind kind, typename Scalar>
void CopyPatches(const Scalar* image, at::IntArrayRef image_sizes, const ConvolutionShape& shape,
                 at::IntArrayRef places, Scalar* padded, Scalar* patches) {
  const int64_t channels = image_sizes[0], height = image_sizes[1], width = image_sizes[2];
  const int64_t padded_height = height + 2 * shape.padding[0], padded_width = width + 2 * shape.padding[1];
  for (int64_t row = 0; row < channels * height; ++row) {
    const int64_t padded_row = row / height * padded_height + row % height + shape.padding[0];
    std::copy_n(image + row * width, width, padded + padded_row * padded_width + shape.padding[1]);
  }
  const int64_t group_channels = channels / shape.groups;
  const int64_t kernel_height = shape.kernel[0], kernel_width = shape.kernel[1];
  const int64_t row_step = shape.dilation[0] * padded_width;
  for (int64_t group = 0; group < shape.groups; ++group) {
    const Scalar* planes = padded + group * group_channels * padded_height * padded_width;
    for (int64_t y = 0; y < places[0]; ++y) {
      for (int64_t x = 0; x < places[1]; ++x) {
        const Scalar* row = planes + y * shape.stride[0] * padded_width + x * shape.stride[1];
        for (int64_t channel = 0; channel < group_channels; ++channel) {
          for (int64_t i = 0; i < kernel_height; ++i, patches += kernel_width) {
            CopyRow<kind>(row + i * row_step, kernel_width, shape.dilation[1], patches);
          }
          row += padded_height * padded_width;
        }
      }
    }
  }
}

// A convolution as linear layers on patches, one a group.
struct Patches {
  at::Tensor activations;  // [B * groups, places, in / groups * kernel]
  at::Tensor gradients;    // [B * groups, places, out / groups]
};
Patches ToPatches(const at::Tensor& x, const at::Tensor& d, const ConvolutionShape& shape, Scratch* scratch) {
  const int64_t examples = x.size(0), slices = examples * shape.groups;
  const at::IntArrayRef image_sizes = x.sizes().slice(1), places = d.sizes().slice(2);
  const int64_t depth = x.size(1) / shape.groups * shape.kernel[0] * shape.kernel[1];
  const int64_t example_size = shape.groups * places[0] * places[1] * depth;
  const at::Tensor images = x.contiguous();
  const int64_t padded_size =
      x.size(1) * (x.size(2) + 2 * shape.padding[0]) * (x.size(3) + 2 * shape.padding[1]);
  if (!scratch->patches.defined()) {
    scratch->padded = at::zeros({padded_size + kCopied}, x.options());
    // The first chunk is the largest.
    scratch->patches = at::empty({examples * example_size + kCopied}, x.options());
  }
  const at::Tensor &padded = scratch->padded, &patches = scratch->patches;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "ToPatches", [&] {
    const auto copy = shape.dilation[1] != 1      ? CopyPatches<RowKind::kDilated, scalar_t>
                      : shape.kernel[1] > kCopied ? CopyPatches<RowKind::kCopies, scalar_t>
                                                  : CopyPatches<RowKind::kOneCopy, scalar_t>;
    for (int64_t b = 0; b < examples; ++b) {
      copy(images.const_data_ptr<scalar_t>() + b * images.stride(0), image_sizes, shape, places,
           padded.mutable_data_ptr<scalar_t>(), patches.mutable_data_ptr<scalar_t>() + b * example_size);
    }
  });
  return {patches.slice(0, 0, examples * example_size).view({slices, places[0] * places[1], depth}),
          d.reshape({slices, -1, places[0] * places[1]}).mT()};
}

// That the places of the output gradients are those of the convolution.
void CheckPlaces(const at::Tensor& x, const at::Tensor& d, const ConvolutionShape& shape) {
  for (int i = 0; i < 2; ++i) {
    const int64_t reach = shape.dilation[i] * (shape.kernel[i] - 1) + 1;
    const int64_t places = (x.size(2 + i) + 2 * shape.padding[i] - reach) / shape.stride[i] + 1;
    TORCH_CHECK(places == d.size(2 + i), "the convolution has ", places, i == 0 ? " rows" : " columns",
                " of places, its output gradients ", d.size(2 + i));
  }
}

int64_t PatchElements(const at::Tensor& x, const at::Tensor& d, const ConvolutionShape& shape) {
  return x.size(1) * shape.kernel[0] * shape.kernel[1] * d.size(2) * d.size(3);
}

}  // namespace

int64_t EqualRows(absl::Span<const int64_t> offsets) {
  const int64_t examples = static_cast<int64_t>(offsets.size()) - 1;
  if (examples == 0) return -1;
  const int64_t rows = offsets[1] - offsets[0];
  for (int64_t b = 1; b < examples; ++b) {
    if (offsets[b + 1] - offsets[b] != rows) return -1;
  }
  return rows;
}

GhostForm CheaperForm(int64_t rows, int64_t in, int64_t out) {
  return rows * (in + out) <= in * out ? GhostForm::kGram : GhostForm::kDirect;
}

at::Tensor RowSquaredNorms(const at::Tensor& x) {
  const at::Tensor values = x.detach().contiguous();
  const int64_t rows = values.size(0), size = rows == 0 ? 0 : values.numel() / rows;
  at::Tensor result = at::empty({rows}, at::kDouble);
  double* norms = result.mutable_data_ptr<double>();
  const auto sum_rows = [&](const auto* data, const auto& sum_of_squares) {
    const int64_t grain = std::max<int64_t>(1, 4 * kBlockSize / std::max<int64_t>(1, size));
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) norms[row] = sum_of_squares(data + row * size, size);
    });
  };
  if (values.scalar_type() == at::kFloat) {
    sum_rows(values.const_data_ptr<float>(), SumOfSquaredFloats);
  } else {
    TORCH_CHECK(values.scalar_type() == at::kDouble, "rows must be f32 or f64, not ", values.scalar_type());
    sum_rows(values.const_data_ptr<double>(), SumOfSquaredDoubles);
  }
  return result;
}

at::Tensor ExampleSums(const at::Tensor& rows, absl::Span<const int64_t> offsets) {
  const int64_t examples = CheckedExamples(offsets, rows);
  const at::Tensor values = Widened(rows);
  const int64_t equal_rows = EqualRows(offsets);
  if (equal_rows == 1) return values;
  if (equal_rows > 0) return values.view({examples, equal_rows, -1}).sum(1);
  at::Tensor sums = at::zeros({examples, values.size(1)}, values.options());
  for (int64_t b = 0; b < examples; ++b) sums[b] = values.slice(0, offsets[b], offsets[b + 1]).sum(0);
  return sums;
}

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
  const int64_t in = a.size(1), rows = EqualRows(offsets);
  int64_t out = 0;
  for (const at::Tensor& gradient : gradients) out += gradient.size(1);
  const auto chosen = [&](int64_t count) {
    return form == GhostForm::kCheaper ? CheaperForm(count, in, out) : form;
  };
  if (rows == 1 && form != GhostForm::kDirect) {
    at::Tensor sums = RowSquaredNorms(gradients[0]);
    for (size_t i = 1; i < gradients.size(); ++i) sums += RowSquaredNorms(gradients[i]);
    return sums.mul_(RowSquaredNorms(a));
  }
  if (rows > 0) {
    at::Tensor squared_norms = at::empty({examples}, at::kDouble);
    const int64_t elements = chosen(rows) == GhostForm::kGram ? 2 * rows * rows : in * out;
    ForEachChunk(examples, elements, [&](Scratch*, int64_t begin, int64_t end) {
      std::vector<at::Tensor> own;
      for (const at::Tensor& gradient : gradients) {
        own.push_back(gradient.view({examples, rows, -1}).slice(0, begin, end));
      }
      squared_norms.slice(0, begin, end)
          .copy_(LinearSquaredNormsOfEqualRows(a.view({examples, rows, in}).slice(0, begin, end), own,
                                               chosen(rows)));
    });
    return squared_norms;
  }
  return PerExample(examples, [&](int64_t b) {
    std::vector<at::Tensor> own;
    for (const at::Tensor& gradient : gradients) {
      own.push_back(gradient.slice(0, offsets[b], offsets[b + 1]));
    }
    return LinearSquaredNorm(a.slice(0, offsets[b], offsets[b + 1]), own,
                             chosen(offsets[b + 1] - offsets[b]));
  });
}

at::Tensor LinearExampleGradients(const at::Tensor& activations, const at::Tensor& output_gradients,
                                  absl::Span<const int64_t> offsets) {
  const int64_t examples = CheckedExamples(offsets, activations);
  const at::Tensor a = Widened(activations), d = Widened(output_gradients);
  const int64_t in = a.size(1), out = d.size(1), rows = EqualRows(offsets);
  if (rows > 0) return at::bmm(d.view({examples, rows, out}).mT(), a.view({examples, rows, in}));
  at::Tensor gradients = at::empty({examples, out, in}, a.options());
  at::parallel_for(0, examples, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t b = begin; b < end; ++b) {
      at::Tensor own = gradients[b];
      at::mm_out(own, d.slice(0, offsets[b], offsets[b + 1]).t(), a.slice(0, offsets[b], offsets[b + 1]));
    }
  });
  return gradients;
}

at::Tensor BiasSquaredNorms(const at::Tensor& output_gradients, absl::Span<const int64_t> offsets) {
  return RowSquaredNorms(ExampleSums(output_gradients, offsets));
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
  CheckPlaces(x, d, shape);
  at::Tensor squared_norms = at::empty({x.size(0)}, at::kDouble);
  ForEachChunk(x.size(0), PatchElements(x, d, shape), [&](Scratch* scratch, int64_t begin, int64_t end) {
    const Patches patches = ToPatches(x.slice(0, begin, end), d.slice(0, begin, end), shape, scratch);
    const GhostForm chosen = form != GhostForm::kCheaper
                                 ? form
                                 : CheaperForm(patches.activations.size(1), patches.activations.size(2),
                                               patches.gradients.size(2));
    const at::Tensor by_group =
        LinearSquaredNormsOfEqualRows(patches.activations, {patches.gradients}, chosen);
    squared_norms.slice(0, begin, end).copy_(by_group.view({-1, shape.groups}).sum(1));
  });
  return squared_norms;
}

at::Tensor ConvolutionExampleGradients(const at::Tensor& input, const at::Tensor& output_gradients,
                                       const ConvolutionShape& shape) {
  const at::Tensor x = Widened(input), d = Widened(output_gradients);
  CheckPlaces(x, d, shape);
  const int64_t examples = x.size(0), in = x.size(1) / shape.groups, out = d.size(1);
  at::Tensor gradients = at::empty({examples, out, in, shape.kernel[0], shape.kernel[1]}, x.options());
  ForEachChunk(examples, PatchElements(x, d, shape), [&](Scratch* scratch, int64_t begin, int64_t end) {
    const Patches patches = ToPatches(x.slice(0, begin, end), d.slice(0, begin, end), shape, scratch);
    at::Tensor own =
        gradients.slice(0, begin, end)
            .view({(end - begin) * shape.groups, out / shape.groups, in * shape.kernel[0] * shape.kernel[1]});
    at::bmm_out(own, patches.gradients.mT(), patches.activations);
  });
  return gradients;
}

at::Tensor ConvolutionBiasSquaredNorms(const at::Tensor& output_gradients) {
  return RowSquaredNorms(Widened(output_gradients).flatten(2).sum(2));
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

at::Tensor LinearCrossTerms(const at::Tensor& activations, const at::Tensor& output_gradients,
                            const at::Tensor& other_activations, const at::Tensor& other_output_gradients,
                            absl::Span<const int64_t> offsets, absl::Span<const int64_t> other_offsets) {
  const at::Tensor a = Widened(activations), d = Widened(output_gradients);
  const at::Tensor other_a = Widened(other_activations), other_d = Widened(other_output_gradients);
  CheckedExamples(other_offsets, other_a);
  return PerExample(CheckedExamples(offsets, a), [&](int64_t b) {
    const int64_t begin = offsets[b], end = offsets[b + 1];
    const int64_t other_begin = other_offsets[b], other_end = other_offsets[b + 1];
    const at::Tensor inputs = at::mm(a.slice(0, begin, end), other_a.slice(0, other_begin, other_end).t());
    const at::Tensor outputs = at::mm(d.slice(0, begin, end), other_d.slice(0, other_begin, other_end).t());
    return 2 * (inputs * outputs).sum(at::kDouble).item<double>();
  });
}

at::Tensor EmbeddingCrossTerms(const at::Tensor& ids, const at::Tensor& output_gradients,
                               const at::Tensor& other_ids, const at::Tensor& other_output_gradients,
                               absl::Span<const int64_t> offsets, absl::Span<const int64_t> other_offsets) {
  const at::Tensor d = Widened(output_gradients), other_d = Widened(other_output_gradients);
  CheckedExamples(other_offsets, other_d);
  return PerExample(CheckedExamples(offsets, d), [&](int64_t b) {
    const int64_t begin = offsets[b], end = offsets[b + 1];
    const int64_t other_begin = other_offsets[b], other_end = other_offsets[b + 1];
    const at::Tensor same =
        ids.slice(0, begin, end).unsqueeze(1).eq(other_ids.slice(0, other_begin, other_end));
    const at::Tensor products = at::mm(d.slice(0, begin, end), other_d.slice(0, other_begin, other_end).t());
    return 2 * (same * products).sum(at::kDouble).item<double>();
  });
}

at::Tensor TiedEmbeddingCrossTerms(const at::Tensor& ids, const at::Tensor& embedding_gradients,
                                   const at::Tensor& hidden, const at::Tensor& logit_gradients,
                                   absl::Span<const int64_t> offsets,
                                   absl::Span<const int64_t> head_offsets) {
  const at::Tensor d = Widened(embedding_gradients), h = Widened(hidden), logits = Widened(logit_gradients);
  CheckedExamples(head_offsets, h);
  return PerExample(CheckedExamples(offsets, d), [&](int64_t b) {
    const int64_t begin = offsets[b], end = offsets[b + 1];
    const int64_t head_begin = head_offsets[b], head_end = head_offsets[b + 1];
    // Row v of one gradient is the sum of d_t over ids[t] = v, of the other the sum of logits_s[v] h_s.
    const at::Tensor at_ids =
        at::index_select(logits.slice(0, head_begin, head_end), 1, ids.slice(0, begin, end));  // [s, t]
    const at::Tensor products = at::mm(h.slice(0, head_begin, head_end), d.slice(0, begin, end).t());
    return 2 * (at_ids * products).sum(at::kDouble).item<double>();
  });
}

at::Tensor LayerNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                                 absl::Span<const int64_t> offsets, double epsilon) {
  const at::Tensor values = Widened(x);
  const at::Tensor centered = values - values.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = centered.square().mean(-1, /*keepdim=*/true);
  return BiasSquaredNorms(centered * at::rsqrt(variance + epsilon) * Widened(output_gradients), offsets);
}

at::Tensor RmsNormSquaredNorms(const at::Tensor& x, const at::Tensor& output_gradients,
                               absl::Span<const int64_t> offsets, double epsilon) {
  const at::Tensor values = Widened(x);
  const at::Tensor scale = at::rsqrt(values.square().mean(-1, /*keepdim=*/true) + epsilon);
  return BiasSquaredNorms(values * scale * Widened(output_gradients), offsets);
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
