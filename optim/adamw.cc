#include "optim/adamw.h"

#include <cmath>
#include <utility>

#include "common/kernels/vectorized.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

template <typename Scalar>
struct Coefficients {
  Scalar decay;        // 1 - learning_rate * weight_decay
  Scalar step_size;    // learning_rate / (1 - beta1^t)
  Scalar correction2;  // sqrt(1 - beta2^t)
  Scalar weight1;      // 1 - beta1
  Scalar beta2;
  Scalar weight2;  // 1 - beta2
  Scalar epsilon;
};

// The order of operations is that of torch.optim.AdamW(foreach=False), so that results agree to the last
// bits.
template <typename Scalar>
inline __attribute__((always_inline)) void UpdateWeights(const Coefficients<Scalar>& c, int64_t size,
                                                         Scalar* __restrict weights,
                                                         const Scalar* __restrict gradients,
                                                         Scalar* __restrict exp_avg,
                                                         Scalar* __restrict exp_avg_sq) {
  for (int64_t i = 0; i < size; ++i) {
    const Scalar gradient = gradients[i];
    exp_avg[i] = exp_avg[i] + c.weight1 * (gradient - exp_avg[i]);
    exp_avg_sq[i] = exp_avg_sq[i] * c.beta2 + c.weight2 * gradient * gradient;
    const Scalar denominator = std::sqrt(exp_avg_sq[i]) / c.correction2 + c.epsilon;
    weights[i] = weights[i] * c.decay - c.step_size * exp_avg[i] / denominator;
  }
}

PLUMB_VECTORIZED void UpdateFloats(const Coefficients<float>& c, int64_t size, float* weights,
                                   const float* gradients, float* const* buffers) {
  UpdateWeights(c, size, weights, gradients, buffers[0], buffers[1]);
}

PLUMB_VECTORIZED void UpdateDoubles(const Coefficients<double>& c, int64_t size, double* weights,
                                    const double* gradients, double* const* buffers) {
  UpdateWeights(c, size, weights, gradients, buffers[0], buffers[1]);
}

template <typename Scalar>
Coefficients<Scalar> MakeCoefficients(double learning_rate, double weight_decay, int64_t step, double beta1,
                                      double beta2, double epsilon) {
  const double correction1 = 1 - std::pow(beta1, step);
  const double correction2 = 1 - std::pow(beta2, step);
  return {static_cast<Scalar>(1 - learning_rate * weight_decay),
          static_cast<Scalar>(learning_rate / correction1),
          static_cast<Scalar>(std::sqrt(correction2)),
          static_cast<Scalar>(1 - beta1),
          static_cast<Scalar>(beta2),
          static_cast<Scalar>(1 - beta2),
          static_cast<Scalar>(epsilon)};
}

}  // namespace

AdamW::AdamW(const AdamWConfig& config, std::vector<NamedParameter> parameters)
    : ElementwiseOptimizer(std::move(parameters), config.learning_rate(), config.weight_decay(),
                           {"exp_avg", "exp_avg_sq"}),
      beta1_(config.beta1()),
      beta2_(config.beta2()),
      epsilon_(config.epsilon()) {}

void AdamW::UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                        float* const* buffers) const {
  UpdateFloats(MakeCoefficients<float>(update.learning_rate, update.weight_decay, update.step, beta1_, beta2_,
                                       epsilon_),
               size, weights, gradients, buffers);
}

void AdamW::UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                        double* const* buffers) const {
  UpdateDoubles(MakeCoefficients<double>(update.learning_rate, update.weight_decay, update.step, beta1_,
                                         beta2_, epsilon_),
                size, weights, gradients, buffers);
}

}  // namespace plumb
