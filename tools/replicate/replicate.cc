// Runs what papers claim, and says whether it comes out so.

#include <gflags/gflags.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"

DEFINE_bool(all, false, "every claim");
DEFINE_string(page, "docs/results.md",
              "the table in which rows of the claims that were run are replaced; empty: none");
DEFINE_int32(seeds, 0, "so many seeds instead of the claim's own; --page stays as it is");

namespace plumb {
namespace {

constexpr char kUsage[] =
    R"(replicate CLAIM...
Runs the paper's method and its baseline over several seeds and prints the effect with its 95 % interval.
Each goes to its row of docs/results.md. Without a name: lists the claims.)";

struct Result {
  const PaperClaim* claim;
  int64_t seeds;
  Comparison means;
  Interval effect;
  std::string verdict;
};

absl::StatusOr<Result> Replicate(const PaperClaim& claim) {
  std::cout << claim.name << ": " << claim.paper << "\n  claim: " << claim.sentence
            << "\n  figure: " << claim.figure
            << (claim.lower_is_better ? ", lower is better" : ", higher is better") << std::endl;
  const int64_t seeds = FLAGS_seeds > 0 ? FLAGS_seeds : claim.seeds;
  std::vector<Comparison> comparisons;
  Result result{&claim, seeds, {}, {}, ""};
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    if (InterruptRequested()) return absl::CancelledError(absl::StrCat(claim.name, ": stopped"));
    PLUMB_ASSIGN_OR_RETURN(const Comparison comparison, claim.run(seed));
    std::cout << absl::StrFormat("  seed %d: %s %.6g, %s %.6g", seed, claim.method, comparison.method,
                                 claim.baseline, comparison.baseline)
              << std::endl;
    comparisons.push_back(comparison);
    result.means.method += comparison.method / seeds;
    result.means.baseline += comparison.baseline / seeds;
  }
  result.effect = PairedEffect(comparisons);
  result.verdict = Verdict(result.effect, claim.lower_is_better);
  std::cout << absl::StrFormat("  effect %.6g, 95 %% interval [%.6g, %.6g]: %s\n", result.effect.mean,
                               result.effect.low, result.effect.high, result.verdict)
            << "  " << claim.caveat << std::endl;
  return result;
}

constexpr char kHead[] = R"(# Results: the papers' claims, run

    bazel run //tools:replicate -- --all

Each row is a small controlled run of a paper's method against a baseline on the same problems and budget, once a seed. Effect: method minus
baseline, with the 95 % interval of Student's t for paired differences. A claim holds where the whole interval lies on its side of 0; these runs
say nothing of the papers' own models and data.

| claim | paper | what is claimed | figure | method | baseline | seeds | effect | verdict |
|---|---|---|---|---|---|---|---|---|
)";

std::string RowStart(const PaperClaim& claim) { return absl::StrCat("| ", claim.name, " | "); }

std::string Row(const Result& r) {
  return absl::StrCat(RowStart(*r.claim), r.claim->paper, " | ", r.claim->sentence, " | ", r.claim->figure,
                      absl::StrFormat(" | %s: %.4g | %s: %.4g | %d | %.3g [%.3g, %.3g] | %s |\n",
                                      r.claim->method, r.means.method, r.claim->baseline, r.means.baseline,
                                      r.seeds, r.effect.mean, r.effect.low, r.effect.high, r.verdict));
}

// The page with the result's row in place of the one that `page` has for that claim; claims without a row
// have none.
std::string WithRow(const std::string& page, const Result& result) {
  const std::vector<std::string> lines = absl::StrSplit(page, '\n');
  std::string rows, caveats;
  for (const PaperClaim& claim : Claims()) {
    const auto is_row = [&](const std::string& line) { return absl::StartsWith(line, RowStart(claim)); };
    const auto found = std::find_if(lines.begin(), lines.end(), is_row);
    if (&claim != result.claim && found == lines.end()) continue;
    absl::StrAppend(&rows, &claim == result.claim ? Row(result) : *found + "\n");
    absl::StrAppend(&caveats, "- ", claim.name, ": ", claim.caveat, "\n");
  }
  return absl::StrCat(kHead, rows, "\n## What these runs cannot show, and why some fail\n", caveats);
}

absl::Status ReplaceRow(const Result& result) {
  if (FLAGS_page.empty()) return absl::OkStatus();
  std::string page;
  if (std::filesystem::exists(FLAGS_page)) {
    PLUMB_ASSIGN_OR_RETURN(page, ReadFile(FLAGS_page));
  }
  return WriteFileAtomically(FLAGS_page, WithRow(page, result));
}

absl::StatusOr<std::vector<const PaperClaim*>> Chosen(const std::vector<std::string>& names) {
  std::vector<const PaperClaim*> chosen;
  if (FLAGS_all) {
    for (const PaperClaim& claim : Claims()) chosen.push_back(&claim);
    return chosen;
  }
  for (const std::string& name : names) {
    std::vector<std::string> known;
    for (const PaperClaim& claim : Claims()) {
      known.push_back(claim.name);
      if (claim.name == name) chosen.push_back(&claim);
    }
    if (chosen.empty() || chosen.back()->name != name) {
      return absl::InvalidArgumentError(
          absl::StrCat("no claim is called '", name, "'; there are ", absl::StrJoin(known, ", ")));
    }
  }
  return chosen;
}

absl::Status Run(const std::vector<std::string>& names) {
  if (FLAGS_seeds == 1 || FLAGS_seeds < 0) {
    return absl::InvalidArgumentError("--seeds: expected at least 2, for an interval");
  }
  if (FLAGS_all && !names.empty()) return absl::InvalidArgumentError("--all: takes no name beside it");
  PLUMB_ASSIGN_OR_RETURN(const std::vector<const PaperClaim*> chosen, Chosen(names));
  if (chosen.empty()) {
    for (const PaperClaim& claim : Claims()) std::cout << claim.name << ": " << claim.sentence << "\n";
    return absl::OkStatus();
  }
  for (const PaperClaim* claim : chosen) {
    PLUMB_ASSIGN_OR_RETURN(const Result result, Replicate(*claim));
    if (FLAGS_seeds == 0) PLUMB_RETURN_IF_ERROR(ReplaceRow(result));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunProgram(argc, argv, plumb::kUsage,
                           std::function<absl::Status(const std::vector<std::string>&)>(plumb::Run));
}
