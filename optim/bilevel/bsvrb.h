#ifndef PLUMB_OPTIM_BILEVEL_BSVRB_H_
#define PLUMB_OPTIM_BILEVEL_BSVRB_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/bilevel/multi_block_problem.h"

namespace plumb {

// Blockwise stochastic variance-reduced bilevel methods: Hu, Qiu, Guo, Zhang and Yang 2023, "Blockwise
// Stochastic Variance-Reduced Methods with Parallel Speedup for Multi-Block Bilevel Optimization" (arXiv
// 2305.18730). An iteration samples I of the m blocks and B samples for each of their levels. Estimates are
// corrected by the same samples at the point before: for a sampled block by MSVR,
//
//   s <- (1 - alpha) s + (alpha + gamma) now - gamma before,  gamma = (m - I) / (I (1 - alpha)) + 1 - alpha,
//
// (Jiang et al. 2022) of dg_i/dy, by which y_i moves, and of
//
//   kHessian (v1, for low dimensions): the Hessian H_i of g_i in y, kept above mu I, and H_i^-1 df_i/dy =
//   v_i; kHessianVector (v2): the residual H_i v_i - df_i/dy, by which v_i moves; no matrix;
//
// and for x by STORM, z <- (1 - beta) (z - G before) + G now, where G is the mean over sampled blocks of the
// hypergradient df_i/dx - d2g_i/dxdy v_i.
//
// In v1 all y_i move in each iteration, unsampled ones along their old estimates; in v2 sampled ones alone,
// as many steps at once as they had missed: as the authors' program does it. Not verified: the theory's
// choice of constants, and its distinct alphas for the three trackers.
struct BsvrbOptions {
  enum class Version { kHessian, kHessianVector };
  Version version = Version::kHessian;
  int64_t block_batch = 1;   // I
  int64_t sample_batch = 1;  // B
  double alpha = 0.5;        // within (0, 1)
  double beta = 0.5;         // within (0, 1]
  double step_x = 0.01;      // eta
  double step_y = 0.1;       // tau, of y_i
  double step_v = 0.1;       // of v_i, v2
  double mu = 1e-2;          // v1: least eigenvalue of an H_i
  double longest_v = 1e3;    // v2: |v_i| at most
};

class Bsvrb {
 public:
  // x: [N], y: [m, D]. Starts with estimates on B samples of every block. Error: options out of range,
  // shapes.
  static absl::StatusOr<Bsvrb> Create(MultiBlockProblem problem, const at::Tensor& x, const at::Tensor& y,
                                      const BsvrbOptions& options, const RandomStream& random);

  // One iteration.
  void Step();

  const at::Tensor& x() const { return x_; }              // [N]
  at::Tensor y() const;                                   // [m, D]
  const at::Tensor& hypergradient() const { return z_; }  // the estimate, [N]
  int64_t iterations() const { return iterations_; }
  const OracleCalls& calls() const { return calls_; }  // values, gradients: of samples

 private:
  struct Block {
    at::Tensor y, y_before;              // [D]
    at::Tensor slope;                    // estimate of dg/dy
    at::Tensor hessian, hessian_before;  // v1, [D, D]
    at::Tensor v, v_before, residual;    // v2, [D]
    int64_t missed = 0;                  // iterations since it was last sampled
  };

  Bsvrb(MultiBlockProblem problem, const at::Tensor& x, const BsvrbOptions& options,
        const RandomStream& random)
      : problem_(std::move(problem)),
        options_(options),
        random_(random),
        x_(x.clone()),
        x_before_(x.clone()) {}

  at::Tensor Samples(const RandomStream& random, int64_t size) const;
  at::Tensor Track(const at::Tensor& estimate, const at::Tensor& now, const at::Tensor& before) const;
  at::Tensor AboveMu(const at::Tensor& hessian) const;

  MultiBlockProblem problem_;
  BsvrbOptions options_;
  RandomStream random_;
  at::Tensor x_, x_before_, z_;
  std::vector<Block> blocks_;
  int64_t iterations_ = 0;
  OracleCalls calls_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_BSVRB_H_
