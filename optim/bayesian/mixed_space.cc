#include "optim/bayesian/mixed_space.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/core/lbfgsb.h"
#include "optim/core/sobol.h"

namespace plumb {
namespace {

constexpr int64_t kMaxLevels = 1000, kSpread = 16, kMaxRounds = 30;
// A change of a discrete coordinate must gain more than rounding makes.
constexpr double kLeastGain = 1e-10;

}  // namespace

absl::StatusOr<MixedSpace> MixedSpace::Create(const at::Tensor& lower, const at::Tensor& upper,
                                              absl::Span<const int64_t> integers,
                                              absl::Span<const int64_t> categories) {
  MixedSpace space;
  const double *low = lower.const_data_ptr<double>(), *high = upper.const_data_ptr<double>();
  for (int64_t d = 0; d < lower.numel(); ++d) {
    if (!(low[d] < high[d])) {
      return absl::InvalidArgumentError(absl::StrCat("bounds of coordinate ", d, ": [", low[d], ", ", high[d],
                                                     "], expected lower < upper"));
    }
    Coordinate coordinate;
    coordinate.lower = low[d];
    coordinate.upper = high[d];
    space.coordinates_.push_back(coordinate);
  }
  const auto mark = [&](absl::Span<const int64_t> indices, Kind kind, const char* what) -> absl::Status {
    for (const int64_t d : indices) {
      if (d < 0 || d >= space.dimension()) {
        return absl::InvalidArgumentError(
            absl::StrCat(what, ": ", d, ", expected 0 to ", space.dimension() - 1));
      }
      Coordinate& coordinate = space.coordinates_[d];
      if (coordinate.kind != Kind::kReal) {
        return absl::InvalidArgumentError(
            absl::StrCat(what, ": coordinate ", d, " comes twice, expected it once"));
      }
      if (low[d] != std::round(low[d]) || high[d] != std::round(high[d])) {
        return absl::InvalidArgumentError(absl::StrCat("bounds of coordinate ", d, " of ", what, ": [",
                                                       low[d], ", ", high[d], "], expected whole numbers"));
      }
      coordinate.kind = kind;
      if (kind == Kind::kCategory && coordinate.levels() > kMaxLevels) {
        return absl::InvalidArgumentError(absl::StrCat(what, ": coordinate ", d, " has ", coordinate.levels(),
                                                       " levels, expected at most ", kMaxLevels));
      }
    }
    return absl::OkStatus();
  };
  PLUMB_RETURN_IF_ERROR(mark(integers, Kind::kInteger, "integer_coordinates"));
  PLUMB_RETURN_IF_ERROR(mark(categories, Kind::kCategory, "categorical_coordinates"));
  for (int64_t d = 0; d < space.dimension(); ++d) {
    Coordinate& coordinate = space.coordinates_[d];
    coordinate.feature = space.feature_count_;
    space.feature_count_ += coordinate.kind == Kind::kCategory ? coordinate.levels() : 1;
    if (coordinate.kind != Kind::kReal) space.discrete_.push_back(d);
  }
  return space;
}

int64_t MixedSpace::FeatureOf(int64_t coordinate) const {
  const Coordinate& c = coordinates_[coordinate];
  return c.kind == Kind::kCategory ? -1 : c.feature;
}

double MixedSpace::FeatureAt(int64_t coordinate, double at) const {
  const Coordinate& c = coordinates_[coordinate];
  return (at - c.lower) / (c.upper - c.lower);
}

at::Tensor MixedSpace::FromUnit(const at::Tensor& unit) const {
  at::Tensor points = unit.to(at::kDouble).clone().contiguous();
  double* x = points.mutable_data_ptr<double>();
  for (int64_t i = 0; i < points.numel(); ++i) {
    const Coordinate& c = coordinates_[i % dimension()];
    if (c.kind == Kind::kReal) {
      x[i] = std::clamp(c.lower + x[i] * (c.upper - c.lower), c.lower, c.upper);
    } else {
      x[i] = std::clamp(c.lower + std::floor(x[i] * c.levels()), c.lower, c.upper);
    }
  }
  return points;
}

at::Tensor MixedSpace::Features(const at::Tensor& points) const {
  const at::Tensor rows = points.to(at::kDouble).contiguous();
  const int64_t count = rows.size(0);
  at::Tensor features = at::zeros({count, feature_count_}, at::kDouble);
  const double* x = rows.const_data_ptr<double>();
  double* to = features.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < dimension(); ++d) {
      const Coordinate& c = coordinates_[d];
      const double at = x[i * dimension() + d];
      double* feature = to + i * feature_count_ + c.feature;
      if (c.kind == Kind::kCategory) {
        feature[static_cast<int64_t>(std::round(std::clamp(at, c.lower, c.upper) - c.lower))] = 1;
      } else {
        *feature = (at - c.lower) / (c.upper - c.lower);
      }
    }
  }
  return features;
}

at::Tensor MixedSpace::Points(const at::Tensor& features) const {
  const at::Tensor rows = features.contiguous();
  const int64_t count = rows.size(0);
  at::Tensor points = at::empty({count, dimension()}, at::kDouble);
  const double* from = rows.const_data_ptr<double>();
  double* x = points.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < dimension(); ++d) {
      const Coordinate& c = coordinates_[d];
      const double* feature = from + i * feature_count_ + c.feature;
      double at;
      if (c.kind == Kind::kCategory) {
        at = c.lower + (std::max_element(feature, feature + c.levels()) - feature);
      } else {
        at = c.lower + *feature * (c.upper - c.lower);
        if (c.kind == Kind::kInteger) at = std::round(at);
      }
      x[i * dimension() + d] = std::clamp(at, c.lower, c.upper);
    }
  }
  return points;
}

