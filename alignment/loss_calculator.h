#ifndef PLUMB_ALIGNMENT_LOSS_CALCULATOR_H_
#define PLUMB_ALIGNMENT_LOSS_CALCULATOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alignment/objectives/objective.h"

namespace plumb {

// One pair as a JSON object in, its loss as a JSON object out, both in f64. In: inputs by the names of
// PreferenceInputs(), numbers, or arrays of numbers where there is one a token (or, of scores, several). Out:
// `loss` (times the objective's weight), `rewards_chosen`, `rewards_rejected` and `margin` where the
// objective has rewards, `reward` where it looks at one answer, what else it reports, and under `gradients`
// the derivative of `loss` by every input that was given. Numbers have the digits that give the same f64
// back; "Infinity", "-Infinity" and "NaN" are strings, as JSON has no such numbers. Errors name the field.
absl::StatusOr<std::string> LossOfJson(const Objective& objective, absl::string_view json);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_LOSS_CALCULATOR_H_
