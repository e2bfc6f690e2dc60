#ifndef PLUMB_OPTIM_CONSTRAINED_SKETCH_AND_PROJECT_H_
#define PLUMB_OPTIM_CONSTRAINED_SKETCH_AND_PROJECT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"

namespace plumb {

// Solves A z = b by sketching and projecting: Gower and Richtarik 2015, "Randomized Iterative Methods for
// Linear Systems" (arXiv 1506.03296). From z it goes to the nearest point that satisfies S'A z = S'b, for one
// random vector S a step:
//
//   z += S'(b - A z) / |A'S|^2 A'S
//
//   kKaczmarz: S a unit vector, all equally likely: one row a step (the randomised Kaczmarz method);
//   kGaussian: S standard normal.
//
// It starts at zero, reads nothing but rows of A and keeps no more than z: a step costs the nonzeros of a
// row, or for kGaussian of A. b - A z is computed anew once in [N] steps, which is when it can end. f64, on
// the CPU.
class SketchAndProject {
 public:
  enum class Sketch { kKaczmarz, kGaussian };

  // a: [N, N], of which zeros are left out; b: [N]. Error: shapes, a row of zeros.
  static absl::StatusOr<SketchAndProject> Create(const at::Tensor& a, const at::Tensor& b, Sketch sketch,
                                                 const RandomStream& random);

  // Goes on until |b - A z| <= tolerance, which it returns true for, or another `most_steps` are made.
  bool Solve(double tolerance, int64_t most_steps);

  const std::vector<double>& solution() const { return z_; }  // z, [N]
  double residual() const { return residual_; }               // |b - A z|
  int64_t steps() const { return steps_; }
  double flops() const { return flops_; }  // multiplications and additions so far, the draws of S left out

 private:
  struct Row {
    std::vector<int64_t> columns;
    std::vector<double> values;
    double squared_norm = 0;
  };

  SketchAndProject(std::vector<Row> rows, std::vector<double> b, Sketch sketch, const RandomStream& random);

  double Times(const Row& row) const;  // row'z
  void KaczmarzStep();
  void GaussianStep();
  void ComputeResidual();

  std::vector<Row> rows_;
  std::vector<double> b_, z_;
  Sketch sketch_;
  RandomStream random_;
  double residual_ = 0, flops_ = 0, nonzeros_ = 0;
  int64_t steps_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_CONSTRAINED_SKETCH_AND_PROJECT_H_
