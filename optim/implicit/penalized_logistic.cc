#include "optim/implicit/penalized_logistic.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/kernels/tile_product.h"
#include "common/kernels/vectorized.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

constexpr double kSufficientDecrease = 1e-4;
constexpr int kMostTries = 40;

// Columns are followed by zeros up to whole vectors, and by columns of zeros up to whole tiles.
constexpr int64_t kLanes = 8;
constexpr int64_t kTile = 4;

// dots[r][c] = rows[r] . columns[c], for kTile of both, `size` numbers each, one after the other. A sum for
// each pair, so that none waits for itself.
PLUMB_VECTORIZED void TileOfDots(const double* rows, const double* columns, int64_t size,
                                 double (&dots)[kTile][kTile]) {
  typedef double Lanes __attribute__((vector_size(8 * kLanes), aligned(8), may_alias));
  Lanes sums[kTile][kTile] = {};
  for (int64_t i = 0; i < size; i += kLanes) {
    Lanes factors[kTile];
    for (int64_t c = 0; c < kTile; ++c) factors[c] = *reinterpret_cast<const Lanes*>(columns + c * size + i);
    for (int64_t r = 0; r < kTile; ++r) {
      const Lanes row = *reinterpret_cast<const Lanes*>(rows + r * size + i);
      for (int64_t c = 0; c < kTile; ++c) sums[r][c] += row * factors[c];
    }
  }
  for (int64_t r = 0; r < kTile; ++r) {
    for (int64_t c = 0; c < kTile; ++c) {
      dots[r][c] = 0;
      for (int64_t lane = 0; lane < kLanes; ++lane) dots[r][c] += sums[r][c][lane];
    }
  }
}

PLUMB_VECTORIZED void AddScaled(double* y, const double* x, double scale, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) y[i] += scale * x[i];
}

// f, its gradient and its Hessian at one point after another; columns of y_i x_i are contiguous, so that all
// of it is inner products.
class Objective {
 public:
  Objective(const at::Tensor& inputs, const at::Tensor& labels, const at::Tensor& penalties)
      : rows_(inputs.size(0)),
        size_(inputs.size(1)),
        stride_(RoundUp(rows_, kLanes)),
        columns_(stride_ * RoundUp(size_, kTile)),
        penalties_(penalties.const_data_ptr<double>()),
        margins_(stride_),
        residuals_(stride_),
        curvatures_(stride_) {
    const at::Tensor matrix = inputs.contiguous(), signs = labels.contiguous();
    const double *element = matrix.const_data_ptr<double>(), *sign = signs.const_data_ptr<double>();
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < size_; ++j) columns_[j * stride_ + i] = sign[i] * *element++;
    }
  }

  // f(w), and what the derivatives there are made of.
  double Value(const double* w) {
    std::fill(margins_.begin(), margins_.end(), 0.0);
    double value = 0;
    for (int64_t j = 0; j < size_; ++j) {
      AddScaled(margins_.data(), Column(j), w[j], rows_);
      value += penalties_[j] * w[j] * w[j] / 2;
    }
    double sum = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      const double small = std::exp(-std::abs(margins_[i]));
      sum += std::max(-margins_[i], 0.0) + std::log1p(small);
      residuals_[i] =
          (margins_[i] < 0 ? 1 : small) / (1 + small) / rows_;  // the probability of the wrong label
    }
    return value + sum / rows_;
  }

  // Of the last Value's point, w again; the size of the largest element.
  double Gradient(const double* w, double* gradient) const {
    double largest = 0;
    for (int64_t j = 0; j < size_; ++j) {
      gradient[j] = penalties_[j] * w[j] - Dot(Column(j), residuals_.data(), rows_);
      largest = std::max(largest, std::abs(gradient[j]));
    }
    return largest;
  }
  void Hessian(double* hessian) {
    for (int64_t i = 0; i < rows_; ++i) curvatures_[i] = residuals_[i] * (1 - rows_ * residuals_[i]);
    // Tiles below the diagonal, a row of many with a row of few: threads get the same.
    const int64_t tiles = RoundUp(size_, kTile) / kTile;
    at::parallel_for(0, (tiles + 1) / 2, GrainSize(), [&](int64_t begin, int64_t end) {
      std::vector<double> scaled(kTile * stride_);
      for (int64_t pair = begin; pair < end; ++pair) {
        HessianRows(pair, scaled, hessian);
        if (tiles - 1 - pair != pair) HessianRows(tiles - 1 - pair, scaled, hessian);
      }
    });
  }

 private:
  const double* Column(int64_t j) const { return columns_.data() + j * stride_; }
  // Pairs of rows of tiles that are worth a thread.
  int64_t GrainSize() const { return std::max<int64_t>(1, 200000 / (kTile * size_ * rows_)); }

  // Rows kTile * tile and on, up to the diagonal.
  void HessianRows(int64_t tile, std::vector<double>& scaled, double* hessian) const {
    const int64_t first = tile * kTile;
    for (int64_t r = 0; r < kTile; ++r) {
      const double* column = Column(first + r);
      for (int64_t i = 0; i < rows_; ++i) scaled[r * stride_ + i] = curvatures_[i] * column[i];
    }
    double dots[kTile][kTile];
    for (int64_t left = 0; left <= first; left += kTile) {
      TileOfDots(scaled.data(), Column(left), stride_, dots);
      for (int64_t r = 0; r < std::min(kTile, size_ - first); ++r) {
        double* row = hessian + (first + r) * size_;
        std::copy_n(dots[r], std::min(kTile, first + r - left + 1), row + left);
      }
    }
    for (int64_t j = first; j < std::min(first + kTile, size_); ++j)
      hessian[j * (size_ + 1)] += penalties_[j];
  }

  const int64_t rows_, size_, stride_;
  std::vector<double> columns_;
  const double* const penalties_;
  std::vector<double> margins_, residuals_, curvatures_;
};

