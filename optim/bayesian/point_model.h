#ifndef PLUMB_OPTIM_BAYESIAN_POINT_MODEL_H_
#define PLUMB_OPTIM_BAYESIAN_POINT_MODEL_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>

#include "optim/bayesian/acquisition.h"

namespace plumb {

struct PointMoments {
  at::Tensor means, variances;                    // [B]
  at::Tensor mean_gradients, variance_gradients;  // [B, D], where they were asked for
};

// What says how large f is at a point, and how sure that is, by other means than a Gaussian process's own
// variance.
class PointModel {
 public:
  virtual ~PointModel() = default;
  virtual PointMoments At(const at::Tensor& points, bool with_gradients) const = 0;  // [B, D]
};

// Any acquisition of mean and standard deviation, of any such model.
class PointAcquisition : public Acquisition {
 public:
  PointAcquisition(std::shared_ptr<const PointModel> model, MomentFunction function)
      : model_(std::move(model)), function_(std::move(function)) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::shared_ptr<const PointModel> model_;
  MomentFunction function_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_POINT_MODEL_H_
