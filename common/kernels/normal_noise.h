#ifndef PLUMB_COMMON_KERNELS_NORMAL_NOISE_H_
#define PLUMB_COMMON_KERNELS_NORMAL_NOISE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "common/tensor/random.h"

namespace plumb {

// Standard normal numbers for noise in bulk: several at a time, where RandomStream::Normal() draws one by
// one. Element i is a function of the stream and i alone, the same bits on every machine and with any number
// of threads; the numbers are not those of random.Normal(i). Box and Muller from Philox blocks, with 52 bits
// for the radius: tails reach 8.5 standard deviations.

// tensor[i] = (tensor[i] + deviation * number i) * scale, in place; contiguous, f32 or f64.
void AddNormalNoise(const RandomStream& random, double deviation, double scale, const at::Tensor& tensor);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_NORMAL_NOISE_H_
