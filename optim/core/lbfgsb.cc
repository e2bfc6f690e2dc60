#include "optim/core/lbfgsb.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"
#include "optim/core/line_search.h"

namespace plumb {
namespace {

using Vector = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kUnboundedBelow = -1e50;
constexpr int kMostHiddenGains = 10;

double Dot(const Vector& a, const Vector& b) { return plumb::Dot(a.data(), b.data(), a.size()); }

// LU with row exchanges of a small square matrix.
class SmallMatrix {
 public:
  explicit SmallMatrix(int64_t size = 0) : size_(size), elements_(size * size), order_(size) {}

  double& at(int64_t i, int64_t j) { return elements_[i * size_ + j]; }

  bool Factor() {
    for (int64_t i = 0; i < size_; ++i) order_[i] = i;
    for (int64_t k = 0; k < size_; ++k) {
      int64_t pivot = k;
      for (int64_t i = k + 1; i < size_; ++i) {
        if (std::abs(at(i, k)) > std::abs(at(pivot, k))) pivot = i;
      }
      if (!(std::abs(at(pivot, k)) > 0) || !std::isfinite(at(pivot, k))) return false;
      if (pivot != k) {
        std::swap(order_[k], order_[pivot]);
        std::swap_ranges(&at(k, 0), &at(k, 0) + size_, &at(pivot, 0));
      }
      for (int64_t i = k + 1; i < size_; ++i) {
        const double factor = at(i, k) /= at(k, k);
        for (int64_t j = k + 1; j < size_; ++j) at(i, j) -= factor * at(k, j);
      }
    }
    return true;
  }

  Vector Solve(const Vector& b) const {
    Vector x(size_);
    for (int64_t i = 0; i < size_; ++i) {
      x[i] = b[order_[i]] - plumb::Dot(&elements_[i * size_], x.data(), i);
    }
    for (int64_t i = size_ - 1; i >= 0; --i) {
      for (int64_t j = i + 1; j < size_; ++j) x[i] -= elements_[i * size_ + j] * x[j];
      x[i] /= elements_[i * size_ + i];
    }
    return x;
  }

 private:
  int64_t size_;
  Vector elements_;
  std::vector<int64_t> order_;
};

// The quasi-Newton matrix B = theta I - W M W' with W = [Y, theta S] (section 3 of the paper).
class CompactMatrix {
 public:
  explicit CompactMatrix(int64_t history) : history_(history) {}

  int64_t pairs() const { return s_.size(); }
  int64_t columns() const { return 2 * pairs(); }
  double theta() const { return theta_; }

  void Reset() {
    s_.clear();
    y_.clear();
    theta_ = 1;
  }

  // Takes the pair if its curvature is positive; false when M cannot be had.
  bool Add(Vector s, Vector y) {
    const double sy = Dot(s, y), yy = Dot(y, y);
    if (!(sy > kEpsilon * yy) || !(sy > 0)) return true;
    if (pairs() == history_) {
      s_.erase(s_.begin());
      y_.erase(y_.begin());
    }
    s_.push_back(std::move(s));
    y_.push_back(std::move(y));
    theta_ = yy / sy;
    const int64_t k = pairs();
    middle_ = SmallMatrix(2 * k);
    for (int64_t i = 0; i < k; ++i) {
      middle_.at(i, i) = -Dot(s_[i], y_[i]);
      for (int64_t j = 0; j < i; ++j) middle_.at(k + i, j) = middle_.at(j, k + i) = Dot(s_[i], y_[j]);
      for (int64_t j = 0; j <= i; ++j)
        middle_.at(k + i, k + j) = middle_.at(k + j, k + i) = theta_ * Dot(s_[i], s_[j]);
    }
    return std::isfinite(theta_) && middle_.Factor();
  }

  // W' v, row i of W, W u and M u.
  Vector TransposedTimes(const Vector& v) const {
    Vector product(columns());
    for (int64_t i = 0; i < pairs(); ++i) {
      product[i] = Dot(y_[i], v);
      product[pairs() + i] = theta_ * Dot(s_[i], v);
    }
    return product;
  }
  Vector Row(int64_t i) const {
    Vector row(columns());
    for (int64_t j = 0; j < pairs(); ++j) {
      row[j] = y_[j][i];
      row[pairs() + j] = theta_ * s_[j][i];
    }
    return row;
  }
  double RowTimes(int64_t i, const Vector& u) const {
    double sum = 0;
    for (int64_t j = 0; j < pairs(); ++j) sum += y_[j][i] * u[j] + theta_ * s_[j][i] * u[pairs() + j];
    return sum;
  }
  Vector Middle(const Vector& u) const { return pairs() == 0 ? Vector() : middle_.Solve(u); }

