#include "optim/core/sobol.h"

#include <ATen/ops/empty.h>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int kBits = 32;

// Of dimension 2 and on: the primitive polynomial over GF(2), its bits the coefficients from the highest
// power, and the first direction numbers m_1, m_2 ... (https://web.maths.unsw.edu.au/~fkuo/sobol).
struct DirectionNumbers {
  uint32_t polynomial;
  uint32_t first[9];
};

constexpr DirectionNumbers kDirectionNumbers[SobolSequence::kMaxDimension - 1] = {
    {3, {1}},
    {7, {1, 3}},
    {11, {1, 3, 1}},
    {13, {1, 1, 1}},
    {19, {1, 1, 3, 3}},
    {25, {1, 3, 5, 13}},
    {37, {1, 1, 5, 5, 17}},
    {41, {1, 1, 5, 5, 5}},
    {47, {1, 1, 7, 11, 19}},
    {55, {1, 1, 5, 1, 1}},
    {59, {1, 1, 1, 3, 11}},
    {61, {1, 3, 5, 5, 31}},
    {67, {1, 3, 3, 9, 7, 49}},
    {91, {1, 1, 1, 15, 21, 21}},
    {97, {1, 3, 1, 13, 27, 49}},
    {103, {1, 1, 1, 15, 7, 5}},
    {109, {1, 3, 1, 15, 13, 25}},
    {115, {1, 1, 5, 5, 19, 61}},
    {131, {1, 3, 7, 11, 23, 15, 103}},
    {137, {1, 3, 7, 13, 13, 15, 69}},
    {143, {1, 1, 3, 13, 7, 35, 63}},
    {145, {1, 3, 5, 9, 1, 25, 53}},
    {157, {1, 3, 1, 13, 9, 35, 107}},
    {167, {1, 3, 1, 5, 27, 61, 31}},
    {171, {1, 1, 5, 11, 19, 41, 61}},
    {185, {1, 3, 5, 3, 3, 13, 69}},
    {191, {1, 1, 7, 13, 1, 19, 1}},
    {193, {1, 3, 7, 5, 13, 19, 59}},
    {203, {1, 1, 3, 9, 25, 29, 41}},
    {211, {1, 3, 5, 13, 23, 1, 55}},
    {213, {1, 3, 7, 3, 13, 59, 17}},
    {229, {1, 3, 1, 3, 5, 53, 69}},
    {239, {1, 1, 5, 5, 23, 33, 13}},
    {241, {1, 1, 7, 7, 1, 61, 123}},
    {247, {1, 1, 7, 9, 13, 61, 49}},
    {253, {1, 3, 3, 5, 3, 55, 33}},
    {285, {1, 3, 1, 15, 31, 13, 49, 245}},
    {299, {1, 3, 5, 15, 31, 59, 63, 97}},
    {301, {1, 3, 1, 11, 11, 11, 77, 249}},
    {333, {1, 3, 1, 11, 27, 43, 71, 9}},
    {351, {1, 1, 7, 15, 21, 11, 81, 45}},
    {355, {1, 3, 7, 3, 25, 31, 65, 79}},
    {357, {1, 3, 1, 1, 19, 11, 3, 205}},
    {361, {1, 1, 5, 9, 19, 21, 29, 157}},
    {369, {1, 3, 7, 11, 1, 33, 89, 185}},
    {391, {1, 3, 3, 3, 15, 9, 79, 71}},
    {397, {1, 3, 7, 11, 15, 39, 119, 27}},
    {425, {1, 1, 3, 1, 11, 31, 97, 225}},
    {451, {1, 1, 1, 3, 23, 43, 57, 177}},
    {463, {1, 3, 7, 7, 17, 17, 37, 71}},
    {487, {1, 3, 1, 5, 27, 63, 123, 213}},
    {501, {1, 1, 3, 5, 11, 43, 53, 133}},
    {529, {1, 3, 5, 5, 29, 17, 47, 173, 479}},
    {539, {1, 3, 3, 11, 3, 1, 109, 9, 69}},
    {545, {1, 1, 1, 5, 17, 39, 23, 5, 343}},
    {557, {1, 3, 1, 5, 25, 15, 31, 103, 499}},
    {563, {1, 1, 1, 11, 11, 17, 63, 105, 183}},
    {601, {1, 1, 5, 11, 9, 29, 97, 231, 363}},
    {607, {1, 1, 5, 15, 19, 45, 41, 7, 383}},
    {617, {1, 3, 7, 7, 31, 19, 83, 137, 221}},
    {623, {1, 1, 1, 3, 23, 15, 111, 223, 83}},
    {631, {1, 1, 5, 13, 31, 15, 55, 25, 161}},
    {637, {1, 1, 3, 13, 25, 47, 39, 87, 257}}};

