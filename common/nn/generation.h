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

// Who wants to see what comes before all is done. Either may be empty.
struct GenerationCallbacks {
  // The text of request `index` as it grows, in whole characters; all pieces together are the
  // GeneratedSequence's text. Needs a tokenizer.
  std::function<void(int64_t index, absl::string_view piece)> on_text;
  // A request that has ended, in whatever order they do; its logps are the sampler's still. `sequence` is
  // there until Generate() returns.
  std::function<void(int64_t index, const GeneratedSequence& sequence)> on_sequence;
};

// Fills what `options` leave open from the model's generation_config.json and config.json. A field of
// generation_config.json that would change the output and is not supported (num_beams, ...) is refused.
absl::StatusOr<GenerationOptions> ResolveGenerationOptions(const GenerationOptions& options,
                                                           const ModelConfig& config);

// Refuses prompts without tokens, tokens that the model has not, and for GPT-2 more of them (new ones
// included) than it has positions.
absl::Status CheckRequests(absl::Span<const GenerationRequest> requests, const GenerationOptions& options,
                           const ModelConfig& config);

// Continues all prompts, by continuous batching (Orca: Yu et al., OSDI 2022): as many at once as `options`
// say, and the next as soon as one has ended; its prompt is read in the same pass as the next tokens of the
// others. Keys and values are paged (common/nn/key_value_cache.h): what a prompt has in common with one that
// was read is not read again, so samples of a prompt are requests with that prompt. Tokens depend on the
// request and its random stream, not on the batch, but for the last bits of the logits.
//
// With options.logps() TRAINER, the log-probabilities are computed once more as a trainer will compute them:
// RolloutLogps() (common/nn/rollout_logps.h) of each run of consecutive requests with the same prompt, as one
// batch. They are then exactly a trainer's that does the same.
//
// `options` are resolved first. Stop strings and text need a tokenizer. The model must not be trained at the
// same time. Where an interrupt is requested (common/program/interrupt.h) it stops at the next token: a
// CancelledError.
absl::StatusOr<std::vector<GeneratedSequence>> Generate(CausalLm& model,
                                                        absl::Span<const GenerationRequest> requests,
                                                        const GenerationOptions& options,
                                                        const Tokenizer* tokenizer = nullptr,
                                                        const GenerationCallbacks& callbacks = {});

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_GENERATION_H_
