#ifndef PLUMB_OPTIM_IMPLICIT_IMPLICIT_DIFFERENTIATION_H_
#define PLUMB_OPTIM_IMPLICIT_IMPLICIT_DIFFERENTIATION_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/core/linear_solvers.h"

namespace plumb {

// Derivatives of the solution of an optimisation problem, whatever solver found it: Blondel, Berthet, Cuturi,
// Frostig, Hoyer, Llinares-Lopez, Pedregosa and Vert 2022, "Efficient and Modular Implicit Differentiation"
// (arXiv 2105.15183). An optimality condition F(x, theta) is zero at x = x*(theta); then (the implicit
// function theorem)
//
//   d1F J = -d2F,  J the Jacobian of x*(theta),
//
// so a product with J or J' takes one linear system in d1F, solved from products with it alone. The files
// beside this one have the conditions of the paper's table 1.

// What a problem depends on: tensors of any shapes, f32 or f64 as x is.
using Parameters = std::vector<at::Tensor>;

// F: [N], Parameters -> [N], of operators that autograd knows (twice, for products with J). The conditions of
// this package have the sign for which d1F is positive semidefinite where the problem is convex and d1F
// symmetric: that is what kConjugateGradient needs.
using OptimalityCondition = std::function<at::Tensor(const at::Tensor& x, const Parameters& theta)>;

enum class ImplicitSolver {
  kConjugateGradient,  // d1F symmetric positive definite: stationary points of strongly convex objectives
  kNormalConjugateGradient,  // any d1F, even singular: least squares, two products an iteration
  kBiCgStab,                 // any regular d1F
  kGmres,                    // any regular d1F
};

struct ImplicitOptions {
  ImplicitSolver solver = ImplicitSolver::kNormalConjugateGradient;
  LinearSolverOptions linear;
};

// A product with the Jacobian, and how its linear system went: where that did not converge, the product is
// what the best iterate gives.
struct VectorJacobianProduct {
  Parameters gradients;  // of theta, in its shapes
  Summary summary;
};
struct JacobianVectorProduct {
  at::Tensor tangent;  // of x*, [N]
  Summary summary;
};

// d1F and d2F at one point, as operators. F is evaluated once; a product is a pass through its graph.
class LinearizedCondition {
 public:
  // An error when F throws or its shape is not x's.
  static absl::StatusOr<LinearizedCondition> At(const OptimalityCondition& condition, const at::Tensor& x,
                                                const Parameters& theta);

  const at::Tensor& value() const { return detached_value_; }  // F, [N]: how far x is from a solution

  at::Tensor InX(const at::Tensor& v);                      // d1F v, [N]
  at::Tensor InXTransposed(const at::Tensor& u) const;      // d1F' u, [N]
  at::Tensor InTheta(const Parameters& v);                  // d2F v, [N]
  Parameters InThetaTransposed(const at::Tensor& u) const;  // d2F' u

 private:
  LinearizedCondition() = default;
  // Reverse mode gives products with transposes; these are linear in u, so their own transposes, the forward
  // products, are reverse mode again.
  void RecordTransposes();

  at::Tensor x_, value_, detached_value_;
  Parameters theta_;
  at::Tensor u_, x_transposed_;  // d1F' u as a function of u
  Parameters theta_transposed_;  // d2F' u, likewise
};

// cotangent' J, cotangent [N]: the gradient by theta of <cotangent, x*(theta)>. One system in d1F', however
// many parameters there are. x: a solution at theta; errors of x carry over to the product (the paper's
// theorem 1). Errors: F throws, or shapes.
absl::StatusOr<VectorJacobianProduct> ImplicitVjp(const OptimalityCondition& condition, const at::Tensor& x,
                                                  const Parameters& theta, const at::Tensor& cotangent,
                                                  const ImplicitOptions& options = {});

// J tangent: how x* moves when theta moves along `tangent`, whose shapes are theta's. One system in d1F.
absl::StatusOr<JacobianVectorProduct> ImplicitJvp(const OptimalityCondition& condition, const at::Tensor& x,
                                                  const Parameters& theta, const Parameters& tangent,
                                                  const ImplicitOptions& options = {});

// x as a function of theta for autograd: the value of x, and ImplicitVjp for a backward pass, so that a loss
// of the solution can be differentiated with the rest of a graph. A linear system that does not converge
// throws in the backward pass. There is no second derivative.
at::Tensor WithImplicitGradient(const OptimalityCondition& condition, const at::Tensor& x,
                                const Parameters& theta, const ImplicitOptions& options = {});

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_IMPLICIT_DIFFERENTIATION_H_
