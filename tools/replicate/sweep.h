#ifndef PLUMB_TOOLS_REPLICATE_SWEEP_H_
#define PLUMB_TOOLS_REPLICATE_SWEEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/report/plot.h"
#include "common/report/run_folder.h"

namespace plumb {

// A figure of a paper rather than one claim: something is varied, each value over the same seeds, in the
// preference world. Intervals are Student's t over seeds.
struct Sweep {
  Facts facts;  // "name" and "description" among them
  std::vector<Plot> plots;
  std::string rows;  // JSON lines, one a value
};

// Scaling laws of direct alignment (Rafailov et al. 2024, arXiv 2406.02900): DPO, IPO and SLiC at several
// beta, each of which is a KL budget; reward and divergence within and after training; the fit of
// alignment/eval/scaling_law.h, by itself for each seed.
struct KlBudgetOptions {
  int64_t seeds = 5;  // at least 2
  int64_t pairs = 96;
  int64_t steps = 400;
  std::vector<double> betas = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1};  // the paper's
};
absl::StatusOr<Sweep> SweepKlBudget(const KlBudgetOptions& options);

// The trade-off of demonstrations and preference pairs ("Balancing the Budget", Raghavendra et al. 2025,
// arXiv 2502.11284; data_budget.h).
struct DataBudgetOptions {
  int64_t seeds = 5;  // at least 2
  int64_t steps = 200;
  std::vector<int64_t> budgets = {60, 200, 600, 2000};        // annotations
  std::vector<double> shares = {0, 0.1, 0.25, 0.5, 0.75, 1};  // of demonstrations
};
absl::StatusOr<Sweep> SweepDataBudget(const DataBudgetOptions& options);

// The Pareto front of two objectives by their weights (MODPO, Zhou et al. 2023, arXiv 2310.03708;
// two_objectives.h): both gold rewards where the KL divergence from the reference first comes to kl, of MODPO
// and of DPO on the weighted losses.
struct ParetoOptions {
  int64_t seeds = 5;  // at least 2
  int64_t pairs = 512;
  int64_t weights = 6;  // 1 / weights, 2 / weights ... 1
  double beta = 0.1;
  double kl = 1;  // nats
};
absl::StatusOr<Sweep> SweepPareto(const ParetoOptions& options);

// sweep.jsonl, facts.json, plots.jsonl and report.html.
absl::Status WriteSweep(const Sweep& sweep, const std::string& folder);

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_SWEEP_H_
