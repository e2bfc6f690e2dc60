#ifndef PLUMB_OPTIM_SGD_H_
#define PLUMB_OPTIM_SGD_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/elementwise_optimizer.h"

namespace plumb {

class SgdConfig;

// Robbins and Monro 1951, with momentum as Polyak 1964 or Nesterov 1983 (as Sutskever et al. 2013, "On the
// Importance of Initialization and Momentum in Deep Learning"). As torch.optim.SGD; its weight decay is not
// decoupled, and the first gradient is not dampened:
//   gradient += weight_decay * weight
//   momentum_buffer = momentum * momentum_buffer + (1 - dampening) * gradient
//   weight -= learning_rate * (nesterov ? gradient + momentum * momentum_buffer : momentum_buffer)
// Without momentum there is no state, and the gradient itself is what is subtracted.
class Sgd : public ElementwiseOptimizer {
 public:
  // Error: nesterov without momentum or with dampening.
  static absl::StatusOr<std::unique_ptr<Sgd>> Create(const SgdConfig& config,
                                                     std::vector<NamedParameter> parameters);

 private:
  Sgd(const SgdConfig& config, std::vector<NamedParameter> parameters);
  void UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                   float* const* buffers) const override;
  void UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                   double* const* buffers) const override;

  double momentum_;
  double dampening_;
  bool nesterov_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_SGD_H_
