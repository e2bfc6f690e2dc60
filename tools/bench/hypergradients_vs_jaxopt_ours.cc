// Our half of hypergradients_vs_jaxopt: hypergradients of a penalised logistic regression, which come as
// lines of JSON, each answered by a line with the seconds of each and the last one's numbers.

#include <ATen/TensorOperators.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "optim/core/lbfgsb.h"
#include "optim/implicit/implicit_differentiation.h"
#include "optim/implicit/penalized_logistic.h"
#include "optim/implicit/stationary.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

struct Data {
  at::Tensor inputs;  // [N, D]
  at::Tensor labels;  // [N], 1 or -1
};

Data ReadData(const nlohmann::json& json) {
  return {ReadMatrix(json.at("inputs")),
          at::tensor(json.at("labels").get<std::vector<double>>(), at::kDouble)};
}

// The loss on held-out rows, and its gradient by the weights.
std::pair<at::Tensor, at::Tensor> HeldOut(const Data& data, const at::Tensor& w) {
  const at::Tensor margins = data.labels * at::mv(data.inputs, w);
  const at::Tensor slopes = -data.labels * at::sigmoid(-margins) / data.labels.size(0);
  return {at::softplus(-margins).mean(), at::mv(data.inputs.t(), slopes)};
}

struct Hypergradient {
  double value = 0;
  at::Tensor gradient;
};

absl::StatusOr<Hypergradient> InClosedForm(const Data& train, const Data& held_out, const at::Tensor& theta,
                                           double tolerance) {
  PLUMB_ASSIGN_OR_RETURN(const PenalizedLogistic fit,
                         PenalizedLogistic::Fit(train.inputs, train.labels, theta, tolerance));
  const auto [value, slope] = HeldOut(held_out, fit.weights());
  return Hypergradient{value.item<double>(), fit.Vjp(slope)};
}

// The same from the objective's formula alone: L-BFGS-B, then conjugate gradients for the implicit function
// theorem, all derivatives by autograd.
absl::StatusOr<Hypergradient> ByAutograd(const Data& train, const Data& held_out, const at::Tensor& theta,
                                         double tolerance) {
  // What no derivative is taken of, once.
  const at::Tensor rows = -train.labels.unsqueeze(1) * train.inputs, columns = rows.t(),
                   penalties = at::exp(theta) / 2;
  const ParametricObjective objective = [&](const at::Tensor& w, const Parameters& parameters) {
    return at::softplus(at::mv(rows, w)).mean() + at::dot(at::exp(parameters[0]), w.square()) / 2;
  };
  const Objective values = WithAutograd([&](const at::Tensor& points) {
    return at::softplus(at::mm(points, columns)).mean(1) + at::mv(points.square(), penalties);
  });
  const at::Tensor bound = at::full_like(theta, std::numeric_limits<double>::infinity());
  LbfgsbOptions options;
  options.set_gtol(tolerance);
  options.set_ftol(0);
  PLUMB_ASSIGN_OR_RETURN(const LbfgsbResult found,
                         MinimizeLbfgsb(values, at::zeros_like(theta).unsqueeze(0), -bound, bound, options));
  const at::Tensor w = found.points[0];
  const auto [value, slope] = HeldOut(held_out, w);
  ImplicitOptions implicit;
  implicit.solver = ImplicitSolver::kConjugateGradient;
  implicit.linear.set_relative_tolerance(tolerance);
  PLUMB_ASSIGN_OR_RETURN(const VectorJacobianProduct product,
                         ImplicitVjp(StationaryCondition(objective), w, {theta}, slope, implicit));
  return Hypergradient{value.item<double>(), product.gradients[0]};
}

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  const Data train = ReadData(request.at("train")), held_out = ReadData(request.at("held_out"));
  const auto compute = request.at("how") == "closed form" ? InClosedForm : ByAutograd;
  nlohmann::json seconds;
  Hypergradient last;
  for (const double theta : request.at("thetas")) {
    const at::Tensor thetas = at::full({train.inputs.size(1)}, theta, at::kDouble);
    const auto begin = std::chrono::steady_clock::now();
    PLUMB_ASSIGN_OR_RETURN(last, compute(train, held_out, thetas, request.at("tolerance")));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    seconds.push_back(taken.count());
  }
  const double* gradient = last.gradient.const_data_ptr<double>();
  return nlohmann::json{{"seconds", seconds},
                        {"value", last.value},
                        {"gradient", std::vector<double>(gradient, gradient + last.gradient.numel())}};
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunLineProgram(argc, argv,
                               "hypergradients_vs_jaxopt_ours THREADS\nOur half of hypergradients_vs_jaxopt.",
                               plumb::Answer);
}
