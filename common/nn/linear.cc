#include "common/nn/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>

#include "common/kernels/few_rows_product.h"
#include "common/kernels/linear_product.h"
#include "common/kernels/low_rank_sum.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

// Zeroes each element with probability `rate` and scales the rest up; element i takes number i of the stream.
at::Tensor Dropout(const at::Tensor& x, double rate, const RandomStream& random) {
  const at::Tensor keep = random.UniformTensor(x.sizes(), at::kFloat).ge(rate).to(x.scalar_type());
  return x * keep.div_(1 - rate);
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
  at::Tensor input = x.to(adapter->lora_a.scalar_type());
  if (options.dropout != nullptr && adapter->dropout > 0) {
    input = Dropout(input, adapter->dropout, options.dropout->Child(adapter->name));
  }
  const at::Tensor low_rank = at::linear(input, adapter->lora_a);
  return AddLowRank(y, low_rank, adapter->lora_b, adapter->scaling);
}

}  // namespace plumb
