#ifndef PLUMB_COMMON_KERNELS_TILE_PRODUCT_H_
#define PLUMB_COMMON_KERNELS_TILE_PRODUCT_H_

#include <cstdint>

#include "common/kernels/vectorized.h"

namespace plumb {

// Matrix products of tiles that are in a near cache, for the inside of other kernels.

// Rows and columns of products are multiples of these: pad with zeros.
constexpr int64_t kProductRows = 6;
template <typename T>
constexpr int64_t kProductColumns = 2 * Vector<T>::kLanes;

constexpr int64_t RoundUp(int64_t size, int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

// A matrix by its elements' distances: a transpose is an exchange of the two.
template <typename T>
struct Strided {
  const T* data;
  int64_t row, column;
};

// c [rows, columns] += a [rows, depth] b [depth, columns]; rows of b and c are next to each other but for
// their strides. Each element is a sum over the depth in order, wherever in a tile it is. To be called from a
// PLUMB_VECTORIZED function.
template <typename T>
inline __attribute__((always_inline)) void AddProduct(Strided<T> a, const T* b, int64_t b_row, T* c,
                                                      int64_t c_row, int64_t rows, int64_t columns,
                                                      int64_t depth) {
  using V = typename Vector<T>::type;
  constexpr int64_t kLanes = Vector<T>::kLanes;
  for (int64_t column = 0; column < columns; column += 2 * kLanes) {
    for (int64_t row = 0; row < rows; row += kProductRows) {
      T* to = c + row * c_row + column;
      V low[kProductRows], high[kProductRows];
#pragma GCC unroll 6
      for (int64_t i = 0; i < kProductRows; ++i) {
        low[i] = *reinterpret_cast<const V*>(to + i * c_row);
        high[i] = *reinterpret_cast<const V*>(to + i * c_row + kLanes);
      }
      const T* factors = a.data + row * a.row;
      const T* from = b + column;
      for (int64_t k = 0; k < depth; ++k, factors += a.column, from += b_row) {
        const V b_low = *reinterpret_cast<const V*>(from),
                b_high = *reinterpret_cast<const V*>(from + kLanes);
#pragma GCC unroll 6
        for (int64_t i = 0; i < kProductRows; ++i) {
          const T factor = factors[i * a.row];
          low[i] += factor * b_low;
          high[i] += factor * b_high;
        }
      }
#pragma GCC unroll 6
      for (int64_t i = 0; i < kProductRows; ++i) {
        *reinterpret_cast<V*>(to + i * c_row) = low[i];
        *reinterpret_cast<V*>(to + i * c_row + kLanes) = high[i];
      }
    }
  }
}

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_TILE_PRODUCT_H_
