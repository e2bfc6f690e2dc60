#ifndef PLUMB_OPTIM_CORE_SOBOL_H_
#define PLUMB_OPTIM_CORE_SOBOL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"

namespace plumb {

// The low-discrepancy sequence of Sobol 1967 with the direction numbers of Joe and Kuo 2008 (new-joe-kuo-6),
// in the order of Gray codes (Antonov and Saleev 1979), as scipy and torch have it. Point i is a function of
// i alone.
class SobolSequence {
 public:
  static constexpr int64_t kMaxDimension = 64;
  static constexpr int64_t kMaxPoints = int64_t{1} << 32;

  // Plain: the first point is 0. Error: dimension outside 1 .. 64.
  static absl::StatusOr<SobolSequence> Create(int64_t dimension);
  // Scrambled by random lower triangular matrices and a digital shift (Matousek 1998): every point is
  // uniform, and what makes the sequence even is kept.
  static absl::StatusOr<SobolSequence> Scrambled(int64_t dimension, const RandomStream& stream);

  int64_t dimension() const { return dimension_; }

  // Points first .. first + count - 1 of at most 2^32: [count, D], f64 in [0, 1).
  at::Tensor Points(int64_t first, int64_t count) const;

 private:
  int64_t dimension_ = 0;
  std::vector<uint32_t> directions_;  // [D, 32]; bit 31 is worth 1/2
  std::vector<uint32_t> shifts_;      // [D]
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_SOBOL_H_