absl::Status CheckData(const at::Tensor& inputs, const at::Tensor& labels, const at::Tensor& theta,
                       const at::Tensor& start) {
  PLUMB_RETURN_IF_ERROR(CheckShape("inputs", inputs, {kAny, kAny}));
  PLUMB_RETURN_IF_ERROR(CheckShape("labels", labels, {inputs.size(0)}));
  PLUMB_RETURN_IF_ERROR(CheckShape("theta", theta, {inputs.size(1)}));
  PLUMB_RETURN_IF_ERROR(CheckShape("start", start, {inputs.size(1)}));
  for (const at::Tensor* tensor : {&inputs, &labels, &theta, &start}) {
    PLUMB_RETURN_IF_ERROR(CheckDtype("inputs, labels, theta and start", *tensor, at::kDouble));
  }
  if (inputs.size(0) == 0) return absl::InvalidArgumentError("inputs: no rows");
  if (!(labels.abs() == 1).all().item<bool>()) {
    return absl::InvalidArgumentError("labels: expected 1 or -1 for each row");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PenalizedLogistic> PenalizedLogistic::Fit(const at::Tensor& inputs, const at::Tensor& labels,
                                                         const at::Tensor& theta, double tolerance,
                                                         const StopOptions& stop, const at::Tensor& start) {
  const at::Tensor first = start.defined() ? start : at::zeros_like(theta);
  PLUMB_RETURN_IF_ERROR(CheckData(inputs, labels, theta, first));
  const int64_t size = theta.size(0);
  PenalizedLogistic fit;
  fit.penalties_ = theta.detach().exp().contiguous();
  fit.weights_ = first.detach().clone(at::MemoryFormat::Contiguous);
  Objective objective(inputs.detach(), labels.detach(), fit.penalties_);
  const at::Tensor hessian = at::zeros({size, size}, at::kDouble), gradient = at::zeros({size}, at::kDouble);

  SolverRun run(stop);
  IterationRecord record;
  record.value = objective.Value(fit.weights_.const_data_ptr<double>());
  ++run.calls().values;
  const auto end = [&](Summary summary) {
    summary.value = record.value;
    summary.optimality = record.optimality;
    fit.summary_ = std::move(summary);
    return std::move(fit);
  };
  while (true) {
    record.optimality =
        objective.Gradient(fit.weights_.const_data_ptr<double>(), gradient.mutable_data_ptr<double>());
    objective.Hessian(hessian.mutable_data_ptr<double>());
    ++run.calls().gradients;
    absl::StatusOr<Cholesky> factor = Cholesky::Factor(hessian);
    if (!factor.ok() || !std::isfinite(record.value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs, theta or start: not finite, or too large; f is ", record.value));
    }
    fit.hessian_ = *std::move(factor);
    if (record.optimality <= tolerance) {
      return end(run.End(Termination::kConverged,
                         absl::StrFormat("no element of the gradient is larger than %g", tolerance)));
    }
    if (run.MustStop()) return end(run.End());

    const at::Tensor direction = fit.hessian_.Solve(gradient);
    const double descent = Dot(direction, gradient);
    at::Tensor candidate;
    double value = record.value;
    record.step = 2;
    for (int tries = 0; tries < kMostTries; ++tries) {
      record.step /= 2;
      candidate = fit.weights_ - record.step * direction;
      value = objective.Value(candidate.const_data_ptr<double>());
      ++run.calls().values;
      if (value <= record.value - kSufficientDecrease * record.step * descent) break;
    }
    if (!(value < record.value)) {
      return end(
          run.End(Termination::kStalled, absl::StrFormat("no step lowers the value %.17g", record.value)));
    }
    fit.weights_ = candidate;
    record.value = value;
    run.EndIteration(record);
  }
}

at::Tensor PenalizedLogistic::Vjp(const at::Tensor& cotangent) const {
  return -penalties_ * weights_ * hessian_.Solve(cotangent);
}

at::Tensor PenalizedLogistic::Jvp(const at::Tensor& tangent) const {
  return -hessian_.Solve(penalties_ * weights_ * tangent);
}

}  // namespace plumb
