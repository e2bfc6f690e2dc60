#ifndef PLUMB_COMMON_KERNELS_CHECKPOINT_H_
#define PLUMB_COMMON_KERNELS_CHECKPOINT_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace plumb {

// Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): compute(input) without its intermediate
// results, which the backward pass computes again. `parameters` are all other tensors with a gradient that
// `compute` reads. `compute` must give the same numbers each time; gradients are then the same bit for bit.
at::Tensor Checkpoint(std::function<at::Tensor(const at::Tensor&)> compute, const at::Tensor& input,
                      std::vector<at::Tensor> parameters);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_CHECKPOINT_H_
