#include "common/kernels/normal_noise.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/kernels/blocks.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

constexpr int kLanes = 64;  // pairs of numbers at a time: a few vectors of any width
constexpr uint32_t kPurpose =
    0x6e;  // third word of the counter: keeps these blocks apart from RandomStream's

inline __attribute__((always_inline)) double FromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// log of x in (0, 1], to about 1e-16 of its own size: x = 2^e m with m in [sqrt(1/2), sqrt(2)), log(m) = 2
// artanh((m - 1) / (m + 1)).
inline __attribute__((always_inline)) double Log(double x) {
  constexpr uint64_t kRootOfHalf = 0x3FE6A09E667F3BCD;
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  const uint64_t exponent = (bits - kRootOfHalf) & 0xFFF0000000000000;
  const double m = FromBits(bits - exponent);
  // The exponent as a number: its bits in the mantissa of 2^52 + 2^51.
  const uint64_t shifted = (exponent >> 52) & 0xFFF;
  const double e = FromBits(0x4330000000000000 | (shifted ^ 0x800)) - (0x1p52 + 0x800);
  const double s = (m - 1) / (m + 1), z = s * s;
  double series = 2.0 / 21;
  series = series * z + 2.0 / 19;
  series = series * z + 2.0 / 17;
  series = series * z + 2.0 / 15;
  series = series * z + 2.0 / 13;
  series = series * z + 2.0 / 11;
  series = series * z + 2.0 / 9;
  series = series * z + 2.0 / 7;
  series = series * z + 2.0 / 5;
  series = series * z + 2.0 / 3;
  series = series * z + 2.0;
  return e * M_LN2 + s * series;
}

// Taylor's series, for |x| <= pi / 4.
inline __attribute__((always_inline)) double Sine(double x) {
  const double z = x * x;
  double series = -1.0 / 1307674368000;
  series = series * z + 1.0 / 6227020800;
  series = series * z - 1.0 / 39916800;
  series = series * z + 1.0 / 362880;
  series = series * z - 1.0 / 5040;
  series = series * z + 1.0 / 120;
  series = series * z - 1.0 / 6;
  return x + x * z * series;
}
inline __attribute__((always_inline)) double Cosine(double x) {
  const double z = x * x;
  double series = 1.0 / 20922789888000;
  series = series * z - 1.0 / 87178291200;
  series = series * z + 1.0 / 479001600;
  series = series * z - 1.0 / 3628800;
  series = series * z + 1.0 / 40320;
  series = series * z - 1.0 / 720;
  series = series * z + 1.0 / 24;
  series = series * z - 1.0 / 2;
  return 1 + z * series;
}

