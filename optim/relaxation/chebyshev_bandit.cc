#include "optim/relaxation/chebyshev_bandit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/relaxation/tsallis_inf.h"

namespace plumb {
namespace {

constexpr double kRidge = 1e-9;  // of the mean of the diagonal
constexpr int kMostSweeps = 2000;

// Gauss elimination of G x = h, which needs no pivots where G is positive definite.
std::vector<double> SolvePositive(std::vector<double> g, std::vector<double> x) {
  const size_t size = x.size();
  for (size_t i = 0; i < size; ++i) {
    for (size_t row = i + 1; row < size; ++row) {
      const double factor = g[row * size + i] / g[i * size + i];
      for (size_t j = i; j < size; ++j) g[row * size + j] -= factor * g[i * size + j];
      x[row] -= factor * x[i];
    }
  }
  for (size_t i = size; i-- > 0;) {
    for (size_t j = i + 1; j < size; ++j) x[i] -= g[i * size + j] * x[j];
    x[i] /= g[i * size + i];
  }
  return x;
}

}  // namespace

std::vector<double> BoundedLeastSquares(const std::vector<double>& gram, const std::vector<double>& moments,
                                        const std::vector<double>& bounds) {
  const size_t size = moments.size();
  std::vector<double> g = gram;
  double trace = 0;
  for (size_t i = 0; i < size; ++i) trace += g[i * size + i];
  if (!(trace > 0)) return std::vector<double>(size);
  for (size_t i = 0; i < size; ++i) g[i * size + i] += kRidge * trace / size;
  std::vector<double> x = SolvePositive(g, moments);
  bool within = true;
  for (size_t i = 0; i < size; ++i) {
    within = within && std::abs(x[i]) <= bounds[i];
    x[i] = std::isfinite(x[i]) ? std::clamp(x[i], -bounds[i], bounds[i]) : 0;
  }
  // One coordinate at a time has a closed form; in this order it converges for any convex quadratic.
  for (int sweep = 0; sweep < kMostSweeps && !within; ++sweep) {
    within = true;
    for (size_t i = 0; i < size; ++i) {
      double slope = -moments[i];
      for (size_t j = 0; j < size; ++j) slope += g[i * size + j] * x[j];
      const double next = std::clamp(x[i] - slope / g[i * size + i], -bounds[i], bounds[i]);
      if (std::abs(next - x[i]) > 1e-10 * bounds[i]) within = false;
      x[i] = next;
    }
  }
  return x;
}

absl::StatusOr<ChebyshevBandit> ChebyshevBandit::Create(int64_t actions,
                                                        const ChebyshevBanditOptions& options,
                                                        const RandomStream& random) {
  if (actions < 1) return absl::InvalidArgumentError("actions: expected at least 1");
  if (options.terms < 1) {
    return absl::InvalidArgumentError(absl::StrCat("terms ", options.terms, ": expected at least 1"));
  }
  if (!(options.lower < options.upper)) {
    return absl::InvalidArgumentError(
        absl::StrCat("contexts from ", options.lower, " to ", options.upper, ": lower must be below upper"));
  }
  return ChebyshevBandit(actions, options, random);
}

ChebyshevBandit::ChebyshevBandit(int64_t actions, const ChebyshevBanditOptions& options,
                                 const RandomStream& random)
    : options_(options),
      random_(random),
      fits_(actions, Fit{std::vector<double>(options.terms * options.terms),
                         std::vector<double>(options.terms), std::vector<double>(options.terms)}),
      least_(std::numeric_limits<double>::infinity()),
      most_(-std::numeric_limits<double>::infinity()),
      features_(options.terms) {}

std::vector<double> ChebyshevBandit::Features(double context) const {
  const double unit =
      std::clamp(2 * (context - options_.lower) / (options_.upper - options_.lower) - 1, -1.0, 1.0);
  std::vector<double> features(options_.terms, 1.0);
  if (options_.terms > 1) features[1] = unit;
  for (int64_t j = 2; j < options_.terms; ++j) {
    features[j] = 2 * unit * features[j - 1] - features[j - 2];
  }
  return features;
}

double ChebyshevBandit::Predict(int64_t action, double context) const {
  const std::vector<double> features = Features(context);
  double cost = 1;
  for (int64_t j = 0; j < options_.terms; ++j) cost += features[j] * fits_[action].theta[j];
  return cost;
}

std::vector<double> ChebyshevBandit::Probabilities(double context) const {
  const int64_t actions = fits_.size();
  std::vector<double> probabilities(actions);
  for (int64_t i = 0; i < actions; ++i) probabilities[i] = Predict(i, context);
  const auto least = std::min_element(probabilities.begin(), probabilities.end());
  const double lowest = *least;
  double rest = 1;
  for (auto p = probabilities.begin(); p != probabilities.end(); ++p) {
    if (p == least) continue;
    *p = 1 / (actions + gamma_ * (*p - lowest));
    rest -= *p;
  }
  *least = rest;
  return probabilities;
}

int64_t ChebyshevBandit::Choose(double context) {
  chosen_ = DrawAction(Probabilities(context), random_.Uniform(rounds_));
  features_ = Features(context);
  predicted_ = Predict(chosen_, context);
  return chosen_;
}

void ChebyshevBandit::Refit(Fit& fit) const {
  std::vector<double> bounds(options_.terms, most_);
  for (int64_t j = 1; j < options_.terms; ++j) bounds[j] = 2 * (most_ - least_) / j;
  fit.theta = BoundedLeastSquares(fit.gram, fit.moments, bounds);
}

void ChebyshevBandit::Tell(double cost) {
  ++rounds_;
  squared_errors_ += (predicted_ - cost) * (predicted_ - cost);
  const int64_t terms = options_.terms;
  Fit& fit = fits_[chosen_];
  for (int64_t i = 0; i < terms; ++i) {
    fit.moments[i] += features_[i] * (cost - 1);
    for (int64_t j = 0; j < terms; ++j) fit.gram[i * terms + j] += features_[i] * features_[j];
  }
  const bool new_bounds = cost < least_ || cost > most_;
  least_ = std::min(least_, cost);
  most_ = std::max(most_, cost);
  if (new_bounds) {
    for (Fit& each : fits_) Refit(each);
  } else {
    Refit(fit);
  }
  const double alpha = (M_PI + 2 / M_PI * std::log(2.0 * terms + 1)) * (most_ - least_) / (2.0 * (terms + 1));
  const double t = rounds_, d = fits_.size();
  const double error = squared_errors_ + 2 * alpha * alpha * t;
  gamma_ = error > 0 ? 2 * t * std::sqrt(d * t / error) : 0;
}

Bandit::Numbers ChebyshevBandit::StateNumbers() const {
  Numbers numbers = {{"least_and_most", {least_, most_}},
                     {"squared_errors", {squared_errors_}},
                     {"gamma", {gamma_}},
                     {"rounds", {static_cast<double>(rounds_)}},
                     {"chosen", {static_cast<double>(chosen_)}},
                     {"predicted", {predicted_}},
                     {"features", features_}};
  for (size_t action = 0; action < fits_.size(); ++action) {
    const std::string prefix = absl::StrCat("action.", action);
    numbers[prefix + ".gram"] = fits_[action].gram;
    numbers[prefix + ".moments"] = fits_[action].moments;
    numbers[prefix + ".theta"] = fits_[action].theta;
  }
  return numbers;
}

absl::Status ChebyshevBandit::SetStateNumbers(const Numbers& numbers) {
  const auto number = [&](const char* name) { return numbers.at(name)[0]; };
  PLUMB_RETURN_IF_ERROR(CheckRounds(number("rounds"), number("chosen"), fits_.size()));
  for (size_t action = 0; action < fits_.size(); ++action) {
    const std::string prefix = absl::StrCat("action.", action);
    fits_[action] = {numbers.at(prefix + ".gram"), numbers.at(prefix + ".moments"),
                     numbers.at(prefix + ".theta")};
  }
  least_ = numbers.at("least_and_most")[0];
  most_ = numbers.at("least_and_most")[1];
  squared_errors_ = number("squared_errors");
  gamma_ = number("gamma");
  rounds_ = number("rounds");
  chosen_ = number("chosen");
  predicted_ = number("predicted");
  features_ = numbers.at("features");
  return absl::OkStatus();
}

}  // namespace plumb