 private:
  int64_t history_;
  double theta_ = 1;
  std::vector<Vector> s_, y_;  // steps and differences of gradients, oldest first
  SmallMatrix middle_;         // the inverse of M, factored
};

// One start. It says where it wants to be evaluated and is told the result, until it is done.
class Start {
 public:
  Start(Vector x, const double* lower, const double* upper, const LbfgsbOptions& options,
        const StopOptions& stop, IterationCallback callback)
      : size_(x.size()),
        lower_(lower),
        upper_(upper),
        options_(options),
        run_(stop, std::move(callback)),
        trial_(std::move(x)),
        gradient_(size_, std::numeric_limits<double>::quiet_NaN()),
        matrix_(options.history()) {
    for (int64_t i = 0; i < size_; ++i) {
      trial_[i] = std::clamp(trial_[i], lower_[i], upper_[i]);
      bounded_ = bounded_ || lower_[i] > -kInfinity || upper_[i] < kInfinity;
      boxed_ = boxed_ && lower_[i] > -kInfinity && upper_[i] < kInfinity;
    }
    point_ = trial_;
  }

  bool done() const { return summary_.has_value(); }
  const Vector& trial() const { return trial_; }
  const Vector& point() const { return point_; }
  const Vector& gradient() const { return gradient_; }
  double value() const { return value_; }
  Summary& summary() { return *summary_; }

  // The objective at trial(); NaN: it failed, with `error`.
  void Tell(double value, const double* gradient, const std::string& error) {
    ++run_.calls().values;
    ++run_.calls().gradients;
    if (std::isnan(value)) ++run_.calls().failed;
    if (!search_) {
      if (std::isnan(value))
        return End(Termination::kNumericalFailure, absl::StrCat("the first point failed: ", error));
      Move(trial_, value, Vector(gradient, gradient + size_));
      if (ProjectedGradient() <= options_.gtol()) return Converge();
      if (run_.MustStop()) return Stop();
      return Search();
    }
    double slope = std::numeric_limits<double>::quiet_NaN();
    if (!std::isnan(value)) slope = plumb::Dot(gradient, direction_.data(), size_);
    if (search_->Tell(value, slope)) {
      kept_point_ = trial_;
      kept_value_ = value;
      kept_gradient_.assign(gradient, gradient + size_);
    }
    const bool searching = search_->state() == LineSearchState::kSearching;
    if (searching && !run_.MustStop()) return SetTrial();
    if (!searching && search_->state() == LineSearchState::kFailed) {
      if (run_.MustStop()) return Stop();
      // The quasi-Newton matrix may be to blame: again along the gradient, once.
      if (matrix_.pairs() == 0) {
        return End(Termination::kStalled,
                   absl::StrCat("no lower point along the projected gradient",
                                run_.calls().failed > 0 ? "; last failure: " : "", error));
      }
      matrix_.Reset();
      return Search();
    }
    if (searching && kept_point_.empty()) return Stop();
    FinishIteration(searching);
  }

 private:
  void Move(Vector point, double value, Vector gradient) {
    point_ = std::move(point);
    value_ = value;
    gradient_ = std::move(gradient);
  }

  double ProjectedGradient() const {
    double largest = 0;
    for (int64_t i = 0; i < size_; ++i) {
      const double step = std::clamp(point_[i] - gradient_[i], lower_[i], upper_[i]) - point_[i];
      largest = std::max(largest, std::abs(step));
    }
    return largest;
  }

  void Finish(Summary summary) {
    summary.value = value_;
    summary.optimality = std::isnan(value_) ? IterationRecord::kNone : ProjectedGradient();
    summary_ = std::move(summary);
  }
  void End(Termination termination, std::string reason) { Finish(run_.End(termination, std::move(reason))); }
  void Stop() { Finish(run_.End()); }  // MustStop() has said why
  void Converge() {
    End(Termination::kConverged,
        absl::StrCat("projected gradient ", ProjectedGradient(), " is at most gtol = ", options_.gtol()));
  }

