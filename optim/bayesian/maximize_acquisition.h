#ifndef PLUMB_OPTIM_BAYESIAN_MAXIMIZE_ACQUISITION_H_
#define PLUMB_OPTIM_BAYESIAN_MAXIMIZE_ACQUISITION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

struct AcquisitionMaximum {
  at::Tensor points;  // [group_size, D]
  double value;
  Summary summary;
};

// The group of points within the box lower <= x <= upper, [D] each, where the acquisition is largest, as
// BoTorch's optimize_acqf looks for it: num_restarts of raw_samples points of a scrambled Sobol sequence, by
// Boltzmann's distribution of their standardised values, the best among them, are moved by L-BFGS-B all at
// once. Error: no raw sample has a value.
absl::StatusOr<AcquisitionMaximum> MaximizeAcquisition(const Acquisition& acquisition,
                                                       const at::Tensor& lower, const at::Tensor& upper,
                                                       const AcquisitionSearchOptions& options,
                                                       const RandomStream& stream);

// `count` different indices, index i with weight exp(eta z_i), z the values less their mean over their
// standard deviation; the largest value is among them. NaN and -infinity are taken last.
std::vector<int64_t> BoltzmannSample(const std::vector<double>& values, int64_t count, double eta,
                                     const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MAXIMIZE_ACQUISITION_H_
