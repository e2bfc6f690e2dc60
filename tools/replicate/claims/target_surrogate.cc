// Lavington et al. 2023: many cheap steps in the parameters for each expensive gradient in the targets.

#include "optim/surrogate/target_surrogate.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>

#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kExamples = 200, kDimension = 20, kGradients = 30;

// z = inputs theta
class LinearModel : public TargetModel {
 public:
  explicit LinearModel(at::Tensor inputs) : inputs_(std::move(inputs)) {
    parameters_ = {{"theta", at::zeros({inputs_.size(1)}, at::kDouble).requires_grad_(true)}};
  }
  at::Tensor Targets() override { return inputs_.matmul(parameters_[0].tensor.detach()); }
  void Backward(const at::Tensor& cotangent) override {
    at::Tensor& gradient = parameters_[0].tensor.mutable_grad();
    const at::Tensor added = inputs_.t().matmul(cotangent);
    gradient = gradient.defined() ? gradient + added : added;
  }
  absl::Span<const NamedParameter> Parameters() override { return parameters_; }

 private:
  at::Tensor inputs_;
  std::vector<NamedParameter> parameters_;
};

// The logistic loss after kGradients gradients in z, each used for `inner_steps`.
absl::StatusOr<double> Train(int64_t inner_steps, uint64_t seed) {
  const RandomStream random(seed, "target surrogate");
  // Features of very different sizes: the parameters are badly conditioned, the targets are not.
  const at::Tensor inputs = random.Child("inputs").NormalTensor({kExamples, kDimension}, at::kDouble) *
                            random.Child("scales").NormalTensor({kDimension}, at::kDouble).exp();
  const at::Tensor truth = random.Child("truth").NormalTensor({kDimension}, at::kDouble);
  const at::Tensor labels = inputs.matmul(truth).sign();
  LinearModel model(inputs);
  SurrogateOptions options;
  options.eta = 4;  // the loss of an example is 1/4-smooth in its z
  options.inner_steps = inner_steps;
  for (int64_t i = 0; i < kGradients; ++i) {
    const at::Tensor z = model.Targets();
    PLUMB_RETURN_IF_ERROR(SurrogateStep(&model, -labels * at::sigmoid(-labels * z), options).status());
  }
  return at::softplus(-labels * model.Targets()).mean().item<double>();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Train(20, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Train(1, seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"target_surrogate",
     "Lavington et al. 2023, Target-based Surrogates for Stochastic Optimization (arXiv 2302.02607)",
     "Twenty surrogate steps for each gradient in target space come lower than one, which is gradient "
     "descent.",
     "SSO (20 inner steps)", "SSO (1 inner step)", "mean logistic loss after 30 gradients in target space",
     /*lower_is_better=*/true, /*seeds=*/10,
     "whole batches of a linear model; not the paper's imitation learning in MuJoCo.", Run});

}  // namespace
}  // namespace plumb
