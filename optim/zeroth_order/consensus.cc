#include "optim/zeroth_order/consensus.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/kernels/normal_noise.h"
#include "common/status/status_macros.h"

namespace plumb {

absl::StatusOr<at::Tensor> ConsensusPoint(const at::Tensor& particles, const at::Tensor& values,
                                          double alpha) {
  TORCH_CHECK(particles.dim() == 2 && values.dim() == 1 && values.size(0) == particles.size(0),
              "ConsensusPoint: particles must be [N, d], values [N]");
  const at::Tensor contiguous = values.detach().to(at::kDouble).contiguous();
  const double* f = contiguous.const_data_ptr<double>();
  const int64_t count = values.size(0);
  double lowest = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(f[i])) lowest = std::min(lowest, f[i]);
  }
  if (std::isinf(lowest)) {
    return absl::FailedPreconditionError(
        absl::StrCat("none of ", count, " particles has a finite value: there is no consensus"));
  }
  // In the order of the particles, so that the sum is the same however many threads there are.
  const int64_t size = particles.size(1);
  const at::Tensor points = particles.detach().contiguous();
  at::Tensor sum = at::zeros({size}, at::kDouble);
  double* sums = sum.mutable_data_ptr<double>();
  double total = 0;
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "ConsensusPoint", [&] {
    const scalar_t* point = points.const_data_ptr<scalar_t>();
    for (int64_t i = 0; i < count; ++i, point += size) {
      const double weight = std::isfinite(f[i]) ? std::exp(-alpha * (f[i] - lowest)) : 0;
      if (weight == 0) continue;
      total += weight;
      for (int64_t j = 0; j < size; ++j) sums[j] += weight * point[j];
    }
  });
  return (sum / total).to(particles.scalar_type());
}

absl::StatusOr<at::Tensor> ConsensusStep(const at::Tensor& particles, const at::Tensor& values,
                                         const ConsensusOptions& options, const RandomStream& random) {
  if (!(options.dt > 0) || !(options.lambda >= 0) || !(options.sigma >= 0) || !(options.alpha >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("consensus with dt ", options.dt, ", lambda ", options.lambda, ", sigma ", options.sigma,
                     ", alpha ", options.alpha, ": dt must be above 0, the others at least 0"));
  }
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor consensus, ConsensusPoint(particles, values, options.alpha));
  const at::Tensor difference = particles - consensus;
  const double deviation = options.sigma * std::sqrt(options.dt), drift = options.lambda * options.dt;
  if (options.isotropic) {
    const at::Tensor noise = at::zeros_like(difference, {}, at::MemoryFormat::Contiguous);
    AddNormalNoise(random, deviation, 1, noise);
    const at::Tensor distances = difference.square().sum(1, /*keepdim=*/true).sqrt();
    return particles - drift * difference + distances * noise;
  }
  const at::Tensor factors = at::full_like(difference, -drift, {}, at::MemoryFormat::Contiguous);
  AddNormalNoise(random, deviation, 1, factors);
  return factors.mul_(difference).add_(particles);
}

at::Tensor HoppingSamples(const at::Tensor& x, int64_t samples, double width, const RandomStream& random) {
  return x + width * random.NormalTensor({samples, x.size(0)}, x.scalar_type());
}

}  // namespace plumb
