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
         traits.needs_vocab_divergence || traits.needs_token_mask;
}
bool RejectedLengths(const Traits& traits) { return Lengths(traits) && traits.needs_rejected; }
bool Rewards(const Traits& traits) { return traits.needs_rewards; }
bool Gold(const Traits& traits) { return traits.needs_gold; }
bool Label(const Traits& traits) { return traits.needs_label; }
bool HasBaseline(const Traits& traits) { return traits.baseline != Baseline::kNone; }
bool Scores(const Traits& traits) { return traits.needs_scores; }
bool TokenLogps(const Traits& traits) { return traits.needs_token_logps; }
bool RejectedTokenLogps(const Traits& traits) { return TokenLogps(traits) && traits.needs_rejected; }
bool ReferenceTokenLogps(const Traits& traits) { return TokenLogps(traits) && traits.needs_reference; }
bool ReferenceRejectedTokenLogps(const Traits& traits) {
  return ReferenceTokenLogps(traits) && traits.needs_rejected;
}
bool TokenKl(const Traits& traits) { return traits.needs_vocab_divergence; }
bool RejectedTokenKl(const Traits& traits) { return TokenKl(traits) && traits.needs_rejected; }
bool TokenMask(const Traits& traits) { return traits.needs_token_mask; }
bool RejectedTokenMask(const Traits& traits) { return TokenMask(traits) && traits.needs_rejected; }

constexpr PreferenceInput kInputs[] = {
    {"policy_chosen_logps", &Logps::policy_chosen_logps, nullptr, Policy},
    {"policy_rejected_logps", &Logps::policy_rejected_logps, nullptr, PolicyRejected},
    {"reference_chosen_logps", &Logps::reference_chosen_logps, nullptr, Reference},
    {"reference_rejected_logps", &Logps::reference_rejected_logps, nullptr, ReferenceRejected},
    {"chosen_length", &Logps::chosen_length, nullptr, Lengths},
    {"rejected_length", &Logps::rejected_length, nullptr, RejectedLengths},
    {"policy_gold_logps", &Logps::policy_gold_logps, nullptr, Gold},
    {"gold_length", &Logps::gold_length, nullptr, Gold},
    {"margin", &Logps::margin, nullptr, Optional},
    {"score_chosen", &Logps::score_chosen, nullptr, Scores, /*is_scores=*/true},
    {"score_rejected", &Logps::score_rejected, nullptr, Scores, /*is_scores=*/true},
    {"label", &Logps::label, nullptr, Label},
    {"baseline", &Logps::baseline, nullptr, HasBaseline},
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
    {"chosen_token_mask", &Logps::chosen_token_mask, &Logps::chosen_length, TokenMask},
    {"rejected_token_mask", &Logps::rejected_token_mask, &Logps::rejected_length, RejectedTokenMask},
};

}  // namespace

absl::Span<const PreferenceInput> PreferenceInputs() { return kInputs; }

}  // namespace plumb
