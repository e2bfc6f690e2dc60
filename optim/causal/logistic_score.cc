#include "optim/causal/logistic_score.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/cholesky.h"

namespace plumb {
namespace {

constexpr int kNewtonSteps = 50;

class LogisticScore : public NodeScore {
 public:
  LogisticScore(at::Tensor data, double l2, EdgeMask mask)
      : data_(std::move(data)), columns_(data_.t().contiguous()), l2_(l2), mask_(std::move(mask)) {}

  int64_t nodes() const override { return data_.size(1); }

  std::vector<double> Losses(absl::Span<const int64_t> order, int64_t first, int64_t last) override {
    std::vector<double> losses;
    for (int64_t position = first; position < last; ++position) {
      losses.push_back(Regress(Parents(mask_, order, position), order[position]).second);
    }
    return losses;
  }

  at::Tensor Weights(absl::Span<const int64_t> order) override {
    const at::Tensor weights = at::zeros({nodes(), nodes()}, at::kDouble);
    for (int64_t position = 1; position < nodes(); ++position) {
      const std::vector<int64_t> parents = Parents(mask_, order, position);
      const at::Tensor found = Regress(parents, order[position]).first;
      for (size_t k = 0; k < parents.size(); ++k) weights[parents[k]][order[position]] = found[k];
    }
    return weights;
  }

  at::Tensor Gradient(const at::Tensor& weights) override {
    const at::Tensor residual = at::sigmoid(at::mm(data_, weights)) - data_;
    return at::mm(data_.t(), residual) / data_.size(0) + l2_ * weights;
  }

 private:
  // The weights of a node's parents, and the loss that they leave: damped Newton steps.
  std::pair<at::Tensor, double> Regress(const std::vector<int64_t>& parents, int64_t node) const {
    const at::NoGradGuard no_grad;
    const at::Tensor x = columns_.index_select(0, at::tensor(parents, at::kLong)), y = columns_[node];
    const double count = y.numel();
    const auto loss = [&](const at::Tensor& w) {
      const at::Tensor logits = at::mv(x.t(), w);
      return ((at::softplus(logits) - y * logits).sum() / count + l2_ / 2 * w.square().sum()).item<double>();
    };
    at::Tensor w = at::zeros({x.size(0)}, at::kDouble);
    double value = loss(w);
    for (int step = 0; step < kNewtonSteps && !parents.empty(); ++step) {
      const at::Tensor p = at::sigmoid(at::mv(x.t(), w));
      const at::Tensor gradient = at::mv(x, p - y) / count + l2_ * w;
      const at::Tensor hessian =
          at::mm(x * (p * (1 - p)), x.t()) / count + l2_ * at::eye(x.size(0), at::kDouble);
      const auto factor = Cholesky::Factor(hessian, JitterOptions{1e-12});
      TORCH_CHECK(factor.ok(), factor.status().message());
      const at::Tensor direction = factor->Solve(gradient);
      const double slope = (gradient * direction).sum().item<double>();
      double length = 1, next = loss(w - direction);
      while (!(next <= value - 1e-4 * length * slope) && length > 1e-8) {
        length /= 2;
        next = loss(w - length * direction);
      }
      if (!(next < value)) break;
      w = w - length * direction;
      value = next;
      if (slope < 1e-16) break;
    }
    return {w, value};
  }

  const at::Tensor data_, columns_;  // [n, D], [D, n]
  const double l2_;
  const EdgeMask mask_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NodeScore>> MakeLogisticScore(const at::Tensor& data, double l2,
                                                             const EdgeMask& mask) {
  PLUMB_RETURN_IF_ERROR(CheckShape("data", data, {kAny, kAny}));
  PLUMB_RETURN_IF_ERROR(CheckEdgeMask(mask, data.size(1)));
  if (!(l2 > 0)) return absl::InvalidArgumentError(absl::StrCat("l2 ", l2, ": must be above 0"));
  const at::Tensor values = data.detach().to(at::kDouble).contiguous();
  if (!((values == 0) | (values == 1)).all().item<bool>()) {
    return absl::InvalidArgumentError("data: expected zeros and ones");
  }
  return std::make_unique<LogisticScore>(values.clone(), l2, mask);
}

}  // namespace plumb
