#ifndef PLUMB_OPTIM_BILEVEL_POLYHEDRON_PROJECTION_H_
#define PLUMB_OPTIM_BILEVEL_POLYHEDRON_PROJECTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace plumb {

// The nearest point of {v: A v = b in the first rows, A v <= b in the others}, by Hildreth's method: ascent
// in one multiplier at a time, each with a closed form, O(nonzeros of A) a sweep, and no quadratic programme.
// Keeps the multipliers, so that a point near the last one takes few sweeps.
class PolyhedronProjection {
 public:
  // a: [M, N], b: [M]. Error: shapes, a row of zeros.
  static absl::StatusOr<PolyhedronProjection> Create(const at::Tensor& a, const at::Tensor& b,
                                                     int64_t equalities);

  // v: [N]. Ends when a sweep moves no multiplier's row by more than `tolerance`; an error after max_sweeps,
  // which a polyhedron without points leads to.
  absl::StatusOr<at::Tensor> Project(const at::Tensor& v, double tolerance = 1e-10,
                                     int64_t max_sweeps = 10000);

  int64_t sweeps() const { return sweeps_; }  // of the last projection

 private:
  struct Row {
    std::vector<int64_t> columns;
    std::vector<double> values;
    double squared_norm = 0, bound = 0;
  };

  std::vector<Row> rows_;
  std::vector<double> multipliers_;
  int64_t columns_ = 0, equalities_ = 0, sweeps_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_POLYHEDRON_PROJECTION_H_
