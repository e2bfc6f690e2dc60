#include "optim/constrained/sketch_and_project.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {

absl::StatusOr<SketchAndProject> SketchAndProject::Create(const at::Tensor& a, const at::Tensor& b,
                                                          Sketch sketch, const RandomStream& random) {
  PLUMB_RETURN_IF_ERROR(CheckShape("b", b, {kAny}));
  const int64_t size = b.numel();
  PLUMB_RETURN_IF_ERROR(CheckShape("A", a, {size, size}));
  const at::Tensor matrix = a.detach().to(at::kDouble).contiguous(),
                   side = b.detach().to(at::kDouble).contiguous();
  std::vector<Row> rows(size);
  for (int64_t i = 0; i < size; ++i) {
    const double* values = matrix.const_data_ptr<double>() + i * size;
    for (int64_t j = 0; j < size; ++j) {
      if (values[j] == 0) continue;
      rows[i].columns.push_back(j);
      rows[i].values.push_back(values[j]);
      rows[i].squared_norm += values[j] * values[j];
    }
    if (!(rows[i].squared_norm > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("A: row ", i, " is zero, or not a number"));
    }
  }
  const double* first = side.const_data_ptr<double>();
  return SketchAndProject(std::move(rows), std::vector<double>(first, first + size), sketch, random);
}

SketchAndProject::SketchAndProject(std::vector<Row> rows, std::vector<double> b, Sketch sketch,
                                   const RandomStream& random)
    : rows_(std::move(rows)), b_(std::move(b)), z_(b_.size()), sketch_(sketch), random_(random) {
  for (const Row& row : rows_) nonzeros_ += row.columns.size();
  for (const double element : b_) residual_ += element * element;
  residual_ = std::sqrt(residual_);
}

double SketchAndProject::Times(const Row& row) const {
  double sum = 0;
  for (size_t k = 0; k < row.columns.size(); ++k) sum += row.values[k] * z_[row.columns[k]];
  return sum;
}

void SketchAndProject::KaczmarzStep() {
  const int64_t i = random_.Below(steps_, rows_.size());
  const Row& row = rows_[i];
  const double step = (b_[i] - Times(row)) / row.squared_norm;
  for (size_t k = 0; k < row.columns.size(); ++k) z_[row.columns[k]] += step * row.values[k];
  flops_ += 4.0 * row.columns.size();
}

void SketchAndProject::GaussianStep() {
  const RandomStream random = random_.Child(static_cast<uint64_t>(steps_));
  std::vector<double> direction(z_.size());  // A'S
  double gap = 0, squared_norm = 0;          // S'(b - A z)
  for (size_t i = 0; i < rows_.size(); ++i) {
    const double s = random.Normal(i);
    for (size_t k = 0; k < rows_[i].columns.size(); ++k) {
      direction[rows_[i].columns[k]] += s * rows_[i].values[k];
    }
    gap += s * b_[i];
  }
  for (size_t j = 0; j < z_.size(); ++j) {
    gap -= direction[j] * z_[j];
    squared_norm += direction[j] * direction[j];
  }
  for (size_t j = 0; j < z_.size(); ++j) z_[j] += gap / squared_norm * direction[j];
  flops_ += 2 * nonzeros_ + 8.0 * z_.size();
}

void SketchAndProject::ComputeResidual() {
  double sum = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const double rest = b_[i] - Times(rows_[i]);
    sum += rest * rest;
  }
  residual_ = std::sqrt(sum);
  flops_ += 2 * nonzeros_;
}

bool SketchAndProject::Solve(double tolerance, int64_t most_steps) {
  const int64_t last = steps_ + most_steps;
  while (residual_ > tolerance && steps_ < last) {
    const int64_t next = std::min<int64_t>(last, steps_ + rows_.size());
    for (; steps_ < next; ++steps_) {
      sketch_ == Sketch::kKaczmarz ? KaczmarzStep() : GaussianStep();
    }
    ComputeResidual();
  }
  return residual_ <= tolerance;
}

}  // namespace plumb
