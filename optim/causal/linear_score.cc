#include "optim/causal/linear_score.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diagonal.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/cholesky.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

class LinearScore : public NodeScore {
 public:
  LinearScore(at::Tensor moments, EdgeMask mask)
      : size_(moments.size(0)),
        tensor_(std::move(moments)),
        moments_(tensor_.const_data_ptr<double>()),
        mask_(std::move(mask)),
        factor_(size_ * size_) {}

  int64_t nodes() const override { return size_; }

  std::vector<double> Losses(absl::Span<const int64_t> order, int64_t first, int64_t last) override {
    std::vector<double> losses;
    if (mask_.forbidden.defined()) {
      for (int64_t position = first; position < last; ++position) {
        losses.push_back(Regress(Parents(mask_, order, position), order[position]).second);
      }
      return losses;
    }
    Factor(order.subspan(0, last));
    for (int64_t i = first; i < last; ++i) losses.push_back(Row(i)[i] * Row(i)[i] / 2);
    return losses;
  }

  at::Tensor Weights(absl::Span<const int64_t> order) override {
    const at::Tensor weights = at::zeros({size_, size_}, at::kDouble);
    auto element = weights.accessor<double, 2>();
    if (!mask_.forbidden.defined()) {
      Factor(order);
      for (int64_t position = 1; position < size_; ++position) {
        // L' w = the node's row of the factor, L that of its predecessors.
        std::vector<double> found(Row(position), Row(position) + position);
        for (int64_t k = position - 1; k >= 0; --k) {
          found[k] /= Row(k)[k];
          for (int64_t j = 0; j < k; ++j) found[j] -= found[k] * Row(k)[j];
          element[order[k]][order[position]] = found[k];
        }
      }
      return weights;
    }
    for (int64_t position = 1; position < size_; ++position) {
      const std::vector<int64_t> parents = Parents(mask_, order, position);
      if (parents.empty()) continue;
      const at::Tensor found = Regress(parents, order[position]).first;
      for (size_t k = 0; k < parents.size(); ++k) {
        element[parents[k]][order[position]] = found.const_data_ptr<double>()[k];
      }
    }
    return weights;
  }

  at::Tensor Gradient(const at::Tensor& weights) override { return at::mm(tensor_, weights) - tensor_; }

 private:
  double* Row(int64_t i) { return factor_.data() + i * size_; }

  // The factor in this order; rows of the last one that still belong to it stay as they are.
  void Factor(absl::Span<const int64_t> order) {
    const int64_t last = order.size();
    int64_t known = 0;
    while (known < std::min<int64_t>(last, factored_.size()) && factored_[known] == order[known]) ++known;
    factored_.assign(order.begin(), order.end());
    for (int64_t i = known; i < last; ++i) {
      double* row = Row(i);
      const double* from = moments_ + order[i] * size_;
      for (int64_t j = 0; j < i; ++j) row[j] = (from[order[j]] - Dot(row, Row(j), j)) / Row(j)[j];
      row[i] = std::sqrt(std::max(from[order[i]] - Dot(row, row, i), 1e-300));
    }
  }

  // The weights of a node's parents, and the loss that they leave.
  std::pair<at::Tensor, double> Regress(const std::vector<int64_t>& parents, int64_t node) const {
    const int64_t count = parents.size();
    const double variance = moments_[node * size_ + node];
    if (count == 0) return {at::Tensor(), variance / 2};
    const at::Tensor matrix = at::empty({count, count}, at::kDouble), side = at::empty({count}, at::kDouble);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        matrix.mutable_data_ptr<double>()[i * count + j] = moments_[parents[i] * size_ + parents[j]];
      }
      side.mutable_data_ptr<double>()[i] = moments_[parents[i] * size_ + node];
    }
    const auto factor = Cholesky::Factor(matrix, JitterOptions{1e-12});
    TORCH_CHECK(factor.ok(), factor.status().message());  // MakeLinearScore factored the whole
    const at::Tensor weights = factor->Solve(side);
    return {weights, (variance - Dot(side, weights)) / 2};
  }

  const int64_t size_;
  const at::Tensor tensor_;
  const double* const moments_;
  const EdgeMask mask_;
  std::vector<double> factor_;  // rows of the factor in the order of factored_
  std::vector<int64_t> factored_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NodeScore>> MakeLinearScore(const at::Tensor& second_moments,
                                                           const EdgeMask& mask) {
  PLUMB_RETURN_IF_ERROR(CheckShape("second moments", second_moments,
                                   {kAny, second_moments.dim() > 0 ? second_moments.size(0) : 0}));
  PLUMB_RETURN_IF_ERROR(CheckEdgeMask(mask, second_moments.size(0)));
  const absl::StatusOr<Cholesky> factor = Cholesky::Factor(second_moments);
  if (!factor.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("second moments: ", factor.status().message(),
                     "; a variable is a sum of others, or there are fewer samples than variables"));
  }
  return std::make_unique<LinearScore>(second_moments.detach().to(at::kDouble).contiguous().clone(), mask);
}

at::Tensor SecondMoments(const at::Tensor& data) {
  const at::Tensor centred = data.to(at::kDouble) - data.to(at::kDouble).mean(0);
  return at::mm(centred.t(), centred) / data.size(0);
}

at::Tensor StandardizedMoments(const at::Tensor& second_moments) {
  const at::Tensor scale = second_moments.diagonal().rsqrt();
  return second_moments * at::outer(scale, scale);
}

}  // namespace plumb
