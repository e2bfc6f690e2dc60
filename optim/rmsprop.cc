#include "optim/rmsprop.h"

#include <cmath>
#include <string>
#include <utility>

#include "common/kernels/vectorized.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

template <typename Scalar>
struct Coefficients {
  Scalar learning_rate;
  Scalar weight_decay;
  Scalar alpha;
  Scalar weight;  // 1 - alpha
  Scalar epsilon;
  Scalar momentum;
};

// `grad_avg` is there when centered, `momentum_buffer` with momentum: tests outside the loop, so that each of
// the four loops vectorises.
template <bool centered, bool momentum, typename Scalar>
inline __attribute__((always_inline)) void UpdateWeights(const Coefficients<Scalar>& c, int64_t size,
                                                         Scalar* __restrict weights,
                                                         const Scalar* __restrict gradients,
                                                         Scalar* __restrict square_avg,
                                                         Scalar* __restrict grad_avg,
                                                         Scalar* __restrict momentum_buffer) {
  for (int64_t i = 0; i < size; ++i) {
    const Scalar gradient = gradients[i] + c.weight_decay * weights[i];
    square_avg[i] = square_avg[i] * c.alpha + c.weight * gradient * gradient;
    Scalar square = square_avg[i];
    if constexpr (centered) {
      grad_avg[i] = grad_avg[i] + c.weight * (gradient - grad_avg[i]);
      square -= grad_avg[i] * grad_avg[i];
    }
    const Scalar scale = std::sqrt(square) + c.epsilon;
    if constexpr (momentum) {
      momentum_buffer[i] = momentum_buffer[i] * c.momentum + gradient / scale;
      weights[i] -= c.learning_rate * momentum_buffer[i];
    } else {
      weights[i] -= c.learning_rate * gradient / scale;
    }
  }
}

template <typename Scalar>
inline __attribute__((always_inline)) void Choose(const Coefficients<Scalar>& c, bool centered, int64_t size,
                                                  Scalar* weights, const Scalar* gradients,
                                                  Scalar* const* buffers) {
  if (centered && c.momentum > 0) {
    UpdateWeights<true, true>(c, size, weights, gradients, buffers[0], buffers[1], buffers[2]);
  } else if (centered) {
    UpdateWeights<true, false, Scalar>(c, size, weights, gradients, buffers[0], buffers[1], nullptr);
  } else if (c.momentum > 0) {
    UpdateWeights<false, true, Scalar>(c, size, weights, gradients, buffers[0], nullptr, buffers[1]);
  } else {
    UpdateWeights<false, false, Scalar>(c, size, weights, gradients, buffers[0], nullptr, nullptr);
  }
}

PLUMB_VECTORIZED void UpdateFloats(const Coefficients<float>& c, bool centered, int64_t size, float* weights,
                                   const float* gradients, float* const* buffers) {
  Choose(c, centered, size, weights, gradients, buffers);
}

PLUMB_VECTORIZED void UpdateDoubles(const Coefficients<double>& c, bool centered, int64_t size,
                                    double* weights, const double* gradients, double* const* buffers) {
  Choose(c, centered, size, weights, gradients, buffers);
}

template <typename Scalar>
Coefficients<Scalar> MakeCoefficients(double learning_rate, double weight_decay, double alpha, double epsilon,
                                      double momentum) {
  return {static_cast<Scalar>(learning_rate), static_cast<Scalar>(weight_decay),
          static_cast<Scalar>(alpha),         static_cast<Scalar>(1 - alpha),
          static_cast<Scalar>(epsilon),       static_cast<Scalar>(momentum)};
}

std::vector<std::string> Buffers(const RmsPropConfig& config) {
  std::vector<std::string> buffers = {"square_avg"};
  if (config.centered()) buffers.push_back("grad_avg");
  if (config.momentum() > 0) buffers.push_back("momentum_buffer");
  return buffers;
}

}  // namespace

RmsProp::RmsProp(const RmsPropConfig& config, std::vector<NamedParameter> parameters)
    : ElementwiseOptimizer(std::move(parameters), config.learning_rate(), config.weight_decay(),
                           Buffers(config)),
      alpha_(config.alpha()),
      epsilon_(config.epsilon()),
      momentum_(config.momentum()),
      centered_(config.centered()) {}

void RmsProp::UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                          float* const* buffers) const {
  UpdateFloats(
      MakeCoefficients<float>(update.learning_rate, update.weight_decay, alpha_, epsilon_, momentum_),
      centered_, size, weights, gradients, buffers);
}

void RmsProp::UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                          double* const* buffers) const {
  UpdateDoubles(
      MakeCoefficients<double>(update.learning_rate, update.weight_decay, alpha_, epsilon_, momentum_),
      centered_, size, weights, gradients, buffers);
}

}  // namespace plumb
