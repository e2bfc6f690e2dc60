#ifndef PLUMB_COMMON_KERNELS_GRAPH_LEAVES_H_
#define PLUMB_COMMON_KERNELS_GRAPH_LEAVES_H_

#include <ATen/core/Tensor.h>

#include <vector>

namespace plumb {

// The leaves whose grad() a backward pass from `output` would add to, each once.
std::vector<at::Tensor> GraphLeaves(const at::Tensor& output);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_GRAPH_LEAVES_H_
