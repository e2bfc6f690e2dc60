#include "optim/zeroth_order/rank_sgd.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {

std::vector<double> RankWeights(int64_t m, int64_t k) {
  TORCH_CHECK(1 <= k && k <= m && m >= 2, "RankWeights: no (", m, ", ", k, ")-ranking");
  const double edges = 0.5 * k * (k - 1) + k * (m - k);
  std::vector<double> weights(m);
  for (int64_t r = 0; r < m; ++r) weights[r] = (r < k ? 2 * r + 1 - m : k) / edges;
  return weights;
}

at::Tensor RankGradient(const at::Tensor& perturbations, absl::Span<const int64_t> ranking) {
  const int64_t m = perturbations.size(0);
  const std::vector<double> weights = RankWeights(m, ranking.size());
  std::vector<double> by_point(m, weights.back());  // unranked, unless the ranking names it
  for (size_t r = 0; r < ranking.size(); ++r) by_point[ranking[r]] = weights[r];
  at::Tensor gradient = at::zeros({perturbations.size(1)}, perturbations.options());
  for (int64_t i = 0; i < m; ++i) gradient.add_(perturbations[i], by_point[i]);
  return gradient;
}

std::vector<int64_t> RankingOf(absl::Span<const double> values, int64_t k) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    if (std::isnan(values[a]) || std::isnan(values[b]))
      return !std::isnan(values[a]) && std::isnan(values[b]);
    return values[a] < values[b];
  });
  order.resize(std::min<size_t>(order.size(), k));
  return order;
}

absl::StatusOr<RankSgd> RankSgd::Create(const at::Tensor& start, const RankSgdOptions& options,
                                        const RandomStream& random) {
  const auto error = [](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  if (options.m < 2) return error("m ", options.m, ": a ranking needs at least 2 points");
  if (options.k < 1 || options.k > options.m) {
    return error("k ", options.k, ": must be within [1, ", options.m, "], the points of a query");
  }
  if (!(options.mu > 0)) return error("mu ", options.mu, ": must be above 0");
  if (!(options.step_size > 0)) return error("step_size ", options.step_size, ": must be above 0");
  if (options.line_search_points < 0) {
    return error("line_search_points ", options.line_search_points, ": must be at least 0");
  }
  if (!(options.line_search_shrink > 0 && options.line_search_shrink < 1)) {
    return error("line_search_shrink ", options.line_search_shrink, ": must be within (0, 1)");
  }
  return RankSgd(start, options, random);
}

RankSgd::RankSgd(const at::Tensor& start, const RankSgdOptions& options, const RandomStream& random)
    : options_(options), random_(random), x_(start.detach().clone()) {
  TORCH_CHECK(start.dim() == 1, "RankSgd: the start must be a vector");
  AskAround();
}

void RankSgd::AskAround() {
  searching_ = false;
  perturbations_ = random_.Child(rounds_).NormalTensor({options_.m, x_.size(0)}, x_.scalar_type());
  points_ = WithinBox(x_ + options_.mu * perturbations_);
}

at::Tensor RankSgd::WithinBox(const at::Tensor& points) const {
  return options_.lower.defined() ? points.clamp(options_.lower, options_.upper) : points;
}

absl::Status RankSgd::Tell(absl::Span<const int64_t> ranking) {
  if (static_cast<int64_t>(ranking.size()) != WantedRanks()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a ranking of ", ranking.size(), " points: ", WantedRanks(), " were asked for"));
  }
  std::vector<bool> named(points_.size(0));
  for (const int64_t point : ranking) {
    if (point < 0 || point >= points_.size(0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("point ", point, " of a ranking: there are the points 0 to ", points_.size(0) - 1));
    }
    if (named[point]) {
      return absl::InvalidArgumentError(absl::StrCat("point ", point, " comes twice in a ranking"));
    }
    named[point] = true;
  }

  if (!searching_) {
    const at::Tensor gradient = RankGradient(perturbations_, ranking);
    if (options_.line_search_points > 0) {
      std::vector<at::Tensor> candidates = {x_};
      double step = options_.step_size;
      for (int64_t j = 0; j < options_.line_search_points; ++j, step *= options_.line_search_shrink) {
        candidates.push_back(x_ - step * gradient);
      }
      points_ = WithinBox(at::stack(candidates));
      searching_ = true;
      return absl::OkStatus();
    }
    x_ = WithinBox(x_ - options_.step_size * gradient);
  } else {
    x_ = points_[ranking[0]].clone();
  }
  ++rounds_;
  AskAround();
  return absl::OkStatus();
}

std::map<std::string, at::Tensor> RankSgd::State() const {
  return {
      {"x", x_}, {"points", points_}, {"progress", at::tensor({rounds_, int64_t{searching_}}, at::kLong)}};
}

absl::Status RankSgd::LoadState(const std::map<std::string, at::Tensor>& state) {
  const auto x = state.find("x"), points = state.find("points"), progress = state.find("progress");
  if (x == state.end() || points == state.end() || progress == state.end()) {
    return absl::InvalidArgumentError("state of rank_sgd: expected x, points and progress");
  }
  PLUMB_RETURN_IF_ERROR(CheckShape("state of rank_sgd, progress", progress->second, {2}));
  PLUMB_RETURN_IF_ERROR(CheckDtype("state of rank_sgd, progress", progress->second, at::kLong));
  const int64_t rounds = progress->second[0].item<int64_t>();
  const bool searching = progress->second[1].item<bool>();
  const int64_t count = searching ? options_.line_search_points + 1 : options_.m;
  PLUMB_RETURN_IF_ERROR(CheckShape("state of rank_sgd, x", x->second, {x_.size(0)}));
  PLUMB_RETURN_IF_ERROR(CheckDtype("state of rank_sgd, x", x->second, x_.scalar_type()));
  PLUMB_RETURN_IF_ERROR(CheckShape("state of rank_sgd, points", points->second, {count, x_.size(0)}));
  PLUMB_RETURN_IF_ERROR(CheckDtype("state of rank_sgd, points", points->second, x_.scalar_type()));
  x_ = x->second.clone();
  rounds_ = rounds;
  AskAround();
  points_ = points->second.clone();
  searching_ = searching;
  return absl::OkStatus();
}

}  // namespace plumb
