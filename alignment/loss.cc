// A calculator for people who check formulas: pairs as JSON lines in, losses and gradients as JSON lines out.

#include <gflags/gflags.h>

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "alignment/loss_calculator.h"
#include "alignment/objectives/objective.h"
#include "common/config/recipe.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"

DEFINE_string(objective, "", "the objective in text format, e.g. 'dpo { beta: 0.1 }'");

namespace plumb {
namespace {

constexpr char kUsage[] =
    R"(loss --objective='dpo { beta: 0.1 }' < PAIRS.jsonl
Reads one JSON object a line from standard input: policy_chosen_logps, policy_rejected_logps,
reference_chosen_logps, reference_rejected_logps, chosen_length, rejected_length, margin, rewards_chosen,
rewards_rejected, label and baseline of an answer without a pair, and what else an objective needs (score_*: numbers or arrays; *_token_logps, *_token_kl,
*_token_mask: arrays). Writes one a line: the loss, the rewards, their margin, and the derivative of the loss
by every input, in f64.)";

absl::Status Run() {
  ObjectiveConfig config;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(FLAGS_objective, "--objective", /*overrides=*/{}, &config));
  PLUMB_ASSIGN_OR_RETURN(const Objective objective, Objective::Create(config));
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const absl::StatusOr<std::string> loss = LossOfJson(objective, line);
    if (!loss.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("standard input:", number, ": ", loss.status().message()));
    }
    std::cout << *loss << '\n';
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) { return plumb::RunProgram(argc, argv, plumb::kUsage, plumb::Run); }
