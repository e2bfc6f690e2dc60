#ifndef PLUMB_COMMON_KERNELS_ROUNDING_H_
#define PLUMB_COMMON_KERNELS_ROUNDING_H_

#include <c10/core/ScalarType.h>
#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace plumb {

// Between a tensor's type and the one that kernels compute in. The numbers are c10's; but loops over these
// become vectors, where those over c10::BFloat16's own conversions stay scalar.

template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The same of a tensor's dtype.
inline at::ScalarType WideType(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

template <typename T>
inline Wide<T> Widen(const T& value) {
  return static_cast<Wide<T>>(value);
}

inline float Widen(const c10::BFloat16& value) {
  const uint32_t bits = uint32_t{value.x} << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

template <typename T>
inline void Store(Wide<T> value, T* to) {
  *to = static_cast<T>(value);
}

// To the nearest, of two as near the even one.
inline void Store(float value, c10::BFloat16* to) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  to->x = static_cast<uint16_t>(value != value ? 0x7FC0 : rounded);
}

// What a T holds of a number.
template <typename T>
inline Wide<T> RoundTo(Wide<T> value) {
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    c10::BFloat16 rounded;
    Store(value, &rounded);
    return Widen(rounded);
  } else {
    return static_cast<Wide<T>>(static_cast<T>(value));
  }
}

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_ROUNDING_H_
