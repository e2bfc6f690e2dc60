#include "alignment/objectives/sft.h"

#include <ATen/TensorOperators.h>

namespace plumb {
namespace {

ObjectiveTraits SftTraits(const Sft&) {
  ObjectiveTraits traits;
  traits.needs_rejected = false;
  traits.mean_over_tokens = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kSft, &ObjectiveConfig::sft, SftTraits, SftLoss);

}  // namespace

LossOutput SftLoss(const Sft&, const PreferenceLogps& logps) {
  LossOutput output;
  output.loss = -logps.policy_chosen_logps / logps.chosen_length;
  return output;
}

}  // namespace plumb
