#include "optim/zeroth_order/deep_zero.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace plumb {
namespace {

struct Coordinate {
  int64_t layer;
  int64_t tensor;
  int64_t index;
};

std::vector<Coordinate> Coordinates(const LayerTensors& mask) {
  std::vector<Coordinate> coordinates;
  for (size_t layer = 0; layer < mask.size(); ++layer) {
    for (size_t tensor = 0; tensor < mask[layer].size(); ++tensor) {
      const at::Tensor flat = mask[layer][tensor].contiguous();
      const bool* kept = flat.const_data_ptr<bool>();
      for (int64_t i = 0; i < flat.numel(); ++i) {
        if (kept[i]) coordinates.push_back({int64_t(layer), int64_t(tensor), i});
      }
    }
  }
  return coordinates;
}

// The loss from `layer` on, whose parameters are `own`.
double LossFrom(const LayeredModel& model, const LayerTensors& parameters, int64_t first, at::Tensor features,
                int64_t changed, absl::Span<const at::Tensor> own) {
  for (int64_t layer = first; layer < model.LayerCount(); ++layer) {
    features =
        model.Forward(layer, layer == changed ? own : absl::MakeConstSpan(parameters[layer]), features);
  }
  return model.Loss(features);
}

}  // namespace

CoordinateEstimate LayeredCoordinateGradient(const LayeredModel& model, const LayerTensors& parameters,
                                             const LayerTensors& mask, const at::Tensor& input,
                                             const CoordinateOptions& options) {
  const int64_t layers = model.LayerCount();
  TORCH_CHECK(
      static_cast<int64_t>(parameters.size()) == layers && static_cast<int64_t>(mask.size()) == layers,
      "LayeredCoordinateGradient: ", layers, " layers, ", parameters.size(), " of parameters, ", mask.size(),
      " of masks");
  const std::vector<Coordinate> coordinates = Coordinates(mask);
  CoordinateEstimate estimate;
  for (const auto& layer : parameters) {
    estimate.gradient.emplace_back();
    for (const at::Tensor& tensor : layer) {
      TORCH_CHECK(tensor.is_contiguous(), "LayeredCoordinateGradient: parameters must be contiguous");
      estimate.gradient.back().push_back(at::zeros_like(tensor));
    }
  }

  // What each layer reads. Within a parallel loop (one of its two parts is empty), so that the operators are
  // as serial here as they are below, whatever the number of threads.
  std::vector<at::Tensor> inputs(layers);
  at::parallel_for(0, 2, /*grain_size=*/1, [&](int64_t begin, int64_t) {
    if (begin != 0) return;
    const at::NoGradGuard no_grad;
    at::Tensor features = input;
    for (int64_t layer = 0; layer < layers; ++layer) {
      inputs[layer] = features;
      features = model.Forward(layer, parameters[layer], features);
    }
    estimate.loss = model.Loss(features);
  });

  at::parallel_for(0, coordinates.size(), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> own;  // this thread's copy of one layer
    int64_t own_layer = -1;
    for (int64_t i = begin; i < end; ++i) {
      const Coordinate& coordinate = coordinates[i];
      if (coordinate.layer != own_layer) {
        own.clear();
        for (const at::Tensor& tensor : parameters[coordinate.layer]) own.push_back(tensor.clone());
        own_layer = coordinate.layer;
      }
      AT_DISPATCH_FLOATING_TYPES(own[coordinate.tensor].scalar_type(), "LayeredCoordinateGradient", [&] {
        scalar_t& value = own[coordinate.tensor].mutable_data_ptr<scalar_t>()[coordinate.index];
        const scalar_t original = value;
        value += static_cast<scalar_t>(options.mu);
        const int64_t first = options.reuse_features ? coordinate.layer : 0;
        const double loss = LossFrom(model, parameters, first, inputs[first], coordinate.layer, own);
        value = original;
        estimate.gradient[coordinate.layer][coordinate.tensor]
            .mutable_data_ptr<scalar_t>()[coordinate.index] =
            static_cast<scalar_t>((loss - estimate.loss) / options.mu);
      });
    }
  });

  estimate.evaluations = 1 + static_cast<int64_t>(coordinates.size());
  estimate.layer_forwards = layers;
  for (const Coordinate& coordinate : coordinates) {
    estimate.layer_forwards += layers - (options.reuse_features ? coordinate.layer : 0);
  }
  return estimate;
}

std::vector<std::vector<double>> ZoGraspDensities(
    const LayerTensors& parameters, double mu, double density,
    absl::FunctionRef<LayerTensors(const LayerTensors&)> gradient) {
  TORCH_CHECK(density > 0 && density <= 1, "ZoGraspDensities: the density must be within (0, 1]");
  const LayerTensors g = gradient(parameters);
  LayerTensors moved = parameters;
  for (size_t layer = 0; layer < moved.size(); ++layer) {
    for (size_t i = 0; i < moved[layer].size(); ++i) moved[layer][i] = moved[layer][i] + mu * g[layer][i];
  }
  const LayerTensors h = gradient(moved);

  struct Score {
    double score;
    size_t layer, tensor;
  };
  std::vector<Score> scores;
  for (size_t layer = 0; layer < parameters.size(); ++layer) {
    for (size_t i = 0; i < parameters[layer].size(); ++i) {
      const at::Tensor score =
          (parameters[layer][i] * (g[layer][i] - h[layer][i]) / mu).to(at::kDouble).contiguous();
      const double* values = score.const_data_ptr<double>();
      for (int64_t j = 0; j < score.numel(); ++j) scores.push_back({values[j], layer, i});
    }
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const Score& a, const Score& b) { return a.score < b.score; });
  const auto kept = static_cast<size_t>(std::lround(density * scores.size()));
  std::vector<std::vector<double>> densities;
  for (const auto& layer : parameters) densities.emplace_back(layer.size());
  for (size_t i = 0; i < kept; ++i) {
    densities[scores[i].layer][scores[i].tensor] +=
        1.0 / parameters[scores[i].layer][scores[i].tensor].numel();
  }
  return densities;
}

LayerTensors RandomMask(const LayerTensors& parameters, const std::vector<std::vector<double>>& densities,
                        const RandomStream& random) {
  LayerTensors mask;
  for (size_t layer = 0; layer < parameters.size(); ++layer) {
    mask.emplace_back();
    for (size_t i = 0; i < parameters[layer].size(); ++i) {
      const at::Tensor& tensor = parameters[layer][i];
      at::Tensor kept = at::zeros(tensor.sizes(), at::kBool);
      const std::vector<int64_t> order = random.Child(layer).Child(i).Permutation(tensor.numel());
      const int64_t count = std::lround(densities[layer][i] * static_cast<double>(tensor.numel()));
      bool* values = kept.mutable_data_ptr<bool>();
      for (int64_t j = 0; j < count; ++j) values[order[j]] = true;
      mask.back().push_back(std::move(kept));
    }
  }
  return mask;
}

}  // namespace plumb
