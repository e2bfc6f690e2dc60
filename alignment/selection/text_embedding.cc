#include "alignment/selection/text_embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "common/tensor/packed.h"

namespace plumb {

at::Tensor EmbedTexts(const TextModel& model, absl::Span<const std::string> texts, int64_t max_length) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<int64_t>> sequences;
  for (const std::string& text : texts) {
    sequences.push_back(model.tokenizer->Encode(text, /*add_special_tokens=*/true));
    sequences.back().resize(std::min<int64_t>(sequences.back().size(), max_length));
  }
  const PackedTokens tokens = PackSequences(sequences);
  const auto count = static_cast<int64_t>(texts.size());
  if (tokens.size() == 0) return at::zeros({count, model.model->config().hidden_size}, at::kFloat);
  const at::Tensor hidden = model.model->Hidden(tokens, {}).to(at::kFloat);
  at::Tensor points = at::zeros({count, hidden.size(1)}, at::kFloat);
  for (int64_t i = 0; i < count; ++i) {
    const Segment& segment = tokens.segments[i];
    if (segment.length() > 0) points[i] = hidden.narrow(0, segment.begin, segment.length()).sum(0);
  }
  // A sum has the direction of the mean.
  return points / points.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-30);
}

}  // namespace plumb
