#include "optim/zeroth_order/zeroth_order_task.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/zeroth_order/gradient_estimates.h"

namespace plumb {
namespace {

// The gradients of parameters; zeros where there are none yet.
std::vector<NamedParameter> Gradients(absl::Span<const NamedParameter> parameters) {
  std::vector<NamedParameter> gradients;
  for (const NamedParameter& parameter : parameters) {
    at::Tensor tensor = parameter.tensor;
    if (!tensor.grad().defined()) tensor.mutable_grad() = at::zeros_like(tensor);
    gradients.push_back({parameter.name, tensor.grad()});
  }
  return gradients;
}

absl::Status NotFinite(double loss, double mu) {
  return absl::FailedPreconditionError(absl::StrCat("zeroth_order: the loss is ", loss,
                                                    " where weights moved by mu = ", mu,
                                                    ": lower mu or the learning rate"));
}

}  // namespace

ZerothOrderTask::ZerothOrderTask(std::unique_ptr<TrainTask> inner, const ZerothOrder& options,
                                 const RandomStream& random)
    : DelegatingTask(std::move(inner)),
      options_(options),
      random_(random),
      parameters_(TrainableParameters()),
      densities_(at::full({static_cast<int64_t>(parameters_.size())},
                          std::numeric_limits<double>::quiet_NaN(), at::kDouble)) {
  // Without ZO-GraSP, whose scores decide nothing when all is kept.
  if (options_.sparse_coordinates().density() == 1) densities_.fill_(1);
}

std::vector<NamedParameter> ZerothOrderTask::State() {
  std::vector<NamedParameter> state = DelegatingTask::State();
  if (options_.has_sparse_coordinates()) state.push_back({"zeroth_order.densities", densities_});
  return state;
}

LayerTensors ZerothOrderTask::Weights() const {
  LayerTensors weights(1);
  for (const NamedParameter& parameter : parameters_) weights[0].push_back(parameter.tensor.detach().clone());
  return weights;
}

void ZerothOrderTask::MoveTo(const LayerTensors& weights) const {
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].tensor.detach().copy_(weights[0][i]);
}

absl::Status ZerothOrderTask::AccumulateGradients(const TrainStep& step,
                                                  absl::Span<const int64_t> micro_batch,
                                                  MetricSums* metrics) {
  const at::NoGradGuard no_grad;
  const auto loss = [&](MetricSums* sums) -> absl::StatusOr<double> {
    PLUMB_RETURN_IF_ERROR(DelegatingTask::AccumulateGradients(step, micro_batch, sums));
    // Its mean over a micro-batch counts by the micro-batch's share of the step.
    return sums->Means().at("loss") * static_cast<double>(micro_batch.size()) /
           static_cast<double>(step.examples.size());
  };
  MetricSums sums;
  PLUMB_ASSIGN_OR_RETURN(const double here, loss(&sums));
  metrics->Merge(sums);
  if (!std::isfinite(here)) return absl::OkStatus();  // the loop says so
  const auto elsewhere = [&]() -> absl::StatusOr<double> {
    MetricSums unused;
    return loss(&unused);
  };
  return options_.has_sparse_coordinates() ? AlongCoordinates(step, here, elsewhere)
                                           : AlongDirections(step, elsewhere);
}

absl::Status ZerothOrderTask::AlongDirections(const TrainStep& step, LossOfMicroBatch loss) {
  const LayerTensors weights = Weights();
  const std::vector<NamedParameter> gradients = Gradients(parameters_);
  const int64_t count = options_.random_directions().count();
  for (int64_t k = 0; k < count; ++k) {
    const RandomStream direction = step.random.Child("zeroth order").Child(k);
    const auto projected = TwoPointGradient(parameters_, options_.mu(), direction, loss);
    MoveTo(weights);
    PLUMB_RETURN_IF_ERROR(projected.status());
    MoveAlong(gradients, direction, projected->derivative / static_cast<double>(count));
  }
  return absl::OkStatus();
}

absl::Status ZerothOrderTask::AlongCoordinates(const TrainStep& step, double here, LossOfMicroBatch loss) {
  if (densities_.isnan().any().item<bool>()) PLUMB_RETURN_IF_ERROR(ChooseDensities(loss));
  const int64_t draw = step.index / options_.sparse_coordinates().redraw_steps();
  if (draw != draw_) {
    LayerTensors shapes(1);
    for (const NamedParameter& parameter : parameters_) shapes[0].push_back(parameter.tensor.detach());
    const double* densities = densities_.const_data_ptr<double>();
    mask_ = RandomMask(shapes, {std::vector<double>(densities, densities + densities_.numel())},
                       random_.Child("mask").Child(draw))[0];
    draw_ = draw;
  }
  const std::vector<NamedParameter> gradients = Gradients(parameters_);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor weights = parameters_[i].tensor.detach();
    const bool* chosen = mask_[i].const_data_ptr<bool>();
    absl::Status status;
    AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "AlongCoordinates", [&] {
      auto* weight = weights.mutable_data_ptr<scalar_t>();
      auto* gradient = gradients[i].tensor.mutable_data_ptr<scalar_t>();
      for (int64_t j = 0; j < weights.numel() && status.ok(); ++j) {
        if (!chosen[j]) continue;
        const scalar_t as_it_is = weight[j];
        weight[j] = static_cast<scalar_t>(static_cast<double>(as_it_is) + options_.mu());
        // What it moved by, rounded; nothing where it is large.
        const double moved = static_cast<double>(weight[j]) - static_cast<double>(as_it_is);
        const absl::StatusOr<double> there = moved == 0 ? here : loss();
        weight[j] = as_it_is;
        if (!there.ok()) {
          status = there.status();
        } else if (!std::isfinite(*there)) {
          status = NotFinite(*there, options_.mu());
        } else if (moved != 0) {
          gradient[j] += static_cast<scalar_t>((*there - here) / moved);
        }
      }
    });
    PLUMB_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status ZerothOrderTask::ChooseDensities(LossOfMicroBatch loss) {
  const LayerTensors weights = Weights();
  absl::Status status;
  // Scores are of estimates along random directions, the same at both points.
  const auto gradient = [&](const LayerTensors& point) {
    LayerTensors sums(1);
    std::vector<NamedParameter> named;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      sums[0].push_back(at::zeros(point[0][i].sizes(), at::kDouble));
      named.push_back({parameters_[i].name, sums[0].back()});
    }
    const int64_t directions = options_.sparse_coordinates().pruning_directions();
    for (int64_t k = 0; k < directions && status.ok(); ++k) {
      const RandomStream direction = random_.Child("pruning").Child(k);
      MoveTo(point);
      const auto projected = TwoPointGradient(parameters_, options_.mu(), direction, loss);
      if (!projected.ok()) {
        status = projected.status();
      } else {
        MoveAlong(named, direction, projected->derivative / static_cast<double>(directions));
      }
    }
    return sums;
  };
  const std::vector<std::vector<double>> densities =
      ZoGraspDensities(weights, options_.mu(), options_.sparse_coordinates().density(), gradient);
  MoveTo(weights);
  PLUMB_RETURN_IF_ERROR(status);
  std::copy(densities[0].begin(), densities[0].end(), densities_.mutable_data_ptr<double>());
  return absl::OkStatus();
}

}  // namespace plumb
