#include "optim/sgd.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/kernels/vectorized.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

template <typename Scalar>
struct Coefficients {
  Scalar learning_rate;
  Scalar weight_decay;
  Scalar momentum;
  Scalar weight;  // of the gradient in the momentum
};

template <typename Scalar>
inline __attribute__((always_inline)) void Step(const Coefficients<Scalar>& c, bool nesterov, int64_t size,
                                                Scalar* __restrict weights,
                                                const Scalar* __restrict gradients,
                                                Scalar* __restrict momentum_buffer) {
  // Tests outside the loops, so that each of them vectorises.
  if (momentum_buffer == nullptr) {
    for (int64_t i = 0; i < size; ++i) {
      weights[i] -= c.learning_rate * (gradients[i] + c.weight_decay * weights[i]);
    }
  } else if (nesterov) {
    for (int64_t i = 0; i < size; ++i) {
      const Scalar gradient = gradients[i] + c.weight_decay * weights[i];
      momentum_buffer[i] = momentum_buffer[i] * c.momentum + c.weight * gradient;
      weights[i] -= c.learning_rate * (gradient + c.momentum * momentum_buffer[i]);
    }
  } else {
    for (int64_t i = 0; i < size; ++i) {
      const Scalar gradient = gradients[i] + c.weight_decay * weights[i];
      momentum_buffer[i] = momentum_buffer[i] * c.momentum + c.weight * gradient;
      weights[i] -= c.learning_rate * momentum_buffer[i];
    }
  }
}

PLUMB_VECTORIZED void UpdateFloats(const Coefficients<float>& c, bool nesterov, int64_t size, float* weights,
                                   const float* gradients, float* momentum_buffer) {
  Step(c, nesterov, size, weights, gradients, momentum_buffer);
}

PLUMB_VECTORIZED void UpdateDoubles(const Coefficients<double>& c, bool nesterov, int64_t size,
                                    double* weights, const double* gradients, double* momentum_buffer) {
  Step(c, nesterov, size, weights, gradients, momentum_buffer);
}

template <typename Scalar>
Coefficients<Scalar> MakeCoefficients(double learning_rate, double weight_decay, double momentum,
                                      double weight) {
  return {static_cast<Scalar>(learning_rate), static_cast<Scalar>(weight_decay),
          static_cast<Scalar>(momentum), static_cast<Scalar>(weight)};
}

std::vector<std::string> Buffers(const SgdConfig& config) {
  return config.momentum() > 0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sgd>> Sgd::Create(const SgdConfig& config,
                                                 std::vector<NamedParameter> parameters) {
  if (config.nesterov() && (config.momentum() == 0 || config.dampening() != 0)) {
    return absl::InvalidArgumentError("sgd.nesterov: expected a momentum and no dampening");
  }
  return std::unique_ptr<Sgd>(new Sgd(config, std::move(parameters)));
}

Sgd::Sgd(const SgdConfig& config, std::vector<NamedParameter> parameters)
    : ElementwiseOptimizer(std::move(parameters), config.learning_rate(), config.weight_decay(),
                           Buffers(config)),
      momentum_(config.momentum()),
      dampening_(config.dampening()),
      nesterov_(config.nesterov()) {}

void Sgd::UpdateBlock(const ElementwiseOptimizer::Update& update, int64_t size, float* weights,
                      const float* gradients, float* const* buffers) const {
  UpdateFloats(MakeCoefficients<float>(update.learning_rate, update.weight_decay, momentum_,
                                       update.step == 1 ? 1 : 1 - dampening_),
               nesterov_, size, weights, gradients, momentum_ > 0 ? buffers[0] : nullptr);
}

void Sgd::UpdateBlock(const ElementwiseOptimizer::Update& update, int64_t size, double* weights,
                      const double* gradients, double* const* buffers) const {
  UpdateDoubles(MakeCoefficients<double>(update.learning_rate, update.weight_decay, momentum_,
                                         update.step == 1 ? 1 : 1 - dampening_),
                nesterov_, size, weights, gradients, momentum_ > 0 ? buffers[0] : nullptr);
}

}  // namespace plumb
