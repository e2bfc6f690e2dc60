#ifndef PLUMB_OPTIM_RMSPROP_H_
#define PLUMB_OPTIM_RMSPROP_H_

#include <vector>

#include "optim/elementwise_optimizer.h"

namespace plumb {

class RmsPropConfig;

// Tieleman and Hinton 2012 (lecture 6e); centered as in Graves 2013 (arXiv 1308.0850). As
// torch.optim.RMSprop; note that its weight decay is not decoupled:
//   gradient += weight_decay * weight
//   square_avg = alpha * square_avg + (1 - alpha) * gradient^2
//   scale = sqrt(square_avg - (centered ? grad_avg^2 : 0)) + epsilon
//   weight -= learning_rate * gradient / scale, or, with momentum, learning_rate * momentum_buffer
class RmsProp : public ElementwiseOptimizer {
 public:
  RmsProp(const RmsPropConfig& config, std::vector<NamedParameter> parameters);

 private:
  void UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                   float* const* buffers) const override;
  void UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                   double* const* buffers) const override;

  double alpha_;
  double epsilon_;
  double momentum_;
  bool centered_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_RMSPROP_H_
