#include "optim/zeroth_order/deep_zero.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
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

at::Tensor MultilayerPerceptron::Forward(int64_t layer, absl::Span<const at::Tensor> parameters,
                                         const at::Tensor& input) const {
  return Activate(layer, at::linear(input, parameters[0], parameters[1]));
}

double MultilayerPerceptron::Loss(const at::Tensor& output) const {
  return Losses(output.unsqueeze(0))[0].item<double>();
}

namespace {

// Coordinates of one unit's weights, and of its bias (index in), in as many as are changed at once.
struct UnitCoordinates {
  int64_t layer, unit;
  std::vector<int64_t> inputs;
};

std::vector<UnitCoordinates> UnitsOf(const LayerTensors& mask) {
  constexpr size_t kAtOnce = 64;
  std::vector<UnitCoordinates> units;
  for (size_t layer = 0; layer < mask.size(); ++layer) {
    const at::Tensor weight = mask[layer][0].contiguous(), bias = mask[layer][1].contiguous();
    const int64_t width = weight.size(1);
    for (int64_t unit = 0; unit < weight.size(0); ++unit) {
      std::vector<int64_t> inputs;
      const auto flush = [&] {
        if (!inputs.empty()) units.push_back({static_cast<int64_t>(layer), unit, std::move(inputs)});
        inputs.clear();
      };
      for (int64_t j = 0; j <= width; ++j) {
        const bool kept =
            j < width ? weight.const_data_ptr<bool>()[unit * width + j] : bias.const_data_ptr<bool>()[unit];
        if (kept) inputs.push_back(j);
        if (inputs.size() == kAtOnce) flush();
      }
      flush();
    }
  }
  return units;
}

// What a layer reads, with a last column of ones for its bias, its z and what it gives.
struct LayerValues {
  at::Tensor input, z, output;
};

// The losses [J] with each of a unit's coordinates changed by mu.
at::Tensor ChangedLosses(const MultilayerPerceptron& model, const LayerTensors& parameters,
                         const std::vector<LayerValues>& layers, const UnitCoordinates& unit, double mu) {
  const LayerValues& own = layers[unit.layer];
  const at::Tensor inputs = at::tensor(unit.inputs, at::kLong);
  // [J, examples]: the unit's column for each coordinate.
  const at::Tensor column = own.z.select(1, unit.unit) + mu * own.input.index_select(1, inputs).t();
  const at::Tensor activated = model.Activate(unit.layer, column);
  if (unit.layer + 1 == static_cast<int64_t>(layers.size())) {
    const at::Tensor outputs = own.output.repeat({column.size(0), 1, 1});
    outputs.select(2, unit.unit).copy_(activated);
    return model.Losses(outputs);
  }
  const at::Tensor change = activated - own.output.select(1, unit.unit);
  const at::Tensor weights = parameters[unit.layer + 1][0].select(1, unit.unit);
  at::Tensor features =
      model.Activate(unit.layer + 1, layers[unit.layer + 1].z + change.unsqueeze(2) * weights);
  for (size_t layer = unit.layer + 2; layer < layers.size(); ++layer) {
    features = model.Forward(layer, parameters[layer], features);
  }
  return model.Losses(features);
}

}  // namespace

CoordinateEstimate RankOneCoordinateGradient(const MultilayerPerceptron& model,
                                             const LayerTensors& parameters, const LayerTensors& mask,
                                             const at::Tensor& input, double mu) {
  const int64_t count = model.LayerCount();
  TORCH_CHECK(static_cast<int64_t>(parameters.size()) == count && static_cast<int64_t>(mask.size()) == count,
              "RankOneCoordinateGradient: ", count, " layers, ", parameters.size(), " of parameters, ",
              mask.size(), " of masks");
  TORCH_CHECK(input.dim() == 2, "RankOneCoordinateGradient: the input must be [examples, in]");
  CoordinateEstimate estimate;
  for (const auto& layer : parameters) {
    TORCH_CHECK(layer.size() == 2, "RankOneCoordinateGradient: a layer is a weight and a bias");
    estimate.gradient.push_back({at::zeros_like(layer[0], {}, at::MemoryFormat::Contiguous),
                                 at::zeros_like(layer[1], {}, at::MemoryFormat::Contiguous)});
  }
  std::vector<LayerValues> layers(count);
  // Within a parallel loop, for the reason that LayeredCoordinateGradient has.
  at::parallel_for(0, 2, /*grain_size=*/1, [&](int64_t begin, int64_t) {
    if (begin != 0) return;
    const at::NoGradGuard no_grad;
    at::Tensor features = input;
    for (int64_t layer = 0; layer < count; ++layer) {
      LayerValues& values = layers[layer];
      values.input = at::cat({features, at::ones({input.size(0), 1}, features.options())}, 1);
      values.z = at::linear(features, parameters[layer][0], parameters[layer][1]);
      values.output = features = model.Activate(layer, values.z);
    }
    estimate.loss = model.Loss(features);
  });

  const std::vector<UnitCoordinates> units = UnitsOf(mask);
  at::parallel_for(0, units.size(), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t u = begin; u < end; ++u) {
      const UnitCoordinates& unit = units[u];
      const at::Tensor slopes = (ChangedLosses(model, parameters, layers, unit, mu) - estimate.loss) / mu;
      const at::Tensor weight = estimate.gradient[unit.layer][0].select(0, unit.unit);
      for (size_t j = 0; j < unit.inputs.size(); ++j) {
        const bool is_bias = unit.inputs[j] == weight.numel();
        (is_bias ? estimate.gradient[unit.layer][1].select(0, unit.unit) : weight.select(0, unit.inputs[j]))
            .copy_(slopes[j]);
      }
    }
  });

  estimate.evaluations = 1;
  estimate.layer_forwards = count;
  for (const UnitCoordinates& unit : units) {
    estimate.evaluations += unit.inputs.size();
    estimate.layer_forwards += unit.inputs.size() * std::max<int64_t>(0, count - unit.layer - 2);
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
  std::vector<std::vector<double>> densities;
  std::vector<Score> scores;
  for (size_t layer = 0; layer < parameters.size(); ++layer) {
    densities.emplace_back(parameters[layer].size());
    for (size_t i = 0; i < parameters[layer].size(); ++i) {
      if (!parameters[layer][i].any().item<bool>()) {
        densities[layer][i] = density;
        continue;
      }
      const at::Tensor score =
          (parameters[layer][i] * (g[layer][i] - h[layer][i]) / mu).to(at::kDouble).contiguous();
      const double* values = score.const_data_ptr<double>();
      for (int64_t j = 0; j < score.numel(); ++j) scores.push_back({values[j], layer, i});
    }
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const Score& a, const Score& b) { return a.score < b.score; });
  const auto kept = static_cast<size_t>(std::lround(density * scores.size()));
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
