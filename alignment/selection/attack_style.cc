#include "alignment/selection/attack_style.h"

#include <algorithm>

#include "absl/strings/str_replace.h"

namespace plumb {

std::string AttackPrompt(absl::string_view attack_template, absl::string_view request) {
  return absl::StrReplaceAll(attack_template, {{kRequestPlace, request}});
}

std::vector<int64_t> StylesOfPrompt(int64_t styles, int64_t per_prompt, const RandomStream& random) {
  std::vector<int64_t> drawn = random.Permutation(styles);
  drawn.resize(std::min(styles, per_prompt));
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace plumb
