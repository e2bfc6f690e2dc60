#include "alignment/eval/likelihood_over_optimisation.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace plumb {
namespace {

constexpr double kLeastFall = 0.01;  // of the first value

struct Change {
  double first, last;
  bool Fell() const { return first - last > kLeastFall * first; }
};

std::string Text(const Change& change) {
  return absl::StrFormat(" from %.4g to %.4g", change.first, change.last);
}

}  // namespace

std::string LikelihoodOverOptimisation(const std::map<std::string, double>& first,
                                       const std::map<std::string, double>& last) {
  bool complete = true;
  const auto change = [&](const char* metric) {
    const auto before = first.find(metric), after = last.find(metric);
    if (before == first.end() || after == last.end()) {
      complete = false;
      return Change{0, 0};
    }
    return Change{before->second, after->second};
  };
  const Change likelihood = change("eval_logps/chosen"), entropy = change("eval_top_k_entropy/chosen"),
               mass = change("eval_top_k_mass/chosen");
  if (!complete || likelihood.last <= likelihood.first) return "";
  std::vector<std::string> signs;
  if (entropy.Fell()) signs.push_back(absl::StrCat("their entropy fell", Text(entropy)));
  if (mass.Fell()) signs.push_back(absl::StrCat("their probability fell", Text(mass)));
  if (signs.empty()) return "";
  return absl::StrCat("warning: likelihood over-optimisation: chosen answers became likelier,",
                      Text(likelihood), " nats, and of the ", kLikeliestTokens, " likeliest tokens ",
                      absl::StrJoin(signs, " and "),
                      "; look at samples, or stop earlier (eval.every_steps, eval.load_best_model_at_end)");
}

}  // namespace plumb
