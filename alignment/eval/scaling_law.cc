#include "alignment/eval/scaling_law.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace plumb {

double ScalingLaw::Reward(double kl) const {
  const double d = std::sqrt(kl);
  return d == 0 ? 0 : d * (alpha.mean - beta.mean * std::log(d));
}

double ScalingLaw::BestKl() const {
  if (beta.mean <= 0) return std::numeric_limits<double>::infinity();
  return std::exp(2 * (alpha.mean / beta.mean - 1));
}

absl::StatusOr<ScalingLaw> FitScalingLaw(absl::Span<const ScalingPoint> points) {
  const int64_t count = points.size();
  if (count < 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("a scaling law of two parameters wants 3 points or more, not ", count));
  }
  // Normal equations of R = alpha d - beta d log d.
  double dd = 0, dl = 0, ll = 0, dr = 0, lr = 0, rr = 0;
  for (const ScalingPoint& point : points) {
    if (!(point.kl > 0) || !std::isfinite(point.kl) || !std::isfinite(point.reward)) {
      return absl::InvalidArgumentError(absl::StrCat("a scaling law has no place for a kl of ", point.kl,
                                                     " with a reward of ", point.reward,
                                                     "; kl must be above 0"));
    }
    const double d = std::sqrt(point.kl), l = -d * std::log(d);
    dd += d * d, dl += d * l, ll += l * l, dr += d * point.reward, lr += l * point.reward,
        rr += point.reward * point.reward;
  }
  const double determinant = dd * ll - dl * dl;
  if (!(determinant > 1e-12 * dd * ll)) {
    return absl::InvalidArgumentError(
        "a scaling law wants points of different kl; these do not tell alpha from beta");
  }
  const double alpha = (ll * dr - dl * lr) / determinant, beta = (dd * lr - dl * dr) / determinant;
  double squares = 0;
  for (const ScalingPoint& point : points) {
    const double d = std::sqrt(point.kl);
    squares += std::pow(point.reward - d * (alpha - beta * std::log(d)), 2);
  }
  ScalingLaw law;
  law.residual = std::sqrt(squares / (count - 2));
  law.r_squared = rr > 0 ? 1 - squares / rr : 1;
  const double t = StudentQuantile(count - 2) * law.residual;
  const double alpha_half = t * std::sqrt(ll / determinant), beta_half = t * std::sqrt(dd / determinant);
  law.alpha = {alpha, alpha - alpha_half, alpha + alpha_half};
  law.beta = {beta, beta - beta_half, beta + beta_half};
  return law;
}

}  // namespace plumb
