#ifndef PLUMB_COMMON_KERNELS_BF16_PRODUCT_H_
#define PLUMB_COMMON_KERNELS_BF16_PRODUCT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace plumb {

// Products of bf16 matrices whose sums are f32 and stay so: by the instruction that multiplies pairs of bf16
// numbers (AVX512_BF16), twice as fast as products of f32. LibTorch's own round the result to bf16.

// Whether this processor has the instruction. Nothing else here may be called where it has not.
bool HasBf16Products();

// A factor [depth, columns], laid out for the instruction.
class Bf16Factor {
 public:
  explicit Bf16Factor(const at::Tensor& matrix);  // [depth, columns] bf16, of any strides

  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }

  static constexpr int64_t kPanel = 32;  // columns that lie together

  // [panels, pairs of rows, kPanel] int32: two rows' numbers of a column next to each other; zeros around.
  const at::Tensor& data() const { return data_; }

 private:
  int64_t depth_, columns_;
  at::Tensor data_;
};

// c [M, N] f32 = a [M, K] bf16 times b [K, N]; with `add`, += instead. Rows of a and c are contiguous each,
// and may be parts of longer ones. Throws c10::Error when shapes or types do not fit. All threads; the result
// does not depend on their number.
void Bf16Product(const at::Tensor& a, const Bf16Factor& b, bool add, const at::Tensor& c);

// c [M, N] f32 += a^T b of a [K, M] and b [K, N]; the rest as above.
void AddBf16TransposedProduct(const Bf16Factor& a, const Bf16Factor& b, const at::Tensor& c);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_BF16_PRODUCT_H_
