#ifndef PLUMB_OPTIM_BAYESIAN_RECOMMEND_H_
#define PLUMB_OPTIM_BAYESIAN_RECOMMEND_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "optim/bayesian/acquisition.h"

namespace plumb {

// Minus the posterior mean, or minus a sum over w of weights [W] times the mean at each point moved to the
// features under condition w: what is to be maximised by the point that a noisy run, or one of many
// fidelities or conditions, ends with (Frazier 2018, arXiv 1807.02811, section 4.2). `overrides` [W, D]: NaN
// where a feature stays what it is.
class NegativePosteriorMean : public Acquisition {
 public:
  NegativePosteriorMean(std::shared_ptr<const GaussianProcess> model, at::Tensor overrides,
                        at::Tensor weights)
      : model_(std::move(model)), overrides_(std::move(overrides)), weights_(std::move(weights)) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::shared_ptr<const GaussianProcess> model_;
  at::Tensor overrides_, weights_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_RECOMMEND_H_
