#include "common/program/nearest_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plumb {
namespace {

char Folded(char c) { return c == '-' ? '_' : absl::ascii_tolower(c); }

// Names of thousands of characters come only from files that are no recipes.
constexpr size_t kLongestName = 100;

}  // namespace

int EditDistance(absl::string_view a, absl::string_view b) {
  // Three rows of the table of the optimal string alignment distance.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Folded(a[i - 1]) == Folded(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Folded(a[i - 1]) == Folded(b[j - 2]) && Folded(a[i - 2]) == Folded(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string NearestName(absl::string_view name, const std::vector<std::string>& names) {
  if (name.size() > kLongestName) return "";
  std::string nearest;
  int nearest_distance = std::max<int>(1, name.size() / 3) + 1;
  for (const std::string& candidate : names) {
    const int distance = EditDistance(name, candidate);
    if (distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  if (!nearest.empty() || name.size() < 3) return nearest;
  // "steps" for "max_steps": a whole part of one name only.
  for (const std::string& candidate : names) {
    if (!absl::StrContains(absl::StrCat("_", candidate, "_"), absl::StrCat("_", name, "_"))) continue;
    if (!nearest.empty()) return "";
    nearest = candidate;
  }
  return nearest;
}

std::string SuggestName(absl::string_view name, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const std::string nearest = NearestName(name, names);
  if (!nearest.empty()) return absl::StrCat("; did you mean '", nearest, "'?");
  return absl::StrCat("; valid are ", absl::StrJoin(names, ", "));
}

}  // namespace plumb
