#include "alignment/preference_direction.h"

#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace plumb {

std::vector<double> PreferenceDirections::Direction(int64_t index) const {
  const double share = random_.Uniform(static_cast<uint64_t>(index));
  const double degrees = config_.min_angle() + share * (config_.max_angle() - config_.min_angle());
  const double angle = degrees * std::acos(-1.0) / 180;
  return {std::cos(angle), std::sin(angle)};
}

std::string PreferenceDirections::Instruction(absl::Span<const double> direction) const {
  std::string text = config_.instruction();
  for (size_t i = 0; i < direction.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? " " : " + ", config_.objective(static_cast<int>(i)), "*",
                    std::llround(100 * direction[i]));
  }
  return text;
}

Content PreferenceDirections::WithInstruction(Content prompt, absl::Span<const double> direction) const {
  const std::string instruction = Instruction(direction);
  if (auto* text = std::get_if<std::string>(&prompt)) return absl::StrCat(instruction, "\n\n", *text);
  auto& messages = std::get<std::vector<ChatMessage>>(prompt);
  if (!messages.empty() && messages[0].role == "system") {
    absl::StrAppend(&messages[0].content, " ", instruction);
  } else {
    messages.insert(messages.begin(), {"system", instruction, "", ""});
  }
  return prompt;
}

}  // namespace plumb
