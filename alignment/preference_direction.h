#ifndef PLUMB_ALIGNMENT_PREFERENCE_DIRECTION_H_
#define PLUMB_ALIGNMENT_PREFERENCE_DIRECTION_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "alignment/recipe.pb.h"
#include "common/data/examples.h"
#include "common/tensor/random.h"

namespace plumb {

// Directional preference alignment, DPA (Wang et al. 2024, "Arithmetic Control of LLMs for Diverse User
// Preferences: Directional Preference Alignment with Multi-Objective Rewards", arXiv 2402.18571): what a user
// wants is a direction v, a unit vector in the space of rewards r = (r_1, r_2), and an answer's reward R = v
// . r. The policy is told v in its prompt, in hundredths, and fine-tuned on the best of K of its own answers
// under v; this is repeated. Rewards are regressed on ratings (reward_regression), in the paper by one model
// of several heads, here by a model each, which reads the prompt without the instruction.
//
// The instruction's text and the range of directions (45 degrees to both sides of r_1) are those of the model
// card of DPA-v1-Mistral-7B; that angles are uniform in training, and the order of sampling and filtering,
// could not be confirmed.
class PreferenceDirections {
 public:
  PreferenceDirections(const PreferenceDirection& config, const RandomStream& random)
      : config_(config), random_(random) {}

  // (cos, sin) of example `index`'s angle.
  std::vector<double> Direction(int64_t index) const;

  // "INSTRUCTION helpfulness*87 + verbosity*-50".
  std::string Instruction(absl::Span<const double> direction) const;

  // The instruction before a plain text, with an empty line between; of a conversation as its system message,
  // after what that says already.
  Content WithInstruction(Content prompt, absl::Span<const double> direction) const;

 private:
  PreferenceDirection config_;
  RandomStream random_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PREFERENCE_DIRECTION_H_
