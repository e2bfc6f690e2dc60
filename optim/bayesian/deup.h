#ifndef PLUMB_OPTIM_BAYESIAN_DEUP_H_
#define PLUMB_OPTIM_BAYESIAN_DEUP_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/options.pb.h"

namespace plumb {

struct LeaveOneOut {
  at::Tensor errors;     // [N], values less the means that the model has without them
  at::Tensor variances;  // [N], of f there, without them
};

// Rasmussen and Williams 2006, eq. 5.12, for hyper-parameters as they are.
LeaveOneOut LeaveOneOutErrors(const GaussianProcess& model);

struct PointMoments {
  at::Tensor means, variances;                    // [B]
  at::Tensor mean_gradients, variance_gradients;  // [B, D], where they were asked for
};

// Direct epistemic uncertainty prediction: Lahlou, Jain, Nekoei, Butoi, Bertin, Rector-Brooks, Korablyov and
// Bengio 2023, "DEUP: Direct Epistemic Uncertainty Prediction" (arXiv 2102.08501), eq. 6: the error that a
// second model predicts, less the noise. It learns the errors that the first makes on what it has not seen,
// here those of cross-validation, and, as in the authors' program, those on what it has, from x and the first
// model's log variance (section 3.2, table 1). Errors are learned as log squares, whose mean is 1.27 below
// the logarithm of the mean square when they are normal.
class Deup {
 public:
  // points of `model`: in the unit cube, at least 2. Error: a model of more than values, or that of the error
  // model's fit.
  static absl::StatusOr<Deup> Fit(std::shared_ptr<const GaussianProcess> model,
                                  const GaussianProcessOptions& error_model);

  // The mean is the first model's.
  PointMoments At(const at::Tensor& points, bool with_gradients) const;  // [B, D]

 private:
  Deup(std::shared_ptr<const GaussianProcess> model, GaussianProcess errors, double lowest, double width)
      : model_(std::move(model)), errors_(std::move(errors)), lowest_(lowest), width_(width) {}

  std::shared_ptr<const GaussianProcess> model_;
  GaussianProcess errors_;  // of log squared errors, over (x, (log variance - lowest) / width)
  double lowest_, width_;
};

// Any acquisition of mean and standard deviation, with DEUP's.
class DeupAcquisition : public Acquisition {
 public:
  DeupAcquisition(Deup deup, MomentFunction function)
      : deup_(std::move(deup)), function_(std::move(function)) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  Deup deup_;
  MomentFunction function_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_DEUP_H_
