#ifndef PLUMB_ALIGNMENT_SELECTION_TEXT_EMBEDDING_H_
#define PLUMB_ALIGNMENT_SELECTION_TEXT_EMBEDDING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "alignment/text_model.h"

namespace plumb {

// Texts as points on the unit sphere, [N, H] f32, whose products are cosine similarities: the mean of the
// model's last hidden states over a text's tokens, of which the first `max_length` count. A text without
// tokens is 0, and so similar to none.
at::Tensor EmbedTexts(const TextModel& model, absl::Span<const std::string> texts, int64_t max_length);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_TEXT_EMBEDDING_H_
