#ifndef PLUMB_OPTIM_RELAXATION_CHEBYSHEV_BANDIT_H_
#define PLUMB_OPTIM_RELAXATION_CHEBYSHEV_BANDIT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/relaxation/bandit.h"

namespace plumb {

struct ChebyshevBanditOptions {
  int64_t terms = 6;            // polynomials T_0 ... T_{terms - 1}
  double lower = 0, upper = 1;  // of the contexts; those outside count as the nearest within
};

// ChebCB, the contextual bandit of Learning to Relax (bandit.h), section 4: the cost of each action is a sum
// of Chebyshev polynomials of the context, fitted by least squares with bounds on the coefficients, and an
// action is drawn by inverse gap weighting (Foster and Rakhlin 2020, SquareCB, arXiv 2002.04926):
//
//   p_i = 1 / (d + gamma (y_i - min y)) for the others, the rest for the action whose estimate y is least.
//
// |theta_0| <= K and |theta_j| <= 2 (b - a) L / j, with K the largest cost so far and (b - a) L their range;
// gamma = 2 t sqrt(d t / (R + 2 alpha^2 t)), R the sum of the squared errors of the estimates so far and
// alpha = (pi + 2 / pi log(2 m + 1)) (b - a) L / (2 (m + 1)) for m terms, which grows about linearly in t.
// These are those of the authors' program, in units of iterations; it also takes the residual of the last
// bounded fit off R, which is left out here. The paper's constants, which need bounds known beforehand, are
// not offered.
class ChebyshevBandit : public Bandit {
 public:
  // Error: options out of range, no action.
  static absl::StatusOr<ChebyshevBandit> Create(int64_t actions, const ChebyshevBanditOptions& options,
                                                const RandomStream& random);

  int64_t Choose(double context) override;
  void Tell(double cost) override;

  // The estimate of what an action costs.
  double Predict(int64_t action, double context) const;
  std::vector<double> Probabilities(double context) const;  // of the next round
  const std::vector<double>& coefficients(int64_t action) const { return fits_[action].theta; }

 protected:
  Numbers StateNumbers() const override;
  absl::Status SetStateNumbers(const Numbers& numbers) override;

 private:
  // The least squares of one action: sums of the products of its features with themselves and with cost - 1.
  struct Fit {
    std::vector<double> gram, moments, theta;
  };

  ChebyshevBandit(int64_t actions, const ChebyshevBanditOptions& options, const RandomStream& random);

  std::vector<double> Features(double context) const;
  void Refit(Fit& fit) const;

  ChebyshevBanditOptions options_;
  RandomStream random_;
  std::vector<Fit> fits_;
  double least_, most_, squared_errors_ = 0, gamma_ = 0;
  int64_t rounds_ = 0, chosen_ = 0;
  double predicted_ = 0;
  std::vector<double> features_;  // of the last context
};

// min x'Gx / 2 - h'x subject to |x_j| <= bounds_j. gram: [M, M] in rows, symmetric and at least semidefinite.
// Where it is singular, a small multiple of the identity is added.
std::vector<double> BoundedLeastSquares(const std::vector<double>& gram, const std::vector<double>& moments,
                                        const std::vector<double>& bounds);

}  // namespace plumb

#endif  // PLUMB_OPTIM_RELAXATION_CHEBYSHEV_BANDIT_H_
