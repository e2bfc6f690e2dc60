#include "alignment/selection/dstc.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace plumb {

std::optional<CodeSelection> MinimaxSelection(const PassMatrix& passes) {
  const int64_t codes = passes.size();
  const int64_t tests = codes == 0 ? 0 : passes[0].size();
  std::vector<int64_t> tests_passed(codes), codes_passing(tests);
  for (int64_t j = 0; j < codes; ++j) {
    for (int64_t k = 0; k < tests; ++k) {
      tests_passed[j] += passes[j][k];
      codes_passing[k] += passes[j][k];
    }
  }
  constexpr int64_t kNone = -1;
  CodeSelection selection = {0, kNone, kNone, kNone};
  for (int64_t j = 1; j < codes; ++j) {
    if (tests_passed[j] > tests_passed[selection.chosen_code]) selection.chosen_code = j;
  }
  for (int64_t k = 0; k < tests; ++k) {
    if (passes[selection.chosen_code][k] &&
        (selection.chosen_test == kNone || codes_passing[k] < codes_passing[selection.chosen_test])) {
      selection.chosen_test = k;
    }
    if (codes_passing[k] < codes &&
        (selection.rejected_test == kNone || codes_passing[k] > codes_passing[selection.rejected_test])) {
      selection.rejected_test = k;
    }
  }
  if (selection.chosen_test == kNone || selection.rejected_test == kNone) return std::nullopt;
  for (int64_t j = 0; j < codes; ++j) {
    if (j == selection.chosen_code || passes[j][selection.rejected_test]) continue;
    if (selection.rejected_code == kNone || tests_passed[j] < tests_passed[selection.rejected_code]) {
      selection.rejected_code = j;
    }
  }
  if (selection.rejected_code == kNone) return std::nullopt;
  return selection;
}

std::string CodeIn(absl::string_view said) {
  const auto is_fence = [](absl::string_view line) { return absl::StartsWith(line, "```"); };
  const std::vector<absl::string_view> lines = absl::StrSplit(said, '\n');
  const auto opening = std::find_if(lines.begin(), lines.end(), is_fence);
  if (opening == lines.end()) return std::string(said);
  const auto closing = std::find_if(opening + 1, lines.end(), is_fence);
  return absl::StrJoin(opening + 1, closing, "\n");
}

}  // namespace plumb
