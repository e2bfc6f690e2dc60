#ifndef PLUMB_OPTIM_CORE_LINE_SEARCH_H_
#define PLUMB_OPTIM_CORE_LINE_SEARCH_H_

#include <cstdint>
#include <functional>
#include <limits>

#include "optim/core/options.pb.h"

namespace plumb {

// Line searches along phi(t) = f(x + t d), t >= 0. Each is a machine that says where to evaluate next, so
// that many can share one vectorised call:
//
//   StrongWolfeSearch search(options, phi_0, slope_0, first_step);
//   while (search.state() == LineSearchState::kSearching) search.Tell(phi(search.step()),
//   slope(search.step()));
//
// A value that is NaN or infinite (a failed evaluation) shortens the step.
enum class LineSearchState {
  kSearching,
  kAccepted,   // the conditions hold at step()
  kAtMaxStep,  // strong Wolfe: phi still falls at the largest step allowed; step() is it
  kDecreased,  // no step was found where all conditions hold, but step() decreases phi sufficiently
  kFailed,     // no step was found that decreases phi sufficiently
};

struct LineSearchPoint {
  double step = 0, value = 0, slope = 0;
};

// Conditions: phi(t) <= phi(0) + c1 t phi'(0) and |phi'(t)| <= c2 |phi'(0)| with c1 = sufficient_decrease, c2
// = curvature. More and Thuente 1994, "Line search algorithms with guaranteed sufficient decrease". Where
// rounding hides the decrease, the approximate condition of Hager and Zhang 2005 (eq. 4.1) holds for the
// first.
class StrongWolfeSearch {
 public:
  // slope < 0 and 0 < first_step <= max_step.
  StrongWolfeSearch(const LineSearchOptions& options, double value, double slope, double first_step,
                    double max_step = std::numeric_limits<double>::infinity());

  LineSearchState state() const { return state_; }
  // Where to evaluate next; once the search is over, the step it chose (0 when it failed).
  double step() const { return step_; }
  int64_t evaluations() const { return evaluations_; }

  // phi(step()) and phi'(step()). True when this is the best point so far: what a caller keeps of it (a
  // gradient) is what belongs to step() once the search is over.
  bool Tell(double value, double slope);

 private:
  void Narrow(const LineSearchPoint& trial);
  void Shorten();
  void End(LineSearchState state);

  LineSearchOptions options_;
  double value_0_, slope_0_;
  double max_step_;
  double failed_step_ = std::numeric_limits<double>::infinity();  // the smallest beyond best_ that failed
  bool bracketed_ = false;
  bool first_stage_ = true;
  LineSearchPoint
      best_;  // "x" of the paper: the lowest of the auxiliary function; its slope points to `other_`
  LineSearchPoint other_;  // "y": the other end of the interval, once bracketed
  double least_, most_;    // the next step lies between
  double width_, last_width_;
  LineSearchPoint lowest_;  // of those with sufficient decrease
  double step_;
  int64_t evaluations_ = 0;
  LineSearchState state_ = LineSearchState::kSearching;
};

// Condition: phi(t) <= phi(0) + c1 t phi'(0), from values alone. Each next step minimises the quadratic, then
// the cubic through what is known, kept within [0.1, 0.5] of the last (Nocedal and Wright 2006, section 3.5).
class BacktrackingSearch {
 public:
  // slope < 0 and first_step > 0.
  BacktrackingSearch(const LineSearchOptions& options, double value, double slope, double first_step);

  LineSearchState state() const { return state_; }  // never kAtMaxStep, kDecreased
  double step() const { return step_; }
  int64_t evaluations() const { return evaluations_; }
  void Tell(double value);

 private:
  LineSearchOptions options_;
  double value_0_, slope_0_;
  LineSearchPoint last_;  // the step before; step 0: none
  double step_;
  int64_t evaluations_ = 0;
  LineSearchState state_ = LineSearchState::kSearching;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_LINE_SEARCH_H_
