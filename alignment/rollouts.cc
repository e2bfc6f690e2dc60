#include "alignment/rollouts.h"

#include <utility>

#include "common/status/status_macros.h"

namespace plumb {

absl::StatusOr<std::vector<std::vector<GeneratedSequence>>> SampleAnswers(
    TextModel& policy, absl::Span<const RolloutPrompt> prompts, int64_t num_generations,
    const GenerationOptions& options) {
  std::vector<GenerationRequest> requests;
  for (const RolloutPrompt& prompt : prompts) {
    for (int64_t k = 0; k < num_generations; ++k) {
      requests.push_back({*prompt.prompt_ids, prompt.random.Child(static_cast<uint64_t>(k))});
    }
  }
  PLUMB_ASSIGN_OR_RETURN(std::vector<GeneratedSequence> generated,
                         Generate(*policy.model, requests, options, policy.tokenizer.get()));
  std::vector<std::vector<GeneratedSequence>> answers(prompts.size());
  for (size_t i = 0; i < generated.size(); ++i) {
    answers[i / num_generations].push_back(std::move(generated[i]));
  }
  return answers;
}

GenerationOptions PlainSampling(int64_t max_new_tokens, int64_t max_batch_size) {
  GenerationOptions options;
  options.set_max_new_tokens(max_new_tokens);
  options.set_max_batch_size(max_batch_size);
  options.set_do_sample(true);
  options.set_temperature(1);
  options.set_top_k(0);
  options.set_top_p(1);
  options.set_repetition_penalty(1);
  return options;
}

}  // namespace plumb