at::Tensor MixedSpace::Movable() const {
  at::Tensor movable = at::zeros({feature_count_}, at::kDouble);
  for (const Coordinate& c : coordinates_) {
    if (c.kind == Kind::kReal) movable.mutable_data_ptr<double>()[c.feature] = 1;
  }
  return movable;
}

at::Tensor MixedSpace::Neighbours(const at::Tensor& features) const {
  std::vector<at::Tensor> rows;
  const at::Tensor point = Points(features.unsqueeze(0));
  for (const int64_t d : discrete_) {
    const Coordinate& c = coordinates_[d];
    const double now = point.const_data_ptr<double>()[d];
    std::set<double> levels;
    const int64_t steps = c.kind == Kind::kCategory ? c.levels() : std::min<int64_t>(c.levels(), kSpread);
    for (int64_t s = 0; s < steps; ++s) {
      levels.insert(c.lower + std::round(s * (c.upper - c.lower) / (steps - 1)));
    }
    if (c.kind == Kind::kInteger) levels.insert({std::max(now - 1, c.lower), std::min(now + 1, c.upper)});
    levels.erase(now);
    for (const double level : levels) {
      at::Tensor row = features.clone();
      double* feature = row.mutable_data_ptr<double>() + c.feature;
      if (c.kind == Kind::kCategory) {
        std::fill(feature, feature + c.levels(), 0);
        feature[static_cast<int64_t>(level - c.lower)] = 1;
      } else {
        *feature = (level - c.lower) / (c.upper - c.lower);
      }
      rows.push_back(row);
    }
  }
  return at::stack(rows);
}

absl::StatusOr<AcquisitionMaximum> MaximizeMixedAcquisition(const Acquisition& acquisition,
                                                            const MixedSpace& space,
                                                            const AcquisitionSearchOptions& options,
                                                            const RandomStream& stream) {
  const int64_t q = acquisition.group_size(), features = space.feature_count(), size = q * features;
  const int64_t raw_count = options.raw_samples(), dimension = q * space.dimension();
  at::Tensor unit = stream.Child("raw").UniformTensor({raw_count, dimension}, at::kDouble);
  if (dimension <= SobolSequence::kMaxDimension) {
    PLUMB_ASSIGN_OR_RETURN(const SobolSequence sequence,
                           SobolSequence::Scrambled(dimension, stream.Child("raw")));
    unit = sequence.Points(0, raw_count);
  }
  const at::Tensor raw = space.Features(space.FromUnit(unit.reshape({raw_count * q, space.dimension()})))
                             .view({raw_count, size});
  const at::Tensor raw_values = acquisition.Evaluate(raw, /*with_gradients=*/false).values.contiguous();
  const double* numbers = raw_values.const_data_ptr<double>();
  const std::vector<int64_t> chosen =
      BoltzmannSample(std::vector<double>(numbers, numbers + raw_count), options.num_restarts(),
                      options.eta(), stream.Child("restarts"));
  std::vector<at::Tensor> starts;
  for (const int64_t index : chosen) starts.push_back(raw[index]);
  at::Tensor current = at::stack(starts);

  // With no gradient in them, discrete features stay where they are.
  const at::Tensor movable = space.Movable().repeat({q}), zero = at::zeros({size}, at::kDouble),
                   one = at::ones({size}, at::kDouble);
  const Objective negative = [&](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    Evaluation result = acquisition.Evaluate(points, /*with_gradients=*/true);
    return Evaluation{-result.values, -result.gradients * movable};
  };
  LbfgsbOptions lbfgsb = options.lbfgsb();
  if (!lbfgsb.stop().has_max_iterations()) lbfgsb.mutable_stop()->set_max_iterations(2000);
  AcquisitionMaximum best{{}, 0, {}};
  for (int64_t round = 0; round < kMaxRounds; ++round) {
    PLUMB_ASSIGN_OR_RETURN(LbfgsbResult found, MinimizeLbfgsb(negative, current, zero, one, lbfgsb));
    if (found.best < 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("the acquisition has no value at any of ", raw_count, " points"));
    }
    const at::Tensor& points = found.points;
    const double* values = found.values.const_data_ptr<double>();
    best = {points[found.best].reshape({q, features}).clone(), -values[found.best], std::move(found.summary)};
    std::vector<at::Tensor> changed;
    for (int64_t i = 0; i < points.size(0); ++i) {
      if (std::isnan(values[i])) continue;
      std::vector<at::Tensor> groups;
      for (int64_t j = 0; j < q; ++j) {
        const at::Tensor others = space.Neighbours(points[i].narrow(0, j * features, features).contiguous());
        at::Tensor moved = points[i].expand({others.size(0), size}).clone();
        moved.narrow(1, j * features, features).copy_(others);
        groups.push_back(moved);
      }
      const at::Tensor all = at::cat(groups);
      const at::Tensor gains =
          acquisition.Evaluate(all, /*with_gradients=*/false).values.nan_to_num(-INFINITY);
      const int64_t top = gains.argmax().item<int64_t>();
      if (gains[top].item<double>() > -values[i] + kLeastGain) changed.push_back(all[top]);
    }
    // Starts that no change makes better are done; the best of them was kept if it leads.
    if (changed.empty()) break;
    changed.push_back(best.points.view({size}));
    current = at::stack(changed);
  }
  return best;
}

}  // namespace plumb
