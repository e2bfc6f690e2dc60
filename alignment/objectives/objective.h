#ifndef PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "alignment/objectives/objective.pb.h"
#include "alignment/objectives/preference_logps.h"

namespace plumb {

// What an answer's log-ratio of policy to reference is compared with, where answers come one by one.
enum class Baseline {
  kNone,
  kMismatchedKl,  // max(0, mean log-ratio of answers to other prompts): an estimate of KL(policy ||
                  // reference)
  kRunningMean,   // mean log-ratio of all answers of the training so far
};

// What an objective asks for: the programs compute just that.
struct ObjectiveTraits {
  bool needs_logps = true;              // of the policy
  bool needs_rejected = true;           // false: the chosen answer alone
  bool needs_reference = false;         // the same of a reference model
  bool needs_lengths = false;           // tokens of the answers
  bool needs_rewards = false;           // scores of a model with a reward head, in place of log-probabilities
  bool needs_token_logps = false;       // the terms of the sums
  bool needs_vocab_divergence = false;  // KL(reference || policy) at each token, over the whole vocabulary
  bool needs_gold = false;              // a third, gold answer of each pair: log-probability and length
  bool needs_token_mask = false;        // which of the answers' tokens count, from the data
  bool needs_scores = false;            // of the answers, from the data
  bool needs_label = false;  // answers come one by one, good or bad: each is the chosen one of its row
  Baseline baseline = Baseline::kNone;  // of such answers
  int64_t score_count = 0;              // so many of them; 0: any number
  bool scores_are_win_probabilities = false;
  bool couples_examples = false;  // the loss of a batch is not made of losses of its examples
  bool mean_over_tokens = false;  // a batch's loss weighs an example by its chosen_length, not by 1
};

struct LossOutput {
  at::Tensor loss;  // [B], of each example; carries the gradients
  // What the objective takes the answers' rewards to be, [B] without gradients; undefined if it has no such
  // notion. As in TRL, beta times the sum of log-ratios. Where answers come one by one, rewards_chosen is of
  // each, good or bad, and rewards_rejected undefined.
  at::Tensor rewards_chosen;
  at::Tensor rewards_rejected;
  // More to be logged: [B], averaged over the batch.
  std::vector<std::pair<std::string, at::Tensor>> metrics;
};

// A method with its parameters: a pure function of log-probabilities that knows no model, file or device.
class Objective {
 public:
  // Refuses a config that names no objective, or options that do not count beside each other.
  static absl::StatusOr<Objective> Create(const ObjectiveConfig& config);

  const std::string& name() const { return name_; }  // the field's in ObjectiveConfig, e.g. "dpo"
  double weight() const { return config_.weight(); }
  const ObjectiveTraits& traits() const { return traits_; }

  // Unweighted. Every input that traits() needs must be there.
  LossOutput Compute(const PreferenceLogps& logps) const;

 private:
  std::string name_;
  ObjectiveConfig config_;
  ObjectiveTraits traits_;
};

namespace objective_internal {
struct Method {
  std::function<absl::Status(const ObjectiveConfig&)> check;
  std::function<ObjectiveTraits(const ObjectiveConfig&)> traits;
  std::function<LossOutput(const ObjectiveConfig&, const PreferenceLogps&)> loss;
};
bool Register(ObjectiveConfig::ObjectiveCase field, Method method);
}  // namespace objective_internal

// A method makes itself known in its own .cc file, under its field of ObjectiveConfig:
//   const bool kRegistered = RegisterObjective(ObjectiveConfig::kDpo, &ObjectiveConfig::dpo, DpoTraits,
//   DpoLoss);
// `check`, if there is one, refuses what no limits of single fields can: "alpha: is of version TDPO2; leave
// it out". A field at its default is no mistake, as resolved recipes name every field.
template <typename Config>
bool RegisterObjective(ObjectiveConfig::ObjectiveCase field, const Config& (ObjectiveConfig::*get)() const,
                       ObjectiveTraits (*traits)(const Config&),
                       LossOutput (*loss)(const Config&, const PreferenceLogps&),
                       absl::Status (*check)(const Config&) = nullptr) {
  return objective_internal::Register(field,
                                      {[=](const ObjectiveConfig& config) {
                                         return check == nullptr ? absl::OkStatus() : check((config.*get)());
                                       },
                                       [=](const ObjectiveConfig& config) { return traits((config.*get)()); },
                                       [=](const ObjectiveConfig& config, const PreferenceLogps& logps) {
                                         return loss((config.*get)(), logps);
                                       }});
}

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_H_
