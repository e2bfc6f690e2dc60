#include "optim/core/line_search.h"

#include <algorithm>
#include <cmath>

namespace plumb {
namespace {

// Relative to |phi(0)|: differences of values below this are rounding.
constexpr double kRounding = 1e-12;
// An interval narrower than this, relative to its steps, holds no better point.
constexpr double kNarrowest = 1e-14;

// The minimiser of the cubic with the values and slopes of a and b; it exists when b is higher or its slope
// has the other sign. When it does not, as far from `a` beyond b as a number can be.
double CubicStep(const LineSearchPoint& a, const LineSearchPoint& b) {
  const double theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
  const double scale = std::max({std::abs(theta), std::abs(a.slope), std::abs(b.slope)});
  if (scale == 0) return b.step;
  const double square = theta / scale * (theta / scale) - a.slope / scale * (b.slope / scale);
  const double gamma = std::copysign(scale * std::sqrt(std::max(0.0, square)), a.step - b.step);
  const double ratio = (gamma - b.slope + theta) / (gamma - b.slope + gamma + a.slope);
  // In the direction from b to a; negative when the cubic's minimum lies beyond b.
  return b.step + ratio * (a.step - b.step);
}

// From the value and slope of a and the value of b.
double QuadraticStep(const LineSearchPoint& a, const LineSearchPoint& b) {
  const double chord = (a.value - b.value) / (b.step - a.step) + a.slope;
  return a.step + a.slope / chord / 2 * (b.step - a.step);
}

// From both slopes.
double SecantStep(const LineSearchPoint& a, const LineSearchPoint& b) {
  return b.step + b.slope / (b.slope - a.slope) * (a.step - b.step);
}

}  // namespace

StrongWolfeSearch::StrongWolfeSearch(const LineSearchOptions& options, double value, double slope,
                                     double first_step, double max_step)
    : options_(options),
      value_0_(value),
      slope_0_(slope),
      max_step_(max_step),
      best_{0, value, slope},
      other_(best_),
      least_(0),
      most_(5 * first_step),
      width_(max_step),
      last_width_(2 * max_step),
      lowest_{0, value, slope},
      step_(std::min(first_step, max_step)) {
  if (!(slope < 0)) End(LineSearchState::kFailed);
}

void StrongWolfeSearch::End(LineSearchState state) {
  state_ = state;
  if (state == LineSearchState::kDecreased || state == LineSearchState::kFailed) {
    state_ = lowest_.step > 0 ? LineSearchState::kDecreased : LineSearchState::kFailed;
    step_ = lowest_.step;
  }
}

bool StrongWolfeSearch::Tell(double value, double slope) {
  ++evaluations_;
  const bool last = evaluations_ >= options_.max_evaluations();
  if (!std::isfinite(value) || !std::isfinite(slope)) {
    if (last) {
      End(LineSearchState::kFailed);
    } else {
      Shorten();
    }
    return false;
  }
  const LineSearchPoint trial{step_, value, slope};
  const double test_slope = options_.sufficient_decrease() * slope_0_;
  const bool decreased = value <= value_0_ + step_ * test_slope;
  // Hager and Zhang's: on a quadratic it says the same as `decreased`, without a difference of values.
  const bool nearly_decreased = std::abs(value - value_0_) <= kRounding * std::abs(value_0_) &&
                                slope <= (2 * options_.sufficient_decrease() - 1) * slope_0_;
  const bool flat = std::abs(slope) <= -options_.curvature() * slope_0_;
  const bool improved = (decreased && (value < lowest_.value || lowest_.step == 0));
  if (improved) lowest_ = trial;
  if ((decreased || nearly_decreased) && flat) {
    End(LineSearchState::kAccepted);
    return true;
  }
  if (step_ == max_step_ && decreased && slope <= test_slope) {
    End(LineSearchState::kAtMaxStep);
    return true;
  }
  const bool out_of_room = bracketed_ && (step_ <= least_ || step_ >= most_);
  if (last || out_of_room) {
    End(LineSearchState::kFailed);
    return improved;
  }

  if (first_stage_ && decreased && slope >= 0) first_stage_ = false;
  if (first_stage_ && !decreased && value <= best_.value) {
    // Section 2 of the paper: until a point has sufficient decrease and a rising slope, phi less the line of
    // sufficient decrease is what is minimised.
    const auto tilt = [&](LineSearchPoint point, double sign) {
      point.value -= sign * point.step * test_slope;
      point.slope -= sign * test_slope;
      return point;
    };
    best_ = tilt(best_, 1);
    other_ = tilt(other_, 1);
    Narrow(tilt(trial, 1));
    best_ = tilt(best_, -1);
    other_ = tilt(other_, -1);
  } else {
    Narrow(trial);
  }
  if (bracketed_) {
    const double width = std::abs(other_.step - best_.step);
    if (width >= 0.66 * last_width_) step_ = best_.step + 0.5 * (other_.step - best_.step);
    last_width_ = width_;
    width_ = width;
    least_ = std::min(best_.step, other_.step);
    most_ = std::max(best_.step, other_.step);
    if (most_ - least_ <= kNarrowest * most_) End(LineSearchState::kFailed);
  } else {
    least_ = step_ + 1.1 * (step_ - best_.step);
    most_ = step_ + 4 * (step_ - best_.step);
  }
  if (state_ != LineSearchState::kSearching) return improved;
  step_ = std::min(step_, max_step_);
  if (!bracketed_) step_ = std::min(step_, best_.step + 0.66 * (failed_step_ - best_.step));
  return improved;
}

// Section 4 of the paper: the next step from the interval's ends and the trial, in four cases, and the new
// interval.
void StrongWolfeSearch::Narrow(const LineSearchPoint& trial) {
  const double from = best_.step, at = trial.step;
  const bool turns = trial.slope * (best_.slope / std::abs(best_.slope)) < 0;
  double next;
  if (trial.value > best_.value) {
    const double cubic = CubicStep(trial, best_), quadratic = QuadraticStep(best_, trial);
    next = std::abs(cubic - from) < std::abs(quadratic - from) ? cubic : cubic + (quadratic - cubic) / 2;
    bracketed_ = true;
  } else if (turns) {
    const double cubic = CubicStep(best_, trial), secant = SecantStep(best_, trial);
    next = std::abs(cubic - at) > std::abs(secant - at) ? cubic : secant;
    bracketed_ = true;
  } else if (std::abs(trial.slope) < std::abs(best_.slope)) {
    double cubic = CubicStep(best_, trial);
    // Only a minimum beyond the trial, in the direction of descent, is of use.
    if (!std::isfinite(cubic) || (cubic - at) * (at - from) <= 0) cubic = at > from ? most_ : least_;
    const double secant = SecantStep(best_, trial);
    if (bracketed_) {
      next = std::abs(cubic - at) < std::abs(secant - at) ? cubic : secant;
      const double farthest = at + 0.66 * (other_.step - at);
      next = at > from ? std::min(farthest, next) : std::max(farthest, next);
    } else {
      next = std::abs(cubic - at) > std::abs(secant - at) ? cubic : secant;
      next = std::clamp(next, least_, std::max(least_, most_));
    }
  } else if (bracketed_) {
    next = CubicStep(other_, trial);
  } else {
    next = at > from ? most_ : least_;
  }
  if (trial.value > best_.value) {
    other_ = trial;
  } else {
    if (turns) other_ = best_;
    best_ = trial;
  }
  step_ = next;
}

// The trial failed: steps end before it.
void StrongWolfeSearch::Shorten() {
  const double room = step_ - best_.step;
  if (std::abs(room) <= kNarrowest * step_) return End(LineSearchState::kFailed);
  if (room > 0) {
    failed_step_ = step_;
    bracketed_ = false;
    width_ = room;
    last_width_ = 2 * room;
    least_ = best_.step;
    most_ = step_;
  }
  step_ = best_.step + room / 4;
}

BacktrackingSearch::BacktrackingSearch(const LineSearchOptions& options, double value, double slope,
                                       double first_step)
    : options_(options), value_0_(value), slope_0_(slope), step_(first_step) {
  if (!(slope < 0)) state_ = LineSearchState::kFailed;
}

void BacktrackingSearch::Tell(double value) {
  ++evaluations_;
  if (std::isfinite(value) && value <= value_0_ + options_.sufficient_decrease() * step_ * slope_0_) {
    state_ = LineSearchState::kAccepted;
    return;
  }
  if (evaluations_ >= options_.max_evaluations()) {
    state_ = LineSearchState::kFailed;
    step_ = 0;
    return;
  }
  double next = step_ / 10;  // of a failed evaluation
  if (std::isfinite(value)) {
    const double rest = value - value_0_ - step_ * slope_0_;
    next = -slope_0_ * step_ * step_ / (2 * rest);
    if (last_.step > 0) {
      // a t^3 + b t^2 + slope t + value through the last two steps.
      const double last_rest = last_.value - value_0_ - last_.step * slope_0_;
      const double gap = step_ - last_.step, now = rest / (step_ * step_);
      const double before = last_rest / (last_.step * last_.step);
      const double a = (now - before) / gap, b = (step_ * before - last_.step * now) / gap;
      const double square = b * b - 3 * a * slope_0_;
      if (a != 0 && square >= 0) next = (std::sqrt(square) - b) / (3 * a);
    }
    last_ = {step_, value, 0};
    if (!std::isfinite(next)) next = step_ / 2;
    next = std::clamp(next, 0.1 * step_, 0.5 * step_);
  }
  step_ = next;
}

}  // namespace plumb
