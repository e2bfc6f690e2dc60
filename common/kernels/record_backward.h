#ifndef PLUMB_COMMON_KERNELS_RECORD_BACKWARD_H_
#define PLUMB_COMMON_KERNELS_RECORD_BACKWARD_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace plumb {

// What a kernel's backward pass is given.
struct BackwardPass {
  std::vector<at::Tensor> saved;  // as handed to RecordBackward
  at::Tensor gradient;            // of the output, contiguous
  std::vector<bool> needed;       // which inputs' gradients are asked for; the others may be left undefined
};
using BackwardFunction = std::function<std::vector<at::Tensor>(const BackwardPass&)>;

// Whether a gradient may be asked for of any of `inputs` here and now.
bool NeedsGradient(const std::vector<at::Tensor>& inputs);

// Makes `output`, computed outside the graph, the result of a node whose backward pass is `backward`: it
// returns the gradients of `inputs`. `saved` tensors are kept until then; changing one in place meanwhile is
// found out. There is no second derivative. Call it when NeedsGradient(inputs).
void RecordBackward(std::string name, const std::vector<at::Tensor>& inputs,
                    const std::vector<at::Tensor>& saved, const at::Tensor& output,
                    BackwardFunction backward);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_RECORD_BACKWARD_H_