  // The iteration ends at the kept point.
  void FinishIteration(bool cut_short) {
    Vector s(size_), y(size_);
    for (int64_t i = 0; i < size_; ++i) {
      s[i] = kept_point_[i] - point_[i];
      y[i] = kept_gradient_[i] - gradient_[i];
    }
    const double before = value_;
    IterationRecord record;
    record.step = std::sqrt(Dot(s, s));
    Move(std::move(kept_point_), kept_value_, std::move(kept_gradient_));
    record.value = value_;
    record.optimality = ProjectedGradient();
    run_.EndIteration(record);
    if (record.optimality <= options_.gtol()) return Converge();
    if (value_ < kUnboundedBelow) return End(Termination::kUnbounded, absl::StrCat("value ", value_));
    const double gain = before - value_, size = std::max({std::abs(before), std::abs(value_), 1.0});
    if (!cut_short && options_.ftol() > 0 && gain <= options_.ftol() * size) {
      return End(Termination::kConverged,
                 absl::StrCat("gain ", gain, " of the last iteration is at most ftol = ", options_.ftol(),
                              " times ", size));
    }
    // Where rounding hides gains, the gradient alone shows progress, if there is any.
    if (record.optimality < least_optimality_ || gain > kEpsilon * size) hidden_gains_ = 0;
    least_optimality_ = std::min(least_optimality_, record.optimality);
    if (++hidden_gains_ > kMostHiddenGains) {
      return End(Termination::kStalled,
                 absl::StrCat("rounding hides further gains; projected gradient ", record.optimality));
    }
    if (run_.MustStop()) return Stop();
    if (!matrix_.Add(std::move(s), std::move(y))) matrix_.Reset();
    Search();
  }

  // Starts a line search; the first trial is set.
  void Search() {
    while (true) {
      std::optional<Vector> target = Target();
      direction_.resize(size_);
      if (target) {
        for (int64_t i = 0; i < size_; ++i) direction_[i] = (*target)[i] - point_[i];
      }
      const double slope = target ? Dot(direction_, gradient_) : 0;
      if (slope < 0) {
        target_ = *std::move(target);
        const double length = std::sqrt(Dot(direction_, direction_));
        const bool first = run_.iterations() == 0;
        double max_step = kInfinity;
        if (bounded_) max_step = first ? 1 : MaxStep();
        const double step = first && !boxed_ ? std::min(1 / length, max_step) : std::min(1.0, max_step);
        search_.emplace(options_.line_search(), value_, slope, step, max_step);
        kept_point_.clear();
        return SetTrial();
      }
      if (matrix_.pairs() == 0) {
        return End(Termination::kStalled, absl::StrCat("no direction of descent is left: slope ", slope));
      }
      matrix_.Reset();
    }
  }

  double MaxStep() const {
    double step = kInfinity;
    for (int64_t i = 0; i < size_; ++i) {
      const double d = direction_[i];
      if (d == 0) continue;
      const double room = (d > 0 ? upper_[i] : lower_[i]) - point_[i];
      step = std::min(step, room / d);
    }
    return std::max(step, 1.0);  // the target is within the bounds
  }

  void SetTrial() {
    if (search_->step() == 1) {
      trial_ = target_;
      return;
    }
    for (int64_t i = 0; i < size_; ++i) {
      trial_[i] = std::clamp(point_[i] + search_->step() * direction_[i], lower_[i], upper_[i]);
    }
  }

  // The minimiser of the quadratic model over the box, nearly: nothing when the model's matrices are
  // singular.
  std::optional<Vector> Target() const {
    Vector cauchy = point_, c;
    if (matrix_.pairs() == 0 && !bounded_) {
      for (int64_t i = 0; i < size_; ++i) cauchy[i] -= gradient_[i];
      return cauchy;
    }
    CauchyPoint(cauchy, c);
    if (matrix_.pairs() == 0) return cauchy;
    if (!SubspaceStep(c, cauchy)) return std::nullopt;
    return cauchy;
  }

