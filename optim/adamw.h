#ifndef PLUMB_OPTIM_ADAMW_H_
#define PLUMB_OPTIM_ADAMW_H_

#include <vector>

#include "optim/elementwise_optimizer.h"

namespace plumb {

class AdamWConfig;

// Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization" (arXiv 1711.05101), Algorithm 2, in the
// form of torch.optim.AdamW:
//   weight *= 1 - learning_rate * weight_decay
//   exp_avg = beta1 * exp_avg + (1 - beta1) * gradient
//   exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * gradient^2
//   weight -= learning_rate / (1 - beta1^t) * exp_avg / (sqrt(exp_avg_sq / (1 - beta2^t)) + epsilon)
class AdamW : public ElementwiseOptimizer {
 public:
  AdamW(const AdamWConfig& config, std::vector<NamedParameter> parameters);

 private:
  void UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                   float* const* buffers) const override;
  void UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                   double* const* buffers) const override;

  double beta1_;
  double beta2_;
  double epsilon_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_ADAMW_H_
