#ifndef PLUMB_OPTIM_BILEVEL_MULTI_BLOCK_PROBLEM_H_
#define PLUMB_OPTIM_BILEVEL_MULTI_BLOCK_PROBLEM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "optim/core/summary.h"

namespace plumb {

// The mean over samples ([B], long, indices) of a function of block i, x [N] and the block's y [D], of
// operators that autograd knows twice.
using BlockFunction = std::function<at::Tensor(int64_t block, const at::Tensor& x, const at::Tensor& y,
                                               const at::Tensor& samples)>;

// min over x of the mean over m blocks of f_i(x, y_i(x)), y_i(x) = argmin over y of g_i(x, y): one upper
// level over many lower ones, each a mean over samples and strongly convex in y.
struct MultiBlockProblem {
  int64_t blocks = 0;         // m
  int64_t upper_samples = 0;  // of each f_i
  int64_t lower_samples = 0;  // of each g_i
  BlockFunction upper;        // f
  BlockFunction lower;        // g
};

// What a step wants to know of one block at one (x, y), on the samples given.
class BlockDerivatives {
 public:
  BlockDerivatives(const MultiBlockProblem& problem, int64_t block, const at::Tensor& x, const at::Tensor& y,
                   const at::Tensor& upper_samples, const at::Tensor& lower_samples, OracleCalls* calls);

  const at::Tensor& UpperInX() const { return upper_x_; }  // df/dx, [N]
  const at::Tensor& UpperInY() const { return upper_y_; }  // df/dy, [D]
  at::Tensor LowerInY() const { return slope_.detach(); }  // dg/dy, [D]

  // Second derivatives of g; both from one backward pass a vector, which counts as one product.
  struct Products {
    at::Tensor hessian;  // d2g/dy2 v, [D]
    at::Tensor cross;    // d2g/dxdy v, [N]
  };
  Products Times(const at::Tensor& v) const;
  Products OfEachUnit() const;  // of the unit vectors of y: [D, D] and [D, N]

 private:
  OracleCalls* calls_;
  at::Tensor x_, y_, slope_, upper_x_, upper_y_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_MULTI_BLOCK_PROBLEM_H_
