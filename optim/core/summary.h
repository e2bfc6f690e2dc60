#ifndef PLUMB_OPTIM_CORE_SUMMARY_H_
#define PLUMB_OPTIM_CORE_SUMMARY_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "optim/core/options.pb.h"

namespace plumb {

// Why a solver ended. A run that failed still has its best point: failure is a value, not an exception.
enum class Termination {
  kConverged,         // a tolerance was met
  kMaxIterations,     // a limit of StopOptions
  kMaxEvaluations,    // a limit of StopOptions
  kTimeLimit,         // a limit of StopOptions
  kStopped,           // by the user: a callback said so, or SIGINT
  kStalled,           // no better point can be found at this precision, though no tolerance was met
  kNumericalFailure,  // evaluations failed where they must not, or the method broke down
  kInfeasible,        // the constraints seem to contradict each other
  kUnbounded,         // the objective fell below every bound
};

// "CONVERGED", "TIME_LIMIT" ...
const char* TerminationName(Termination termination);

// How often what was asked, counted in points: a batch of 10 points is 10 values.
struct OracleCalls {
  int64_t values = 0;           // f
  int64_t gradients = 0;        // f'
  int64_t hessian_vectors = 0;  // f'' v
  int64_t constraints = 0;      // c, all at a point counted once
  int64_t jacobians = 0;        // c', likewise
  int64_t matrix_vectors = 0;   // A v, A^T v
  int64_t preconditioners = 0;  // M^-1 v
  int64_t rankings = 0;         // points put in order, without values
  int64_t failed = 0;           // those among them that gave an error, NaN or infinity

  OracleCalls& operator+=(const OracleCalls& other);
};

// A line of a solver's history. What does not apply is NaN.
struct IterationRecord {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  int64_t iteration = 0;
  double value = kNone;          // the objective
  double optimality = kNone;     // what goes to zero at a solution: norm of a gradient, of a residual
  double infeasibility = kNone;  // largest violation of a constraint
  double step = kNone;           // length of the step just made
  int64_t evaluations = 0;       // so far
  double seconds = 0;            // so far
};

// How a run of any solver went.
struct Summary {
  Termination termination = Termination::kNumericalFailure;
  std::string reason;  // one sentence, with the numbers that decided
  int64_t iterations = 0;
  OracleCalls calls;
  double seconds = 0;
  double value = IterationRecord::kNone;  // these three at the point returned
  double optimality = IterationRecord::kNone;
  double infeasibility = IterationRecord::kNone;
  std::vector<IterationRecord> history;

  bool converged() const { return termination == Termination::kConverged; }

  // "CONVERGED after 12 iterations, 15 values, 0.002 s: ...".
  std::string BriefReport() const;

  // All of it: the brief report, calls by kind, and the history as a table of at most `max_lines` lines (the
  // middle is left out first), with the columns that the solver filled.
  std::string FullReport(int max_lines = 40) const;
};

// Told after each iteration; false stops the solver.
using IterationCallback = std::function<bool(const IterationRecord&)>;

// The clock, the limits and the history of one run. A solver is a loop
//
//   SolverRun run(options.stop(), callback);
//   while (!run.MustStop()) {
//     ... run.calls().values += 1 ...
//     if (...) return run.End(Termination::kConverged, "...");
//     run.EndIteration(record);
//   }
//   return run.End();
class SolverRun {
 public:
  explicit SolverRun(const StopOptions& options, IterationCallback callback = nullptr);

  OracleCalls& calls() { return summary_.calls; }
  int64_t iterations() const { return summary_.iterations; }
  double Seconds() const;

  // What max_evaluations counts: values, matrix-vector products, rankings.
  int64_t Evaluations() const;

  // Counts the iteration and completes its record (iteration, evaluations, seconds).
  void EndIteration(IterationRecord record);

  // True once a limit is reached, the callback said false or SIGINT came; End() then says which.
  bool MustStop();

  // The end of the run; without arguments, the one that MustStop() found. Value, optimality and infeasibility
  // are those of the last record, unless the solver sets them.
  Summary End();
  Summary End(Termination termination, std::string reason);

 private:
  using Clock = std::chrono::steady_clock;

  StopOptions options_;
  IterationCallback callback_;
  Clock::time_point start_ = Clock::now();
  bool callback_stopped_ = false;
  Summary summary_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_SUMMARY_H_
