#include "common/nn/linear.h"

#include <ATen/TensorOperators.h>

#include "common/kernels/few_rows_product.h"
#include "common/kernels/linear_product.h"
#include "common/kernels/low_rank_sum.h"
#include "common/kernels/rounding.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

// Zeroes each element with probability `rate` and scales the rest up; element i takes number i of the stream.
at::Tensor Dropout(const at::Tensor& x, double rate, const RandomStream& random) {
  const at::Tensor keep = random.UniformTensor(x.sizes(), at::kFloat).ge(rate).to(WideType(x.scalar_type()));
  return (x * keep.div_(1 - rate)).to(x.scalar_type());
}

}  // namespace

at::Tensor Linear::Forward(const at::Tensor& x, const ForwardOptions& options) const {
  at::Tensor y;
  if (options.decoding && !input_major && IsFewRowsProduct(x, weight)) {
    y = FewRowsProduct(x, weight);
    if (bias.defined()) y.add_(bias);
  } else {
    y = LinearProduct(x, weight, bias, input_major);
  }
  if (adapter == nullptr || !options.adapter) return y;
  at::Tensor input = x;
  if (options.dropout != nullptr && adapter->dropout > 0) {
    input = Dropout(x, adapter->dropout, options.dropout->Child(adapter->name));
  }
  return AddLowRank(y, input, adapter->lora_a, adapter->lora_b, adapter->scaling);
}

}  // namespace plumb