// Bit 31 of v_1 is m_1; v_k has m_k in its highest k bits. Later ones by the recurrence of the polynomial.
void FillDirections(int64_t dimension, uint32_t* v) {
  if (dimension == 0) {
    for (int k = 0; k < kBits; ++k) v[k] = uint32_t{1} << (kBits - 1 - k);
    return;
  }
  const DirectionNumbers& numbers = kDirectionNumbers[dimension - 1];
  int degree = 0;
  while (numbers.polynomial >> (degree + 1)) ++degree;
  for (int k = 0; k < kBits; ++k) {
    if (k < degree) {
      v[k] = numbers.first[k] << (kBits - 1 - k);
      continue;
    }
    v[k] = v[k - degree] ^ (v[k - degree] >> degree);
    for (int j = 1; j < degree; ++j) {
      if ((numbers.polynomial >> (degree - j)) & 1) v[k] ^= v[k - j];
    }
  }
}

uint32_t Parity(uint32_t bits) { return __builtin_parity(bits); }

}  // namespace

absl::StatusOr<SobolSequence> SobolSequence::Create(int64_t dimension) {
  if (dimension < 1 || dimension > kMaxDimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("Sobol sequence: dimension ", dimension, ", expected 1 to ", kMaxDimension));
  }
  SobolSequence sequence;
  sequence.dimension_ = dimension;
  sequence.directions_.resize(dimension * kBits);
  sequence.shifts_.resize(dimension);
  for (int64_t d = 0; d < dimension; ++d) FillDirections(d, &sequence.directions_[d * kBits]);
  return sequence;
}

absl::StatusOr<SobolSequence> SobolSequence::Scrambled(int64_t dimension, const RandomStream& stream) {
  PLUMB_ASSIGN_OR_RETURN(SobolSequence sequence, Create(dimension));
  for (int64_t d = 0; d < dimension; ++d) {
    const RandomStream numbers = stream.Child(d);
    sequence.shifts_[d] = numbers.Bits(kBits);
    uint32_t rows[kBits];  // row r: random bits above bit r, one at it
    for (int r = 0; r < kBits; ++r) {
      const uint32_t one = uint32_t{1} << r;
      const uint32_t above = r + 1 == kBits ? 0 : ~uint32_t{0} << (r + 1);
      rows[r] = (static_cast<uint32_t>(numbers.Bits(r)) & above) | one;
    }
    for (int k = 0; k < kBits; ++k) {
      uint32_t& v = sequence.directions_[d * kBits + k];
      uint32_t scrambled = 0;
      for (int r = 0; r < kBits; ++r) scrambled |= Parity(rows[r] & v) << r;
      v = scrambled;
    }
  }
  return sequence;
}

at::Tensor SobolSequence::Points(int64_t first, int64_t count) const {
  TORCH_CHECK(first >= 0 && count >= 0 && first + count <= kMaxPoints, "Sobol sequence: points ", first,
              " to ", first + count, " of ", kMaxPoints);
  const at::Tensor points = at::empty({count, dimension_}, at::kDouble);
  double* out = points.mutable_data_ptr<double>();
  for (int64_t d = 0; d < dimension_; ++d) {
    const uint32_t* v = &directions_[d * kBits];
    uint32_t bits = shifts_[d];
    for (int k = 0; k < kBits; ++k) {
      if (((first ^ (first >> 1)) >> k) & 1) bits ^= v[k];
    }
    for (int64_t i = 0; i < count; ++i) {
      out[i * dimension_ + d] = bits * 0x1p-32;
      if (i + 1 < count) bits ^= v[__builtin_ctzll(first + i + 1)];
    }
  }
  return points;
}

}  // namespace plumb
