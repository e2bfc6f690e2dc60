#ifndef PLUMB_ALIGNMENT_ROLLOUTS_H_
#define PLUMB_ALIGNMENT_ROLLOUTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/text_model.h"
#include "common/nn/generation.h"

namespace plumb {

// A prompt that the policy is to answer: answer k is drawn from random.Child(k), whatever else is answered.
struct RolloutPrompt {
  const std::vector<int64_t>* prompt_ids = nullptr;  // at least one token
  RandomStream random;
};

// The policy's own answers, `num_generations` to each prompt, in the order of the prompts. `options` as in
// Generate(), whose errors these are.
absl::StatusOr<std::vector<std::vector<GeneratedSequence>>> SampleAnswers(
    TextModel& policy, absl::Span<const RolloutPrompt> prompts, int64_t num_generations,
    const GenerationOptions& options);

// Sampling from the policy as it is: temperature 1 and nothing cut, whatever the model's folder says.
GenerationOptions PlainSampling(int64_t max_new_tokens, int64_t max_batch_size);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_ROLLOUTS_H_
