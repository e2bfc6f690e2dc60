#include "alignment/objectives/preference_logps.h"

#include "alignment/objectives/objective.h"

namespace plumb {
namespace {

using Logps = PreferenceLogps;
using Traits = ObjectiveTraits;

bool Optional(const Traits&) { return false; }
bool Policy(const Traits& traits) { return traits.needs_logps; }
bool PolicyRejected(const Traits& traits) { return traits.needs_logps && traits.needs_rejected; }
bool Reference(const Traits& traits) { return traits.needs_reference; }
bool ReferenceRejected(const Traits& traits) { return traits.needs_reference && traits.needs_rejected; }
bool Lengths(const Traits& traits) {
  return traits.needs_lengths || traits.mean_over_tokens || traits.needs_token_logps ||
         traits.needs_vocab_divergence;
}
bool RejectedLengths(const Traits& traits) { return Lengths(traits) && traits.needs_rejected; }
bool Rewards(const Traits& traits) { return traits.needs_rewards; }
bool TokenLogps(const Traits& traits) { return traits.needs_token_logps; }
bool RejectedTokenLogps(const Traits& traits) { return TokenLogps(traits) && traits.needs_rejected; }
bool ReferenceTokenLogps(const Traits& traits) { return TokenLogps(traits) && traits.needs_reference; }
bool ReferenceRejectedTokenLogps(const Traits& traits) {
  return ReferenceTokenLogps(traits) && traits.needs_rejected;
}
bool TokenKl(const Traits& traits) { return traits.needs_vocab_divergence; }
bool RejectedTokenKl(const Traits& traits) { return TokenKl(traits) && traits.needs_rejected; }

constexpr PreferenceInput kInputs[] = {
    {"policy_chosen_logps", &Logps::policy_chosen_logps, nullptr, Policy},
    {"policy_rejected_logps", &Logps::policy_rejected_logps, nullptr, PolicyRejected},
    {"reference_chosen_logps", &Logps::reference_chosen_logps, nullptr, Reference},
    {"reference_rejected_logps", &Logps::reference_rejected_logps, nullptr, ReferenceRejected},
    {"chosen_length", &Logps::chosen_length, nullptr, Lengths},
    {"rejected_length", &Logps::rejected_length, nullptr, RejectedLengths},
    {"margin", &Logps::margin, nullptr, Optional},
    {"rewards_chosen", &Logps::rewards_chosen, nullptr, Rewards},
    {"rewards_rejected", &Logps::rewards_rejected, nullptr, Rewards},
    {"policy_chosen_token_logps", &Logps::policy_chosen_token_logps, &Logps::chosen_length, TokenLogps},
    {"policy_rejected_token_logps", &Logps::policy_rejected_token_logps, &Logps::rejected_length,
     RejectedTokenLogps},
    {"reference_chosen_token_logps", &Logps::reference_chosen_token_logps, &Logps::chosen_length,
     ReferenceTokenLogps},
    {"reference_rejected_token_logps", &Logps::reference_rejected_token_logps, &Logps::rejected_length,
     ReferenceRejectedTokenLogps},
    {"chosen_token_kl", &Logps::chosen_token_kl, &Logps::chosen_length, TokenKl},
    {"rejected_token_kl", &Logps::rejected_token_kl, &Logps::rejected_length, RejectedTokenKl},
};

}  // namespace

absl::Span<const PreferenceInput> PreferenceInputs() { return kInputs; }

}  // namespace plumb
