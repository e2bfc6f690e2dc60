#ifndef PLUMB_OPTIM_BAYESIAN_MAX_VALUE_ENTROPY_H_
#define PLUMB_OPTIM_BAYESIAN_MAX_VALUE_ENTROPY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"

namespace plumb {

// Max-value entropy search: Wang and Jegelka 2017, "Max-value Entropy Search for Efficient Bayesian
// Optimization" (arXiv 1703.01968), here for the least value. What f(x) tells about the minimum f*, as the
// mean over samples of f* (eq. 6):
//
//   gamma phi(gamma) / (2 Phi(gamma)) - log Phi(gamma), gamma = (mean - f*) / sigma
MomentFunction MaxValueEntropy(std::vector<double> minima);

// Samples of the minimum over `candidates` [M, D], by the Gumbel approximation of section 3.1: the values
// there are taken for independent, and a Gumbel distribution goes through the three quartiles of their least.
std::vector<double> SampleMinima(const GaussianProcess& model, const at::Tensor& candidates, int64_t count,
                                 const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MAX_VALUE_ENTROPY_H_
