#include "optim/core/summary.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/program/interrupt.h"

namespace plumb {
namespace {

struct CallCount {
  const char* name;
  int64_t OracleCalls::*count;
};

constexpr CallCount kCallCounts[] = {
    {"values", &OracleCalls::values},
    {"gradients", &OracleCalls::gradients},
    {"Hessian-vector products", &OracleCalls::hessian_vectors},
    {"constraints", &OracleCalls::constraints},
    {"Jacobians", &OracleCalls::jacobians},
    {"matrix-vector products", &OracleCalls::matrix_vectors},
    {"preconditioner solves", &OracleCalls::preconditioners},
    {"rankings", &OracleCalls::rankings},
    {"failed", &OracleCalls::failed},
};

struct Column {
  const char* name;
  double IterationRecord::*value;
  const char* format;
};

constexpr Column kColumns[] = {
    {"value", &IterationRecord::value, "%.9e"},
    {"optimality", &IterationRecord::optimality, "%.2e"},
    {"infeasibility", &IterationRecord::infeasibility, "%.2e"},
    {"step", &IterationRecord::step, "%.2e"},
};

std::string FormatCell(const Column& column, double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), column.format, value);
  return text;
}

}  // namespace

const char* TerminationName(Termination termination) {
  switch (termination) {
    case Termination::kConverged:
      return "CONVERGED";
    case Termination::kMaxIterations:
      return "MAX_ITERATIONS";
    case Termination::kMaxEvaluations:
      return "MAX_EVALUATIONS";
    case Termination::kTimeLimit:
      return "TIME_LIMIT";
    case Termination::kStopped:
      return "STOPPED";
    case Termination::kStalled:
      return "STALLED";
    case Termination::kNumericalFailure:
      return "NUMERICAL_FAILURE";
    case Termination::kInfeasible:
      return "INFEASIBLE";
    case Termination::kUnbounded:
      return "UNBOUNDED";
  }
  return "UNKNOWN";
}

OracleCalls& OracleCalls::operator+=(const OracleCalls& other) {
  for (const CallCount& kind : kCallCounts) this->*kind.count += other.*kind.count;
  return *this;
}

std::string Summary::BriefReport() const {
  std::string text = absl::StrFormat("%s after %d iterations", TerminationName(termination), iterations);
  for (const CallCount& kind : kCallCounts) {
    if (const int64_t count = calls.*kind.count; count > 0)
      absl::StrAppend(&text, ", ", count, " ", kind.name);
  }
  return absl::StrFormat("%s, %.3g s: %s", text, seconds, reason);
}

std::string Summary::FullReport(int max_lines) const {
  std::string text = absl::StrCat(BriefReport(), "\n");
  const double at_end[] = {value, optimality, infeasibility};
  for (int i = 0; i < 3; ++i) {
    if (!std::isnan(at_end[i]))
      absl::StrAppend(&text, kColumns[i].name, ": ", absl::StrFormat("%.9g\n", at_end[i]));
  }
  if (history.empty()) return text;

  std::vector<Column> columns;
  absl::StrAppendFormat(&text, "%9s", "iteration");
  for (const Column& column : kColumns) {
    for (const IterationRecord& record : history) {
      if (std::isnan(record.*column.value)) continue;
      columns.push_back(column);
      absl::StrAppendFormat(&text, " %16s", column.name);
      break;
    }
  }
  absl::StrAppend(&text, "  evaluations    seconds\n");
  const int64_t size = history.size(), lines = std::max(2, max_lines);
  for (int64_t i = 0; i < size; ++i) {
    if (size > lines && i == lines / 2) {
      absl::StrAppend(&text, "      ...\n");
      i = size - (lines - lines / 2);
    }
    const IterationRecord& record = history[i];
    absl::StrAppendFormat(&text, "%9d", record.iteration);
    for (const Column& column : columns)
      absl::StrAppendFormat(&text, " %16s", FormatCell(column, record.*column.value));
    absl::StrAppendFormat(&text, " %12d %10.3g\n", record.evaluations, record.seconds);
  }
  return text;
}

SolverRun::SolverRun(const StopOptions& options, IterationCallback callback)
    : options_(options), callback_(std::move(callback)) {}

double SolverRun::Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

int64_t SolverRun::Evaluations() const {
  return summary_.calls.values + summary_.calls.matrix_vectors + summary_.calls.rankings;
}

void SolverRun::EndIteration(IterationRecord record) {
  record.iteration = ++summary_.iterations;
  record.evaluations = Evaluations();
  record.seconds = Seconds();
  summary_.history.push_back(record);
  summary_.value = record.value;
  summary_.optimality = record.optimality;
  summary_.infeasibility = record.infeasibility;
  if (callback_ && !callback_(record)) callback_stopped_ = true;
}

bool SolverRun::MustStop() {
  const auto stop = [&](Termination termination, std::string reason) {
    summary_.termination = termination;
    summary_.reason = std::move(reason);
    return true;
  };
  if (callback_stopped_) return stop(Termination::kStopped, "the callback said so");
  if (InterruptRequested()) return stop(Termination::kStopped, "interrupted by a signal");
  if (options_.has_max_iterations() && summary_.iterations >= options_.max_iterations()) {
    return stop(Termination::kMaxIterations, absl::StrCat("max_iterations is ", options_.max_iterations()));
  }
  if (options_.has_max_evaluations() && Evaluations() >= options_.max_evaluations()) {
    return stop(Termination::kMaxEvaluations,
                absl::StrCat("max_evaluations is ", options_.max_evaluations()));
  }
  if (options_.has_max_seconds() && Seconds() >= options_.max_seconds()) {
    return stop(Termination::kTimeLimit, absl::StrCat("max_seconds is ", options_.max_seconds()));
  }
  return false;
}

Summary SolverRun::End() {
  summary_.seconds = Seconds();
  return std::move(summary_);
}

Summary SolverRun::End(Termination termination, std::string reason) {
  summary_.termination = termination;
  summary_.reason = std::move(reason);
  return End();
}

}  // namespace plumb
