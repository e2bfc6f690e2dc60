#include "optim/implicit/penalized_logistic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/kernels/vectorized.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

constexpr double kSufficientDecrease = 1e-4;
constexpr int kMostTries = 40;

// x . columns[c] for kTogether columns of `size` numbers one after the other, so that no sum waits for
// itself.
constexpr int64_t kTogether = 4;
PLUMB_VECTORIZED void Dots(const double* x, const double* columns, int64_t size, double* dots) {
  constexpr int64_t kLanes = 8;
  typedef double Lanes __attribute__((vector_size(8 * kLanes), aligned(8), may_alias));
  Lanes sums[kTogether] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const Lanes factor = *reinterpret_cast<const Lanes*>(x + i);
    for (int64_t c = 0; c < kTogether; ++c) {
      sums[c] += factor * *reinterpret_cast<const Lanes*>(columns + c * size + i);
    }
  }
  for (int64_t c = 0; c < kTogether; ++c) {
    dots[c] = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) dots[c] += sums[c][lane];
    for (int64_t j = i; j < size; ++j) dots[c] += x[j] * columns[c * size + j];
  }
}

// f, its gradient and its Hessian at one point after another; columns of y_i x_i are contiguous, so that all
// of it is inner products.
class Objective {
 public:
  Objective(const at::Tensor& inputs, const at::Tensor& labels, const at::Tensor& penalties)
      : rows_(inputs.size(0)),
        size_(inputs.size(1)),
        columns_(rows_ * size_),
        penalties_(penalties.const_data_ptr<double>()),
        margins_(rows_),
        residuals_(rows_),
        scaled_(rows_) {
    const at::Tensor matrix = inputs.contiguous(), signs = labels.contiguous();
    const double *element = matrix.const_data_ptr<double>(), *sign = signs.const_data_ptr<double>();
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < size_; ++j) columns_[j * rows_ + i] = sign[i] * *element++;
    }
  }

  // f(w), and what the derivatives there are made of.
  double Value(const double* w) {
    std::fill(margins_.begin(), margins_.end(), 0.0);
    double value = 0;
    for (int64_t j = 0; j < size_; ++j) {
      const double* column = Column(j);
      for (int64_t i = 0; i < rows_; ++i) margins_[i] += w[j] * column[i];
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
    for (int64_t j = 0; j < size_; ++j) {
      const double* column = Column(j);
      for (int64_t i = 0; i < rows_; ++i) {
        scaled_[i] = residuals_[i] * (1 - rows_ * residuals_[i]) * column[i];
      }
      double* row = hessian + j * size_;
      int64_t k = 0;
      for (; k + kTogether <= j + 1; k += kTogether) Dots(scaled_.data(), Column(k), rows_, row + k);
      for (; k <= j; ++k) row[k] = Dot(scaled_.data(), Column(k), rows_);
      hessian[j * (size_ + 1)] += penalties_[j];
    }
  }

 private:
  const double* Column(int64_t j) const { return columns_.data() + j * rows_; }

  const int64_t rows_, size_;
  std::vector<double> columns_;
  const double* const penalties_;
  std::vector<double> margins_, residuals_, scaled_;
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
