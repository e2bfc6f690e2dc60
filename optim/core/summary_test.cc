#include "optim/core/summary.h"

#include <gmock/gmock.h>

#include <cmath>

#include "common/config/limits.h"
#include "common/program/interrupt.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using testing::Not;

// Counts to `end`, a value a step.
Summary Count(const StopOptions& options, int end, IterationCallback callback = nullptr) {
  SolverRun run(options, std::move(callback));
  while (!run.MustStop()) {
    ++run.calls().values;
    IterationRecord record;
    record.value = 100 - run.iterations();
    run.EndIteration(record);
    if (run.iterations() == end) return run.End(Termination::kConverged, "counted");
  }
  return run.End();
}

TEST(SolverRunTest, EndsForEachReason) {
  StopOptions options;
  EXPECT_EQ(Count(options, 7).termination, Termination::kConverged);
  options.set_max_iterations(5);
  EXPECT_EQ(Count(options, 7).termination, Termination::kMaxIterations);
  EXPECT_EQ(Count(options, 7).iterations, 5);
  options.set_max_evaluations(3);
  EXPECT_EQ(Count(options, 7).termination, Termination::kMaxEvaluations);
  EXPECT_EQ(Count(options, 7).calls.values, 3);
  options.set_max_seconds(1e-12);
  EXPECT_EQ(Count({}, 7, [](const IterationRecord& record) { return record.iteration < 2; }).termination,
            Termination::kStopped);
  options.clear_max_iterations();
  options.clear_max_evaluations();
  EXPECT_EQ(Count(options, 7).termination, Termination::kTimeLimit);
  EXPECT_EQ(Count(options, 7).iterations, 0);
}

TEST(SolverRunTest, ASignalStopsIt) {
  SetInterruptRequested(true);
  const Summary summary = Count({}, 7);
  SetInterruptRequested(false);
  EXPECT_EQ(summary.termination, Termination::kStopped);
  EXPECT_EQ(summary.iterations, 0);
}

TEST(SummaryTest, KeepsTheHistoryAndTheLastFigures) {
  const Summary summary = Count({}, 7);
  ASSERT_EQ(summary.history.size(), 7);
  EXPECT_EQ(summary.history[3].iteration, 4);
  EXPECT_EQ(summary.history[3].evaluations, 4);
  EXPECT_EQ(summary.value, 94);
  EXPECT_TRUE(std::isnan(summary.optimality));
}

TEST(SummaryTest, ReportsWhatWasFilledAndShortensTheMiddle) {
  const Summary summary = Count({}, 9);
  EXPECT_THAT(summary.BriefReport(), HasSubstr("CONVERGED after 9 iterations, 9 values, "));
  EXPECT_THAT(summary.BriefReport(), HasSubstr(": counted"));
  const std::string report = summary.FullReport(/*max_lines=*/4);
  EXPECT_THAT(report, HasSubstr("value: 92\n"));
  EXPECT_THAT(report, Not(HasSubstr("optimality")));
  EXPECT_THAT(report, HasSubstr("9.900000000e+01"));       // second
  EXPECT_THAT(report, Not(HasSubstr("9.800000000e+01")));  // third
  EXPECT_THAT(report, HasSubstr("9.300000000e+01"));       // last but one
  EXPECT_THAT(summary.FullReport(), HasSubstr("9.600000000e+01"));
  EXPECT_THAT(summary.FullReport(), Not(HasSubstr("...")));
}

TEST(SummaryTest, CallsAddUp) {
  OracleCalls calls, more;
  more.gradients = 2;
  more.failed = 1;
  calls += more;
  calls += more;
  EXPECT_EQ(calls.gradients, 4);
  EXPECT_EQ(calls.failed, 2);
  EXPECT_EQ(calls.values, 0);
}

TEST(OptionsTest, LimitsFit) {
  for (int i = 0; i < StopOptions::descriptor()->file()->message_type_count(); ++i) {
    PLUMB_EXPECT_OK(CheckLimitDeclarations(*StopOptions::descriptor()->file()->message_type(i)));
  }
  StopOptions options;
  options.set_max_seconds(0);
  EXPECT_THAT(CheckLimits(options).message(), HasSubstr("max_seconds"));
}

}  // namespace
}  // namespace plumb
