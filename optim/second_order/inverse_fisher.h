#ifndef PLUMB_OPTIM_SECOND_ORDER_INVERSE_FISHER_H_
#define PLUMB_OPTIM_SECOND_ORDER_INVERSE_FISHER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace plumb {

// Products with the inverse of the damped empirical Fisher matrix F = damp I + (1/m) sum over k of g_k g_k^T
// without a d x d matrix: Frantar, Kurtic and Alistarh 2021, "M-FAC: Efficient Matrix-Free Approximations of
// Second-Order Information" (arXiv 2107.03356). Gradients are f32 or f64, sums over them f64; results do not
// depend on the number of threads.

// The static algorithm, for a fixed set of gradients: v_k = F_{k-1}^-1 g_k and q_k = m + g_k .
// v_k by the recursion of Sherman and Morrison, in O(d m^2); then F^-1 = I / damp - sum over k of v_k v_k^T /
// q_k.
class InverseFisher {
 public:
  // `gradients` [m, d], contiguous; overwritten: v_k takes the place of g_k, nothing of its size is added.
  InverseFisher(at::Tensor gradients, double damp);

  at::Tensor Multiply(const at::Tensor& x) const;     // F^-1 x, [d] -> [d], O(d m)
  double Element(int64_t row, int64_t column) const;  // O(m)
  at::Tensor Diagonal() const;                        // [d], O(d m)

 private:
  double damp_;
  at::Tensor vectors_;         // v, [m, d]
  std::vector<double> norms_;  // q, [m]
};

// The dynamic algorithm, for the last m gradients of a run. Its matrices D and B come to what
// Woodbury's identity says: F^-1 x = (x - G^T (m damp I + G G^T)^-1 G x) / damp. Here that m x m matrix is a
// Cholesky factor in the order of the gradients' ages: the oldest leaves by a rank-1 update of the rest, the
// new one is appended, O(m^2) each where the paper has O(m^3), and neither subtracts.
class SlidingInverseFisher {
 public:
  // Of at most `window` gradients of `size` numbers; the m of F is `window`, the missing ones are zero.
  SlidingInverseFisher(int64_t window, int64_t size, double damp, at::ScalarType dtype);

  // Adds a gradient [size]; the oldest one leaves a full window. O(d m + m^2).
  void Push(const at::Tensor& gradient);

  at::Tensor Multiply(const at::Tensor& x) const;  // F^-1 x, [size] -> [size]; two passes over the gradients
  // F^-1 g of the gradient pushed last: m G^T (m damp I + G G^T)^-1 e, one pass, and nothing cancels.
  at::Tensor MultiplyNewest() const;

  // What a resumed run needs: gradients [window, size], a ring; the factor [window, window] f64; pushed []
  // int64.
  at::Tensor gradients() const { return gradients_; }
  at::Tensor factor() const { return factor_; }
  at::Tensor pushed() const { return pushed_; }

 private:
  int64_t count() const;                          // gradients in the window
  int64_t Row(int64_t age_rank) const;            // where in the ring; rank 0 is the oldest
  void Solve(std::vector<double>* values) const;  // (m damp I + G G^T)^-1, in order of age
  void SolveUpper(std::vector<double>* values) const;
  at::Tensor Combine(const std::vector<double>& by_age, const at::Tensor& x, double x_scale) const;

  double damp_;
  at::Tensor gradients_;
  at::Tensor factor_;
  at::Tensor pushed_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_SECOND_ORDER_INVERSE_FISHER_H_
