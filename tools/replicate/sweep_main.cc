// What papers show as a figure: something varied over seeds, with intervals, as a folder with a report.

#include <gflags/gflags.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"
#include "tools/replicate/sweep.h"

DEFINE_string(output_dir, "", "default: runs/NAME");
DEFINE_int32(seeds, 5, "at least 2");

namespace plumb {
namespace {

constexpr char kUsage[] =
    R"(sweep NAME
kl_budget: gold reward by KL divergence of DPO, IPO and SLiC, and the fit of their scaling law
data_budget: gold reward by the share of a budget that goes into demonstrations rather than preference pairs
pareto: gold rewards of two objectives by their weights, of MODPO and of DPO on weighted losses
Writes sweep.jsonl, facts.json, plots.jsonl and report.html.)";

absl::StatusOr<Sweep> Run(const std::string& name) {
  if (name == "kl_budget") {
    KlBudgetOptions options;
    options.seeds = FLAGS_seeds;
    return SweepKlBudget(options);
  }
  if (name == "data_budget") {
    DataBudgetOptions options;
    options.seeds = FLAGS_seeds;
    return SweepDataBudget(options);
  }
  if (name == "pareto") {
    ParetoOptions options;
    options.seeds = FLAGS_seeds;
    return SweepPareto(options);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no sweep is called '", name, "'; there are kl_budget, data_budget, pareto"));
}

absl::Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) return absl::InvalidArgumentError("one name is expected: sweep NAME");
  if (FLAGS_seeds < 2) return absl::InvalidArgumentError("--seeds: expected at least 2, for an interval");
  PLUMB_ASSIGN_OR_RETURN(const Sweep sweep, Run(arguments[0]));
  const std::string folder =
      FLAGS_output_dir.empty() ? absl::StrCat("runs/", arguments[0]) : FLAGS_output_dir;
  PLUMB_RETURN_IF_ERROR(WriteSweep(sweep, folder));
  for (const auto& [name, value] : sweep.facts) std::printf("%s: %s\n", name.c_str(), value.c_str());
  std::printf("%s%s/report.html\n", sweep.rows.c_str(), folder.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunProgram(argc, argv, plumb::kUsage,
                           std::function<absl::Status(const std::vector<std::string>&)>(plumb::Main));
}
