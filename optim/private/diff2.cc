#include "optim/private/diff2.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// The mean of the rows [n, d], each at most `radius` long.
at::Tensor ClippedMean(const at::Tensor& rows, double radius) {
  const at::Tensor norms = rows.square().sum(1, /*keepdim=*/true).sqrt();
  // Rows of zeros stay, also within a radius of 0.
  const at::Tensor factors = (radius / norms).clamp_max(1).nan_to_num(0);
  return (rows * factors).mean(0);
}

}  // namespace

absl::StatusOr<Diff2> Diff2::Create(const Diff2Options& options, const RandomStream& random) {
  if (options.period < 1) {
    return absl::InvalidArgumentError(absl::StrCat("period ", options.period, ": must be at least 1"));
  }
  for (const double clip : {options.clip, options.clip_difference}) {
    if (!(clip > 0) || std::isinf(clip)) {
      return absl::InvalidArgumentError(absl::StrCat("clip ", clip, ": must be a number above 0"));
    }
  }
  PLUMB_RETURN_IF_ERROR(
      CheckPhases({{options.noise_multiplier, 1, 1}, {options.difference_noise_multiplier, 1, 1}}));
  return Diff2(options, random);
}

absl::StatusOr<at::Tensor> Diff2::Estimate(const at::Tensor& x, absl::Span<const ClientGradients> clients) {
  if (clients.empty()) return absl::InvalidArgumentError("no client: there is nothing to estimate from");
  const bool restarts = Restarts();
  for (size_t i = 0; i < clients.size(); ++i) {
    const auto& [now, before] = clients[i];
    if (now.dim() != 2 || now.size(0) == 0 || now.size(1) != x.numel()) {
      return absl::InvalidArgumentError(
          absl::StrCat("gradients of client ", i, ": must be [examples, ", x.numel(), "] with an example"));
    }
    if (!restarts && (!before.defined() || before.sizes() != now.sizes())) {
      return absl::InvalidArgumentError(
          absl::StrCat("gradients of client ", i, " at the point before: must be as many as at this one"));
    }
  }

  const double distance = restarts ? 0 : (x - x_).square().sum().sqrt().item<double>();
  const double radius = restarts ? options_.clip : options_.clip_difference * distance;
  const double noise = restarts ? options_.noise_multiplier : options_.difference_noise_multiplier;
  at::Tensor sum = at::zeros_like(x);
  for (size_t i = 0; i < clients.size(); ++i) {
    const auto& [now, before] = clients[i];
    const double deviation = noise * radius / static_cast<double>(now.size(0));
    sum.add_(ClippedMean(restarts ? now : now - before, radius));
    sum.add_(random_.Child(round_).Child(i).NormalTensor(x.sizes(), x.scalar_type()), deviation);
  }
  const at::Tensor mean = sum / static_cast<double>(clients.size());
  estimate_ = restarts ? mean : estimate_ + mean;
  x_ = x.clone();
  ++round_;
  return estimate_.clone();
}

std::vector<SampledGaussian> Diff2::Spent() const {
  const int64_t restarts = (round_ + options_.period - 1) / options_.period;
  return {{options_.noise_multiplier, 1, restarts},
          {options_.difference_noise_multiplier, 1, round_ - restarts}};
}

}  // namespace plumb
