#ifndef PLUMB_OPTIM_SECOND_ORDER_MFAC_H_
#define PLUMB_OPTIM_SECOND_ORDER_MFAC_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/train/optimizer.h"
#include "optim/second_order/inverse_fisher.h"

namespace plumb {

class MFacConfig;

// M-FAC as an optimizer: Frantar, Kurtic and Alistarh 2021 (arXiv 2107.03356), in the form of
// the authors' optimizer (momentum averages the products, weight decay joins the gradient before it enters
// the window):
//   g = gradient + weight_decay * weight
//   direction = F^-1 g, F of the last `ngrads` g, this one among them
//   velocity = momentum * velocity + (1 - momentum) * direction
//   weight -= learning_rate * velocity
// All weights are one vector. Memory: ngrads gradients of f32 (f64 for f64 weights). A parameter without a
// gradient stays and counts as 0 in the window. 16-bit parameters have f32 master weights.
//
// Not verified: the paper's training figures; its storage of gradients in 16 bits is not offered.
class MFac : public Optimizer {
 public:
  // An error when the window does not fit in the machine's memory.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const MFacConfig& config,
                                                           std::vector<NamedParameter> parameters);

  double learning_rate() const override { return learning_rate_; }
  void Step(double learning_rate) override;

  // "gradients" [ngrads, weights], "factor" [ngrads, ngrads], "pushed" []; "velocity" [weights] with
  // momentum; "master.NAME" of 16-bit parameters.
  std::map<std::string, at::Tensor> State() const override;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override;

 private:
  MFac(const MFacConfig& config, std::vector<NamedParameter> parameters, int64_t size, at::ScalarType dtype);

  struct Slot {
    NamedParameter parameter;
    at::Tensor weights;  // the parameter, or its f32 master weights
    double weight_decay = 0;
  };

  double learning_rate_;
  double momentum_;
  std::vector<Slot> slots_;
  SlidingInverseFisher fisher_;
  at::Tensor velocity_;  // undefined without momentum
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_SECOND_ORDER_MFAC_H_
