#ifndef PLUMB_ALIGNMENT_SELECTION_ATTACK_STYLE_H_
#define PLUMB_ALIGNMENT_SELECTION_ATTACK_STYLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/tensor/random.h"

namespace plumb {

// Egida ("Efficient Safety Retrofitting Against Jailbreaking for LLMs", Garcia-Gasulla et al. 2025, arXiv
// 2502.13603): unsafe requests of 27 topics are crossed with 18 attack styles, templates that dress a request
// up so that a model answers it; DPO on about 2,000 of the prompts, each with a safe answer (chosen) and an
// unsafe one (rejected), carries over to topics and styles that were not learnt. The templates are not the
// paper's: it has them from other collections.

// What stands for the request in a template.
inline constexpr char kRequestPlace[] = "{request}";

// The request in the place, or places, that the template has for it.
std::string AttackPrompt(absl::string_view attack_template, absl::string_view request);

// Which of `styles` styles a request is crossed with, in their order: all, or `per_prompt` of them, drawn.
std::vector<int64_t> StylesOfPrompt(int64_t styles, int64_t per_prompt, const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_ATTACK_STYLE_H_