  // Algorithm CP: the first local minimiser of the model along the projected gradient path, in `x`; c = W'(x
  // - point).
  void CauchyPoint(Vector& x, Vector& c) const {
    Vector d(size_);
    std::vector<std::pair<double, int64_t>> breaks;  // where coordinates reach their bounds
    for (int64_t i = 0; i < size_; ++i) {
      const double g = gradient_[i];
      if (g == 0) continue;
      const double room = point_[i] - (g < 0 ? upper_[i] : lower_[i]);
      if (room == 0) continue;
      d[i] = -g;
      if (std::isfinite(room)) breaks.emplace_back(room / g, i);
    }
    // A heap, for few of them may be passed.
    std::make_heap(breaks.begin(), breaks.end(), std::greater<>());
    Vector p = matrix_.TransposedTimes(d);
    c.assign(matrix_.columns(), 0);
    double slope = -Dot(d, d);
    if (slope == 0) return;
    double curvature = -matrix_.theta() * slope - Dot(p, matrix_.Middle(p));
    const double least_curvature = kEpsilon * -matrix_.theta() * slope;
    double passed = 0;
    double best = -slope / curvature;
    while (!breaks.empty()) {
      const auto [t, i] = breaks.front();
      const double step = t - passed;
      if (best < step) break;
      std::pop_heap(breaks.begin(), breaks.end(), std::greater<>());
      breaks.pop_back();
      passed = t;
      const double g = gradient_[i];
      x[i] = d[i] > 0 ? upper_[i] : lower_[i];
      const double z = x[i] - point_[i];
      for (size_t j = 0; j < c.size(); ++j) c[j] += step * p[j];
      const Vector w = matrix_.Row(i), mw = matrix_.Middle(w);
      slope += step * curvature + g * g + matrix_.theta() * g * z - g * Dot(mw, c);
      curvature -= matrix_.theta() * g * g + 2 * g * Dot(mw, p) + g * g * Dot(mw, w);
      curvature = std::max(curvature, least_curvature);
      for (size_t j = 0; j < p.size(); ++j) p[j] += g * w[j];
      d[i] = 0;
      best = -slope / curvature;
    }
    best = std::max(best, 0.0);
    for (size_t j = 0; j < c.size(); ++j) c[j] += best * p[j];
    for (int64_t i = 0; i < size_; ++i) {
      if (d[i] != 0) x[i] = std::clamp(x[i] + (passed + best) * d[i], lower_[i], upper_[i]);
    }
  }

  // The direct primal method of section 5.1 over the coordinates that the Cauchy point leaves free, then the
  // projection of Morales and Nocedal; back to where the box is first met when that does not descend.
  bool SubspaceStep(const Vector& c, Vector& x) const {
    std::vector<int64_t> free;
    for (int64_t i = 0; i < size_; ++i) {
      if (x[i] > lower_[i] && x[i] < upper_[i]) free.push_back(i);
    }
    if (free.empty()) return true;
    const double theta = matrix_.theta();
    const Vector mc = matrix_.Middle(c);
    const int64_t columns = matrix_.columns();
    Vector r(free.size()), wr(columns), gram(columns * columns);
    for (size_t k = 0; k < free.size(); ++k) {
      const int64_t i = free[k];
      const Vector w = matrix_.Row(i);
      r[k] = gradient_[i] + theta * (x[i] - point_[i]) - Dot(w, mc);
      for (int64_t a = 0; a < columns; ++a) {
        wr[a] += w[a] * r[k];
        for (int64_t b = 0; b <= a; ++b) gram[a * columns + b] += w[a] * w[b];
      }
    }
    SmallMatrix inner(columns);  // I - M W'Z Z'W / theta
    for (int64_t b = 0; b < columns; ++b) {
      Vector column(columns);
      for (int64_t a = 0; a < columns; ++a) column[a] = gram[std::max(a, b) * columns + std::min(a, b)];
      column = matrix_.Middle(column);
      for (int64_t a = 0; a < columns; ++a) inner.at(a, b) = (a == b ? 1 : 0) - column[a] / theta;
    }
    if (!inner.Factor()) return false;
    const Vector v = inner.Solve(matrix_.Middle(wr));
    const Vector cauchy = x;
    Vector step(free.size());
    double slope = 0;
    bool projected = false;
    for (size_t k = 0; k < free.size(); ++k) {
      const int64_t i = free[k];
      step[k] = -(r[k] + matrix_.RowTimes(i, v) / theta) / theta;
      if (!std::isfinite(step[k])) return false;
      x[i] = std::clamp(cauchy[i] + step[k], lower_[i], upper_[i]);
      projected = projected || x[i] != cauchy[i] + step[k];
    }
    if (!projected) return true;
    for (int64_t i = 0; i < size_; ++i) slope += (x[i] - point_[i]) * gradient_[i];
    if (slope <= 0) return true;
    double alpha = 1;
    for (size_t k = 0; k < free.size(); ++k) {
      const int64_t i = free[k];
      if (step[k] == 0) continue;
      alpha = std::min(alpha, ((step[k] > 0 ? upper_[i] : lower_[i]) - cauchy[i]) / step[k]);
    }
    for (size_t k = 0; k < free.size(); ++k) {
      const int64_t i = free[k];
      x[i] = std::clamp(cauchy[i] + alpha * step[k], lower_[i], upper_[i]);
    }
    return true;
  }

