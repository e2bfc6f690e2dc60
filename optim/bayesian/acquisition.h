#ifndef PLUMB_OPTIM_BAYESIAN_ACQUISITION_H_
#define PLUMB_OPTIM_BAYESIAN_ACQUISITION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "optim/bayesian/gaussian_process.h"
#include "optim/core/objective.h"

namespace plumb {

// What it is worth to evaluate an objective, which is minimised, at a group of points; to be maximised.
class Acquisition {
 public:
  virtual ~Acquisition() = default;

  // Points in a group.
  virtual int64_t group_size() const { return 1; }

  // Of groups [B, group_size * D], point after point: values [B], and gradients of the groups' shape where
  // they are asked for.
  virtual Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const = 0;

  // What to evaluate once `best` [group_size, D] maximises the value: another point where a coordinate that
  // does not count in the value is set by a rule of its own.
  virtual at::Tensor Chosen(const at::Tensor& best) const { return best; }
};

// A function of a normal distribution, with its derivatives.
struct MomentValue {
  double value, d_mean, d_sigma;
};
using MomentFunction = std::function<MomentValue(double mean, double sigma)>;

// An acquisition of single points that knows the posterior's mean and standard deviation there alone; the sum
// of several, of independent models, when logarithms of probabilities and expectations are multiplied.
class MomentAcquisition : public Acquisition {
 public:
  struct Term {
    std::shared_ptr<const GaussianProcess> model;
    MomentFunction function;
  };
  explicit MomentAcquisition(std::vector<Term> terms) : terms_(std::move(terms)) {}
  MomentAcquisition(std::shared_ptr<const GaussianProcess> model, MomentFunction function)
      : terms_({{std::move(model), std::move(function)}}) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::vector<Term> terms_;
};

// Of a variance, as the acquisitions take it: at least 1e-12 of the process's own, so that points which are
// known for sure have derivatives.
double StandardDeviation(double variance, const GaussianProcess& model);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_ACQUISITION_H_
