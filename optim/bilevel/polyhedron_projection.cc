#include "optim/bilevel/polyhedron_projection.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {

absl::StatusOr<PolyhedronProjection> PolyhedronProjection::Create(const at::Tensor& a, const at::Tensor& b,
                                                                  int64_t equalities) {
  PLUMB_RETURN_IF_ERROR(CheckShape("polyhedron's matrix", a, {kAny, kAny}));
  PLUMB_RETURN_IF_ERROR(CheckShape("polyhedron's bounds", b, {a.size(0)}));
  if (equalities < 0 || equalities > a.size(0)) {
    return absl::InvalidArgumentError(absl::StrCat(equalities, " equalities of ", a.size(0), " rows"));
  }
  const at::Tensor matrix = a.detach().to(at::kDouble).contiguous(),
                   bounds = b.detach().to(at::kDouble).contiguous();
  PolyhedronProjection result;
  result.columns_ = a.size(1);
  result.equalities_ = equalities;
  result.multipliers_.resize(a.size(0));
  for (int64_t i = 0; i < a.size(0); ++i) {
    Row row;
    row.bound = bounds.const_data_ptr<double>()[i];
    for (int64_t j = 0; j < a.size(1); ++j) {
      const double value = matrix.const_data_ptr<double>()[i * a.size(1) + j];
      if (value == 0) continue;
      row.columns.push_back(j);
      row.values.push_back(value);
      row.squared_norm += value * value;
    }
    if (!(row.squared_norm > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("polyhedron's matrix: row ", i, " is zero"));
    }
    result.rows_.push_back(std::move(row));
  }
  return result;
}

absl::StatusOr<at::Tensor> PolyhedronProjection::Project(const at::Tensor& v, double tolerance,
                                                         int64_t max_sweeps) {
  PLUMB_RETURN_IF_ERROR(CheckShape("point to project", v, {columns_}));
  at::Tensor projected = v.detach().to(at::kDouble).clone();
  double* point = projected.mutable_data_ptr<double>();
  // point = v - A' multipliers throughout.
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (size_t k = 0; k < rows_[i].columns.size(); ++k) {
      point[rows_[i].columns[k]] -= multipliers_[i] * rows_[i].values[k];
    }
  }
  double largest = 0;
  for (sweeps_ = 1; sweeps_ <= max_sweeps; ++sweeps_) {
    largest = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      double excess = -row.bound;
      for (size_t k = 0; k < row.columns.size(); ++k) excess += row.values[k] * point[row.columns[k]];
      double multiplier = multipliers_[i] + excess / row.squared_norm;
      if (static_cast<int64_t>(i) >= equalities_) multiplier = std::max(0.0, multiplier);
      const double change = multiplier - multipliers_[i];
      multipliers_[i] = multiplier;
      for (size_t k = 0; k < row.columns.size(); ++k) point[row.columns[k]] -= change * row.values[k];
      largest = std::max(largest, std::abs(change) * std::sqrt(row.squared_norm));
    }
    if (largest <= tolerance) return projected;
    if (!std::isfinite(largest)) break;
  }
  std::fill(multipliers_.begin(), multipliers_.end(), 0);
  return absl::FailedPreconditionError(absl::StrCat("projection: the last of ", max_sweeps,
                                                    " sweeps still moved the point by ", largest,
                                                    "; the constraints may contradict each other"));
}

}  // namespace plumb