  int64_t size_;
  const double *lower_, *upper_;
  const LbfgsbOptions& options_;
  SolverRun run_;
  std::optional<Summary> summary_;
  bool bounded_ = false;  // some coordinate has a bound
  bool boxed_ = true;     // all have both
  double least_optimality_ = kInfinity;
  int hidden_gains_ = 0;  // iterations in a row without a visible gain

  Vector trial_;
  Vector point_, gradient_;
  double value_ = std::numeric_limits<double>::quiet_NaN();
  CompactMatrix matrix_;

  Vector target_, direction_;  // target = point + direction, exactly within the bounds
  std::optional<StrongWolfeSearch> search_;
  Vector kept_point_, kept_gradient_;  // of the line search
  double kept_value_ = 0;
};

}  // namespace

absl::StatusOr<LbfgsbResult> MinimizeLbfgsb(const Objective& objective, const at::Tensor& starts,
                                            at::Tensor lower, at::Tensor upper, const LbfgsbOptions& options,
                                            IterationCallback callback) {
  PLUMB_RETURN_IF_ERROR(CheckShape("starts", starts, {kAny, kAny}));
  const int64_t count = starts.size(0), size = starts.size(1);
  if (count == 0)
    return absl::InvalidArgumentError("starts: there is none, expected [B, D] with B at least 1");
  PLUMB_RETURN_IF_ERROR(CheckBounds(size, lower, upper));
  StopOptions stop = options.stop();
  if (!stop.has_max_iterations()) stop.set_max_iterations(15000);
  bool stopped = false;
  IterationCallback shared;
  if (callback) {
    shared = [&](const IterationRecord& record) {
      stopped = stopped || !callback(record);
      return !stopped;
    };
  }
  const at::NoGradGuard no_grad;
  const at::Tensor first = starts.detach().to(at::kDouble).contiguous();
  const double *low = lower.const_data_ptr<double>(), *high = upper.const_data_ptr<double>();
  std::vector<std::unique_ptr<Start>> runs;
  for (int64_t i = 0; i < count; ++i) {
    const double* row = first.const_data_ptr<double>() + i * size;
    runs.push_back(std::make_unique<Start>(Vector(row, row + size), low, high, options, stop, shared));
  }

  std::vector<Start*> active;
  for (auto& run : runs) active.push_back(run.get());
  OracleCalls calls;
  std::string error;
  while (!active.empty()) {
    const int64_t asked = active.size();
    const at::Tensor trials = at::empty({asked, size}, at::kDouble);
    for (int64_t i = 0; i < asked; ++i) {
      std::copy_n(active[i]->trial().data(), size, trials.mutable_data_ptr<double>() + i * size);
    }
    const Evaluation found = Evaluate(objective, trials, /*with_gradients=*/true, calls, error);
    const double *values = found.values.const_data_ptr<double>(),
                 *gradients = found.gradients.const_data_ptr<double>();
    // A callback may not be ready for threads.
    at::parallel_for(0, asked, callback ? asked : 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) active[i]->Tell(values[i], gradients + i * size, error);
    });
    active.erase(std::remove_if(active.begin(), active.end(), [](const Start* run) { return run->done(); }),
                 active.end());
  }

  LbfgsbResult result;
  result.points = at::empty({count, size}, at::kDouble);
  result.values = at::empty({count}, at::kDouble);
  result.gradients = at::empty({count, size}, at::kDouble);
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(runs[i]->point().data(), size, result.points.mutable_data_ptr<double>() + i * size);
    std::copy_n(runs[i]->gradient().data(), size, result.gradients.mutable_data_ptr<double>() + i * size);
    const double value = result.values.mutable_data_ptr<double>()[i] = runs[i]->value();
    if (!std::isnan(value) && (result.best < 0 || value < runs[result.best]->value())) result.best = i;
    result.summaries.push_back(std::move(runs[i]->summary()));
  }
  result.summary = result.summaries[std::max<int64_t>(result.best, 0)];
  result.summary.calls = calls;
  for (const Summary& summary : result.summaries) {
    result.summary.seconds = std::max(result.summary.seconds, summary.seconds);
  }
  return result;
}

}  // namespace plumb
