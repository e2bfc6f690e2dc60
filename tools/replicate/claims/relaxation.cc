// Khodak et al. 2024: a bandit that sees the number of iterations alone sets omega for a sequence of systems.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/relaxation/chebyshev_bandit.h"
#include "optim/relaxation/relaxation_solvers.h"
#include "optim/relaxation/tsallis_inf.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kSystems = 5000, kGrid = 10;

// The paper's experiment: (A + c I) x = b with A the Laplacian of a square of 10 x 10 points, c = -0.15 + 0.6
// Beta(0.5, 1.5), its high-variance distribution, and b normal, not longer than its size's root.
SparseMatrix Laplacian() {
  std::vector<SparseMatrix::Entry> entries;
  for (int64_t here = 0; here < kGrid * kGrid; ++here) {
    entries.push_back({here, here, 4});
    if (here >= kGrid) entries.push_back({here, here - kGrid, -1});
    if (here + kGrid < kGrid * kGrid) entries.push_back({here, here + kGrid, -1});
    if (here % kGrid > 0) entries.push_back({here, here - 1, -1});
    if ((here + 1) % kGrid > 0) entries.push_back({here, here + 1, -1});
  }
  return SparseMatrix::FromEntries(kGrid * kGrid, entries).value();
}

double Shift(const RandomStream& random) {
  // Beta(1/2, 3/2) of gammas: of 1/2, half the square of a normal number; of 3/2, that and an exponential.
  const double x = random.Normal(0), y = random.Normal(1);
  const double a = x * x / 2, b = y * y / 2 - std::log1p(-random.Uniform(2));
  return -0.15 + 0.6 * a / (a + b);
}

at::Tensor RightSide(const RandomStream& random) {
  for (uint64_t attempt = 0;; ++attempt) {
    const at::Tensor b = random.Child(attempt).NormalTensor({kGrid * kGrid}, at::kDouble);
    if (b.norm().item<double>() <= kGrid) return b;
  }
}

// The iterations that each system takes with each omega of the grid.
struct Costs {
  std::vector<double> shifts;
  std::vector<std::vector<double>> iterations;  // [system][omega]

  // Of one omega for all systems from `first` to `last`, the best of the grid.
  double BestFixed(int64_t first, int64_t last) const {
    std::vector<double> sums(iterations[0].size());
    for (int64_t system = first; system < last; ++system) {
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += iterations[system][i];
    }
    return *std::min_element(sums.begin(), sums.end()) / (last - first);
  }
};

absl::StatusOr<std::shared_ptr<const Costs>> CostsOf(uint64_t seed) {
  static auto& known = *new std::map<uint64_t, std::shared_ptr<const Costs>>();  // the claims share them
  if (const auto found = known.find(seed); found != known.end()) return found->second;
  const RandomStream random(seed, "relaxation");
  const SparseMatrix laplacian = Laplacian();
  LinearSolverOptions options;  // relative tolerance 1e-8
  Costs costs;
  for (int64_t system = 0; system < kSystems; ++system) {
    const RandomStream stream = random.Child("system").Child(static_cast<uint64_t>(system));
    costs.shifts.push_back(Shift(stream.Child("shift")));
    const at::Tensor b = RightSide(stream.Child("right side"));
    PLUMB_ASSIGN_OR_RETURN(const SparseMatrix a, laplacian.Shifted(costs.shifts.back()));
    costs.iterations.emplace_back();
    for (const double omega : RelaxationGrid()) {
      PLUMB_ASSIGN_OR_RETURN(const LinearSolution solution, SuccessiveOverRelaxation(a, b, omega, options));
      costs.iterations.back().push_back(solution.summary.iterations);
    }
  }
  return known[seed] = std::make_shared<const Costs>(std::move(costs));
}

// The iterations a system where the bandit chooses omega.
std::vector<double> Learn(Bandit* bandit, const Costs& costs) {
  std::vector<double> taken;
  for (int64_t system = 0; system < kSystems; ++system) {
    taken.push_back(costs.iterations[system][bandit->Choose(costs.shifts[system])]);
    bandit->Tell(taken.back());
  }
  return taken;
}

double Mean(const std::vector<double>& values, int64_t first, int64_t last) {
  double sum = 0;
  for (int64_t i = first; i < last; ++i) sum += values[i];
  return sum / (last - first);
}

std::vector<double> LearnByTsallisInf(const Costs& costs, uint64_t seed) {
  TsallisInf bandit(RelaxationGrid().size(), RandomStream(seed, "tsallis_inf"));
  return Learn(&bandit, costs);
}

