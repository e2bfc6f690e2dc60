#include "optim/private/dp_sgd.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kernels/normal_noise.h"
#include "common/status/status_macros.h"
#include "optim/private/ghost_norm.h"

namespace plumb {
namespace {

constexpr char kSteps[] = "dp_sgd.steps";

}  // namespace

at::Tensor ClippingFactors(const at::Tensor& squared_norms, double max_grad_norm) {
  // A norm of 0 gives an infinity, which the limit of 1 takes away.
  return (max_grad_norm * squared_norms.to(at::kDouble).rsqrt()).clamp_max(1);
}

at::Tensor ScaleByExample(const at::Tensor& rows, const at::Tensor& factors,
                          absl::Span<const int64_t> offsets) {
  TORCH_CHECK(static_cast<int64_t>(offsets.size()) == factors.numel() + 1 && offsets.back() == rows.size(0),
              "factors of ", factors.numel(), " examples do not fit the offsets of ", rows.size(0), " rows");
  const int64_t examples = factors.numel();
  const at::Tensor scales = factors.to(rows.scalar_type());
  if (EqualRows(offsets) > 0 && rows.is_contiguous()) {
    return (rows.view({examples, -1}) * scales.unsqueeze(1)).view(rows.sizes());
  }
  std::vector<int64_t> lengths;
  for (int64_t b = 0; b < examples; ++b) lengths.push_back(offsets[b + 1] - offsets[b]);
  std::vector<int64_t> shape(rows.dim(), 1);
  shape[0] = rows.size(0);
  return rows * scales.repeat_interleave(at::tensor(lengths, at::kLong)).view(shape);
}

absl::StatusOr<std::unique_ptr<DpSgd>> DpSgd::Create(const DpSgdOptions& options,
                                                     std::vector<NamedParameter> parameters,
                                                     std::unique_ptr<Optimizer> optimizer,
                                                     const RandomStream& random) {
  PLUMB_RETURN_IF_ERROR(CheckPhases({{options.noise_multiplier, options.sampling_rate, 0}}));
  if (options.sampling_rate == 0) {
    return absl::InvalidArgumentError("sampling rate 0: no example would ever be drawn");
  }
  if (!(options.max_grad_norm > 0) || std::isinf(options.max_grad_norm)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_grad_norm ", options.max_grad_norm, ": must be a number above 0"));
  }
  if (options.examples < 1) {
    return absl::InvalidArgumentError(absl::StrCat("examples ", options.examples, ": must be at least 1"));
  }
  return std::unique_ptr<DpSgd>(new DpSgd(options, std::move(parameters), std::move(optimizer), random));
}

DpSgd::DpSgd(const DpSgdOptions& options, std::vector<NamedParameter> parameters,
             std::unique_ptr<Optimizer> optimizer, const RandomStream& random)
    : options_(options),
      parameters_(std::move(parameters)),
      optimizer_(std::move(optimizer)),
      random_(random) {}

void DpSgd::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  const double deviation = options_.noise_multiplier * options_.max_grad_norm;
  const double expected_batch_size = options_.sampling_rate * static_cast<double>(options_.examples);
  for (const auto& [name, tensor] : parameters_) {
    at::Tensor parameter = tensor;
    // In at least f32: rounding to 16 bits before the division would lose most of a small gradient.
    const at::ScalarType dtype = tensor.element_size() < 4 ? at::kFloat : tensor.scalar_type();
    const at::Tensor gradient =
        tensor.grad().defined()
            ? tensor.grad().to(dtype).contiguous()
            : at::zeros_like(tensor, at::TensorOptions().dtype(dtype), at::MemoryFormat::Contiguous);
    AddNormalNoise(random_.Child(name).Child(steps_), deviation, 1 / expected_batch_size, gradient);
    parameter.mutable_grad() = gradient;
  }
  ++steps_;
  optimizer_->Step(learning_rate);
}

std::map<std::string, at::Tensor> DpSgd::State() const {
  std::map<std::string, at::Tensor> state = optimizer_->State();
  state[kSteps] = at::scalar_tensor(steps_, at::kLong);
  return state;
}

absl::Status DpSgd::LoadState(const std::map<std::string, at::Tensor>& state) {
  std::map<std::string, at::Tensor> inner = state;
  const auto steps = inner.find(kSteps);
  if (steps == inner.end()) return absl::InvalidArgumentError(absl::StrCat("no optimizer state ", kSteps));
  if (steps->second.scalar_type() != at::kLong || steps->second.numel() != 1 ||
      steps->second.item<int64_t>() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer state ", kSteps, ": must be one int64 of at least 0"));
  }
  const int64_t count = steps->second.item<int64_t>();
  inner.erase(steps);
  PLUMB_RETURN_IF_ERROR(optimizer_->LoadState(inner));
  steps_ = count;
  return absl::OkStatus();
}

}  // namespace plumb
