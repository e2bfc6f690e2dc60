#ifndef PLUMB_COMMON_NN_GENERATION_H_
#define PLUMB_COMMON_NN_GENERATION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/nn/causal_lm.h"
#include "common/nn/generation.pb.h"

namespace plumb {

class Tokenizer;

struct GenerationRequest {
  std::vector<int64_t> prompt_ids;  // at least one
  RandomStream random;              // number i decides token i, so neighbours in the batch change nothing
};

struct GeneratedSequence {
  std::vector<int64_t> token_ids;  // the new ones; the end-of-sequence token, if it came, is the last
  std::vector<float> logps;        // of each, by the model itself: before temperature, penalties and cuts
  std::string text;                // what the tokens add to the prompt's text; empty without a tokenizer
  enum class FinishReason { kEndOfSequence, kStopString, kMaxNewTokens };
  FinishReason finish_reason = FinishReason::kMaxNewTokens;
};

// Sees the text of request `index` as it grows, in whole characters; all pieces together are the
// GeneratedSequence's text.
using TextCallback = std::function<void(int64_t index, absl::string_view piece)>;

// Fills what `options` leave open from the model's generation_config.json and config.json. A field of
// generation_config.json that would change the output and is not supported (num_beams, ...) is refused.
absl::StatusOr<GenerationOptions> ResolveGenerationOptions(const GenerationOptions& options,
                                                           const ModelConfig& config);

// Continues all prompts together, with a key-value cache; equal prompts are computed once. `options` are
// resolved first. Stop strings and text need a tokenizer. The model must not be trained at the same time.
absl::StatusOr<std::vector<GeneratedSequence>> Generate(CausalLm& model,
                                                        absl::Span<const GenerationRequest> requests,
                                                        const GenerationOptions& options,
                                                        const Tokenizer* tokenizer = nullptr,
                                                        const TextCallback& on_text = nullptr);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_GENERATION_H_