absl::StatusOr<Comparison> AgainstOne(uint64_t seed) {
  PLUMB_ASSIGN_OR_RETURN(const auto costs, CostsOf(seed));
  Comparison comparison{Mean(LearnByTsallisInf(*costs, seed), 0, kSystems), 0};
  for (const std::vector<double>& iterations : costs->iterations) {
    comparison.baseline += iterations[0] / kSystems;
  }
  return comparison;
}

absl::StatusOr<Comparison> Regret(uint64_t seed) {
  PLUMB_ASSIGN_OR_RETURN(const auto costs, CostsOf(seed));
  const std::vector<double> taken = LearnByTsallisInf(*costs, seed);
  const int64_t half = kSystems / 2;
  return Comparison{Mean(taken, half, kSystems) / costs->BestFixed(half, kSystems) - 1,
                    Mean(taken, 0, half) / costs->BestFixed(0, half) - 1};
}

absl::StatusOr<std::vector<double>> LearnByChebyshev(const Costs& costs, uint64_t seed) {
  ChebyshevBanditOptions options;  // as in the paper's experiment
  options.lower = -0.15;
  options.upper = 0.65;
  PLUMB_ASSIGN_OR_RETURN(
      ChebyshevBandit bandit,
      ChebyshevBandit::Create(RelaxationGrid().size(), options, RandomStream(seed, "chebyshev_bandit")));
  return Learn(&bandit, costs);
}

absl::StatusOr<Comparison> Contextual(uint64_t seed) {
  PLUMB_ASSIGN_OR_RETURN(const auto costs, CostsOf(seed));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<double> taken, LearnByChebyshev(*costs, seed));
  return Comparison{Mean(taken, 0, kSystems), costs->BestFixed(0, kSystems)};
}

absl::StatusOr<Comparison> InstanceRegret(uint64_t seed) {
  PLUMB_ASSIGN_OR_RETURN(const auto costs, CostsOf(seed));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<double> taken, LearnByChebyshev(*costs, seed));
  std::vector<double> best;
  for (const std::vector<double>& iterations : costs->iterations) {
    best.push_back(*std::min_element(iterations.begin(), iterations.end()));
  }
  const int64_t half = kSystems / 2;
  return Comparison{Mean(taken, half, kSystems) / Mean(best, half, kSystems) - 1,
                    Mean(taken, 0, half) / Mean(best, 0, half) - 1};
}

const char* const kPaper =
    "Khodak, Chow, Balcan and Talwalkar 2024, Learning to Relax: Setting Solver Parameters Across a Sequence "
    "of Linear System Instances (arXiv 2310.02246)";

const bool kRegistered =
    RegisterClaim({"relaxation", kPaper,
                   "A bandit that sees numbers of iterations alone chooses omegas with which over-relaxation "
                   "takes fewer than with omega 1.",
                   "Tsallis-INF over 20 omegas", "omega = 1",
                   "iterations a system, mean of 5000 shifted Laplacians of 100 unknowns",
                   /*lower_is_better=*/true, /*seeds=*/5,
                   "the paper's random shifts of one matrix; its heat equation is not run.", AgainstOne}) &&
    RegisterClaim(
        {"relaxation_regret", kPaper,
         "The bandit's cost approaches that of the best fixed omega: its excess is less over the "
         "second 2500 systems than over the first.",
         "second half", "first half", "iterations over those of the grid's best omega of each half, less 1",
         /*lower_is_better=*/true, /*seeds=*/5,
         "the limit itself is out of reach: the excess falls as the root of the length.", Regret}) &&
    RegisterClaim(
        {"relaxation_contextual", kPaper,
         "A contextual bandit that knows the shift of each system takes fewer iterations than the "
         "best fixed omega.",
         "ChebCB over 20 omegas, 6 polynomials", "the grid's best omega, known in hindsight",
         "iterations a system, mean of 5000 shifted Laplacians of 100 unknowns",
         /*lower_is_better=*/true, /*seeds=*/5,
         "as the authors' program, whose exploration falls faster than the paper's analysis has it.",
         Contextual}) &&
    RegisterClaim(
        {"relaxation_instance", kPaper,
         "The contextual bandit approaches the policy that chooses the best omega of each system: "
         "its excess is less over the second 2500 systems than over the first.",
         "second half", "first half", "iterations over those of the grid's best omega of each system, less 1",
         /*lower_is_better=*/true, /*seeds=*/5,
         "the limit itself is out of reach; right sides differ, which no context tells.", InstanceRegret});

}  // namespace
}  // namespace plumb
