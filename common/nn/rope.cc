#include "common/nn/rope.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace plumb {
namespace {

using Type = RopeParameters::Type;

// theta^(-2i/d), in f32 as transformers has it.
std::vector<float> PlainFrequencies(double theta, int64_t dim) {
  std::vector<float> frequencies(dim / 2);
  for (int64_t i = 0; i < dim / 2; ++i) {
    frequencies[i] = 1.0f / static_cast<float>(std::pow(theta, static_cast<float>(2 * i) / dim));
  }
  return frequencies;
}

// Blends interpolated and plain frequencies between two numbers of rotations (section 3.2 of YaRN).
std::vector<float> YarnFrequencies(const RopeParameters& rope, int64_t dim) {
  const auto correction_dim = [&](double rotations) {
    const double ratio = rope.original_max_position_embeddings / (rotations * 2 * M_PI);
    return dim * std::log(ratio) / (2 * std::log(rope.theta));
  };
  double low = correction_dim(rope.beta_fast), high = correction_dim(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;
  std::vector<float> frequencies = PlainFrequencies(rope.theta, dim);
  for (int64_t i = 0; i < dim / 2; ++i) {
    const double interpolated = std::clamp((i - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= interpolated / rope.factor + (1 - interpolated);
  }
  return frequencies;
}

// Long waves are stretched, short ones left, those between blended (Llama 3.1).
std::vector<float> Llama3Frequencies(const RopeParameters& rope, int64_t dim) {
  std::vector<float> frequencies = PlainFrequencies(rope.theta, dim);
  const double context = rope.original_max_position_embeddings;
  for (float& frequency : frequencies) {
    const double wavelength = 2 * M_PI / frequency;
    if (wavelength < context / rope.high_freq_factor) continue;
    if (wavelength > context / rope.low_freq_factor) {
      frequency /= rope.factor;
    } else {
      const double smooth =
          (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      frequency *= (1 - smooth) / rope.factor + smooth;
    }
  }
  return frequencies;
}

// `length`: of the whole sequence, for the dynamic scaling.
std::vector<float> Frequencies(const ModelConfig& config, int64_t length) {
  const RopeParameters& rope = config.rope;
  const int64_t dim = config.head_dim;
  if (rope.type == Type::kYarn) return YarnFrequencies(rope, dim);
  if (rope.type == Type::kLlama3) return Llama3Frequencies(rope, dim);
  double theta = rope.theta;
  if (rope.type == Type::kDynamic) {
    const double positions = config.max_position_embeddings;
    const double stretch = rope.factor * std::max<double>(length, positions) / positions - (rope.factor - 1);
    theta *= std::pow(stretch, dim / (dim - 2.0));
  }
  std::vector<float> frequencies = PlainFrequencies(theta, dim);
  if (rope.type == Type::kLinear) {
    for (float& frequency : frequencies) frequency /= rope.factor;
  }
  return frequencies;
}

// For each segment, the length of the longest sequence in its tree.
std::vector<int64_t> TreeLengths(const PackedTokens& tokens) {
  const int64_t* positions = tokens.position_ids.data_ptr<int64_t>();
  std::vector<int> roots(tokens.segments.size());
  std::vector<int64_t> lengths(tokens.segments.size(), 0);
  for (size_t i = 0; i < tokens.segments.size(); ++i) {
    const Segment& segment = tokens.segments[i];
    roots[i] = segment.parent == Segment::kNoParent ? static_cast<int>(i) : roots[segment.parent];
    if (segment.length() == 0) continue;
    lengths[roots[i]] = std::max(lengths[roots[i]], positions[segment.end - 1] + 1);
  }
  for (size_t i = 0; i < roots.size(); ++i) lengths[i] = lengths[roots[i]];
  return lengths;
}

template <typename scalar_t>
void Fill(const std::vector<float>& frequencies, double scale, const int64_t* positions, int64_t begin,
          int64_t end, scalar_t* cos, scalar_t* sin) {
  const int64_t half = frequencies.size();
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t i = 0; i < half; ++i) {
      const scalar_t angle = static_cast<scalar_t>(positions[row]) * frequencies[i];
      cos[row * half + i] = std::cos(angle) * scale;
      sin[row * half + i] = std::sin(angle) * scale;
    }
  }
}

}  // namespace

RotaryTable MakeRotaryTable(const ModelConfig& config, const PackedTokens& tokens, at::ScalarType dtype) {
  // Angles need f32 even where the model is bf16.
  const bool f64 = dtype == at::kDouble;
  const auto options = at::TensorOptions().dtype(f64 ? at::kDouble : at::kFloat);
  const int64_t half = config.head_dim / 2;
  RotaryTable table{at::empty({tokens.size(), half}, options), at::empty({tokens.size(), half}, options)};
  const at::Tensor position_ids = tokens.position_ids.contiguous();
  const int64_t* positions = position_ids.data_ptr<int64_t>();
  const bool dynamic = config.rope.type == Type::kDynamic;
  const std::vector<int64_t> lengths = dynamic ? TreeLengths(tokens) : std::vector<int64_t>();
  std::vector<float> frequencies = Frequencies(config, 0);
  const auto fill = [&](int64_t begin, int64_t end) {
    const double scale = config.rope.attention_factor;
    if (f64) {
      Fill(frequencies, scale, positions, begin, end, table.cos.data_ptr<double>(),
           table.sin.data_ptr<double>());
    } else {
      Fill(frequencies, scale, positions, begin, end, table.cos.data_ptr<float>(),
           table.sin.data_ptr<float>());
    }
  };
  if (!dynamic) {
    fill(0, tokens.size());
    return table;
  }
  for (size_t i = 0; i < tokens.segments.size(); ++i) {
    frequencies = Frequencies(config, lengths[i]);
    fill(tokens.segments[i].begin, tokens.segments[i].end);
  }
  return table;
}

}  // namespace plumb