// Philox4x32() of kLanes counters side by side.
struct Blocks {
  uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
};
inline __attribute__((always_inline)) void DrawBlocks(uint64_t key, uint64_t first, Blocks* blocks) {
  auto& [c0, c1, c2, c3] = *blocks;
  for (int i = 0; i < kLanes; ++i) {
    c0[i] = static_cast<uint32_t>(first + i);
    c1[i] = static_cast<uint32_t>((first + i) >> 32);
    c2[i] = kPurpose;
    c3[i] = 0;
  }
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kLanes; ++i) {
      const uint64_t product0 = uint64_t{0xD2511F53} * c0[i], product1 = uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<uint32_t>(product1 >> 32) ^ c1[i] ^ key0;
      c1[i] = static_cast<uint32_t>(product1);
      c2[i] = static_cast<uint32_t>(product0 >> 32) ^ c3[i] ^ key1;
      c3[i] = static_cast<uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

// Numbers 2 * first .. 2 * (first + kLanes) - 1, by Box and Muller.
inline __attribute__((always_inline)) void Normals(uint64_t key, uint64_t first, double* __restrict numbers) {
  Blocks blocks;
  DrawBlocks(key, first, &blocks);
  const auto& [c0, c1, c2, c3] = blocks;
  for (int i = 0; i < kLanes; ++i) {
    const uint64_t radius_bits = c0[i] | static_cast<uint64_t>(c1[i]) << 32;
    const uint64_t angle_bits = c2[i] | static_cast<uint64_t>(c3[i]) << 32;
    // 52 bits each as the mantissa of a number in [1, 2).
    const double u = 2 - FromBits(radius_bits >> 12 | 0x3FF0000000000000);  // (0, 1]
    const double v = FromBits(angle_bits >> 12 | 0x3FF0000000000000) - 1.5;
    const double radius = std::sqrt(-2 * Log(u));
    // An angle within an eighth of a turn of 0; two of the bits left choose one of the four quarters.
    const double angle = v * (M_PI / 2);
    const double x = radius * Cosine(angle), y = radius * Sine(angle);
    const bool swapped = (angle_bits & 1) != 0;
    const double sign = (angle_bits & 2) != 0 ? -1.0 : 1.0;
    numbers[2 * i] = sign * (swapped ? y : x);
    numbers[2 * i + 1] = sign * (swapped ? x : y);
  }
}

// The same to the precision of f32, twice as many at a time. All 64 bits go into the radius: u and 1 - u are
// each known to 24 bits, however close to 0 they are.
inline __attribute__((always_inline)) void Normals(uint64_t key, uint64_t first, float* __restrict numbers) {
  Blocks blocks;
  DrawBlocks(key, first, &blocks);
  const auto& [c0, c1, c2, c3] = blocks;
  for (int i = 0; i < kLanes; ++i) {
    const float t = static_cast<float>(c1[i]) * 0x1p-32f + (static_cast<float>(c0[i]) + 0.5f) * 0x1p-64f;
    const float u = static_cast<float>(~c1[i]) * 0x1p-32f + (static_cast<float>(~c0[i]) + 0.5f) * 0x1p-64f;
    // log(u) as in Log().
    constexpr uint32_t kRootOfHalf = 0x3F3504F3;
    uint32_t bits;
    std::memcpy(&bits, &u, sizeof(bits));
    const uint32_t exponent = (bits - kRootOfHalf) & 0xFF800000;
    const uint32_t mantissa = bits - exponent;
    float m;
    std::memcpy(&m, &mantissa, sizeof(m));
    const float e = static_cast<float>(static_cast<int32_t>(exponent) >> 23);
    const float s = exponent == 0 ? -t / (2 - t) : (m - 1) / (m + 1);
    const float z = s * s;
    float series = 2.0f / 9;
    series = series * z + 2.0f / 7;
    series = series * z + 2.0f / 5;
    series = series * z + 2.0f / 3;
    series = series * z + 2.0f;
    const float radius = std::sqrt(-2 * (e * static_cast<float>(M_LN2) + s * series));
    const float angle =
        static_cast<float>(static_cast<int32_t>(c3[i] ^ 0x80000000)) * static_cast<float>(M_PI / 2 * 0x1p-32);
    const float square = angle * angle;
    float sine = 1.0f / 362880;
    sine = sine * square - 1.0f / 5040;
    sine = sine * square + 1.0f / 120;
    sine = sine * square - 1.0f / 6;
    sine = angle + angle * square * sine;
    float cosine = -1.0f / 3628800;
    cosine = cosine * square + 1.0f / 40320;
    cosine = cosine * square - 1.0f / 720;
    cosine = cosine * square + 1.0f / 24;
    cosine = cosine * square - 1.0f / 2;
    cosine = 1 + square * cosine;
    const bool swapped = (c2[i] & 1) != 0;
    const float sign = (c2[i] & 2) != 0 ? -radius : radius;
    numbers[2 * i] = sign * (swapped ? sine : cosine);
    numbers[2 * i + 1] = sign * (swapped ? cosine : sine);
  }
}

template <typename Scalar>
inline __attribute__((always_inline)) void AddNoise(uint64_t key, double deviation, double scale,
                                                    int64_t begin, int64_t end, Scalar* __restrict values) {
  Scalar numbers[2 * kLanes];
  const Scalar width = static_cast<Scalar>(deviation), factor = static_cast<Scalar>(scale);
  for (int64_t i = begin; i < end; i += 2 * kLanes) {
    Normals(key, i / 2, numbers);
    const int64_t count = std::min<int64_t>(2 * kLanes, end - i);
    for (int64_t j = 0; j < count; ++j) {
      values[i + j] = (values[i + j] + width * numbers[j]) * factor;
    }
  }
}

PLUMB_VECTORIZED void AddNoiseToFloats(uint64_t key, double deviation, double scale, int64_t begin,
                                       int64_t end, float* values) {
  AddNoise(key, deviation, scale, begin, end, values);
}
PLUMB_VECTORIZED void AddNoiseToDoubles(uint64_t key, double deviation, double scale, int64_t begin,
                                        int64_t end, double* values) {
  AddNoise(key, deviation, scale, begin, end, values);
}

}  // namespace

void AddNormalNoise(const RandomStream& random, double deviation, double scale, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_contiguous(), "noise is added to contiguous tensors alone");
  const uint64_t key = random.Bits(0);
  const auto add = [&](auto* values, const auto& add_noise) {
    static_assert(kBlockSize % (2 * kLanes) == 0, "a block begins with a pair");
    ForEachBlock(tensor.numel(), [&](int64_t, int64_t begin, int64_t end) {
      add_noise(key, deviation, scale, begin, end, values);
    });
  };
  if (tensor.scalar_type() == at::kFloat) {
    add(tensor.mutable_data_ptr<float>(), AddNoiseToFloats);
  } else {
    TORCH_CHECK(tensor.scalar_type() == at::kDouble, "noise is added to f32 or f64, not ",
                tensor.scalar_type());
    add(tensor.mutable_data_ptr<double>(), AddNoiseToDoubles);
  }
}

}  // namespace plumb
