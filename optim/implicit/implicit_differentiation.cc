#include "optim/implicit/implicit_differentiation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kernels/record_backward.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

at::Tensor Leaf(const at::Tensor& tensor) { return tensor.detach().clone().requires_grad_(true); }

// Gradients of <output, weight> by `inputs`; zeros where the output does not depend on one. The graph stays.
std::vector<at::Tensor> Gradients(const at::Tensor& output, const at::Tensor& weight,
                                  const std::vector<at::Tensor>& inputs, bool create_graph) {
  std::vector<at::Tensor> gradients(inputs.size());
  if (output.requires_grad()) {
    gradients = torch::autograd::grad({output}, inputs, {weight}, /*retain_graph=*/true, create_graph,
                                      /*allow_unused=*/true);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(inputs[i]);
  }
  return gradients;
}

std::string FirstLine(const std::exception& exception) {
  const std::string what = exception.what();
  return what.substr(0, what.find('\n'));
}

absl::StatusOr<LinearSolution> SolveSystem(const LinearOperator& a, const LinearOperator& a_transposed,
                                           const at::Tensor& b, const ImplicitOptions& options) {
  switch (options.solver) {
    case ImplicitSolver::kConjugateGradient:
      return ConjugateGradient(a, b, options.linear);
    case ImplicitSolver::kNormalConjugateGradient:
      return NormalConjugateGradient(a, a_transposed, b, options.linear);
    case ImplicitSolver::kBiCgStab:
      return BiCgStab(a, b, options.linear);
    case ImplicitSolver::kGmres:
      return Gmres(a, b, options.linear);
  }
  return absl::InternalError("no such ImplicitSolver");
}

}  // namespace

absl::StatusOr<LinearizedCondition> LinearizedCondition::At(const OptimalityCondition& condition,
                                                            const at::Tensor& x, const Parameters& theta) {
  PLUMB_RETURN_IF_ERROR(CheckShape("x", x, {kAny}));
  LinearizedCondition result;
  result.x_ = Leaf(x);
  for (const at::Tensor& parameter : theta) result.theta_.push_back(Leaf(parameter));
  try {
    const at::AutoGradMode record(true);
    result.value_ = condition(result.x_, result.theta_);
  } catch (const std::exception& exception) {
    return absl::InvalidArgumentError(absl::StrCat("optimality condition threw: ", FirstLine(exception)));
  }
  PLUMB_RETURN_IF_ERROR(CheckShape("optimality condition", result.value_, x.sizes()));
  PLUMB_RETURN_IF_ERROR(CheckDtype("optimality condition", result.value_, x.scalar_type()));
  result.detached_value_ = result.value_.detach();
  return result;
}

void LinearizedCondition::RecordTransposes() {
  if (u_.defined()) return;
  const at::AutoGradMode record(true);
  u_ = at::zeros_like(detached_value_).requires_grad_(true);
  std::vector<at::Tensor> inputs = theta_;
  inputs.push_back(x_);
  theta_transposed_ = Gradients(value_, u_, inputs, /*create_graph=*/true);
  x_transposed_ = theta_transposed_.back();
  theta_transposed_.pop_back();
}

at::Tensor LinearizedCondition::InX(const at::Tensor& v) {
  RecordTransposes();
  return Gradients(x_transposed_, v, {u_}, /*create_graph=*/false)[0];
}

at::Tensor LinearizedCondition::InXTransposed(const at::Tensor& u) const {
  return Gradients(value_, u, {x_}, /*create_graph=*/false)[0];
}

at::Tensor LinearizedCondition::InTheta(const Parameters& v) {
  RecordTransposes();
  at::Tensor sum = at::zeros_like(detached_value_);
  for (size_t i = 0; i < v.size(); ++i) {
    sum += Gradients(theta_transposed_[i], v[i], {u_}, /*create_graph=*/false)[0];
  }
  return sum;
}

Parameters LinearizedCondition::InThetaTransposed(const at::Tensor& u) const {
  return Gradients(value_, u, theta_, /*create_graph=*/false);
}

absl::StatusOr<VectorJacobianProduct> ImplicitVjp(const OptimalityCondition& condition, const at::Tensor& x,
                                                  const Parameters& theta, const at::Tensor& cotangent,
                                                  const ImplicitOptions& options) {
  PLUMB_RETURN_IF_ERROR(CheckShape("cotangent", cotangent, x.sizes()));
  PLUMB_ASSIGN_OR_RETURN(LinearizedCondition linear, LinearizedCondition::At(condition, x, theta));
  PLUMB_ASSIGN_OR_RETURN(
      LinearSolution solution,
      SolveSystem([&](const at::Tensor& u) { return linear.InXTransposed(u); },
                  [&](const at::Tensor& v) { return linear.InX(v); }, cotangent.detach(), options));
  return VectorJacobianProduct{linear.InThetaTransposed(-solution.x), std::move(solution.summary)};
}

absl::StatusOr<JacobianVectorProduct> ImplicitJvp(const OptimalityCondition& condition, const at::Tensor& x,
                                                  const Parameters& theta, const Parameters& tangent,
                                                  const ImplicitOptions& options) {
  if (tangent.size() != theta.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tangent: ", tangent.size(), " tensors, expected ", theta.size(), " as theta has"));
  }
  for (size_t i = 0; i < theta.size(); ++i) {
    PLUMB_RETURN_IF_ERROR(CheckShape(absl::StrCat("tangent[", i, "]"), tangent[i], theta[i].sizes()));
  }
  PLUMB_ASSIGN_OR_RETURN(LinearizedCondition linear, LinearizedCondition::At(condition, x, theta));
  PLUMB_ASSIGN_OR_RETURN(LinearSolution solution,
                         SolveSystem([&](const at::Tensor& v) { return linear.InX(v); },
                                     [&](const at::Tensor& u) { return linear.InXTransposed(u); },
                                     -linear.InTheta(tangent), options));
  return JacobianVectorProduct{solution.x, std::move(solution.summary)};
}

at::Tensor WithImplicitGradient(const OptimalityCondition& condition, const at::Tensor& x,
                                const Parameters& theta, const ImplicitOptions& options) {
  at::Tensor solution = x.detach().clone();
  if (!NeedsGradient(theta)) return solution;
  Parameters saved = theta;
  saved.push_back(x.detach());
  RecordBackward(
      "WithImplicitGradient", theta, saved, solution, [condition, options](const BackwardPass& pass) {
        Parameters at = pass.saved;
        const at::Tensor where = at.back();
        at.pop_back();
        const auto product = ImplicitVjp(condition, where, at, pass.gradient, options);
        TORCH_CHECK(product.ok(), "WithImplicitGradient: ", product.status().message());
        TORCH_CHECK(product->summary.converged(), "WithImplicitGradient: ", product->summary.BriefReport());
        return product->gradients;
      });
  return solution;
}

}  // namespace plumb
