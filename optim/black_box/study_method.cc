#include "optim/black_box/study_method.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "common/status/status_macros.h"
#include "optim/bayesian/bayesian_optimizer.h"
#include "optim/zeroth_order/generation_search.h"

namespace plumb {
namespace {

at::Tensor Row(absl::Span<const double> numbers) {
  return at::tensor(at::ArrayRef<double>(numbers.data(), numbers.size()), at::kDouble).unsqueeze(0);
}

}  // namespace

absl::StatusOr<StudySearch> StudySearch::Create(const StudyMethod& method, const SearchSpace& space,
                                                uint64_t seed) {
  const int64_t dimension = space.dimension();
  const at::Tensor lower = at::zeros({dimension}, at::kDouble), upper = at::ones({dimension}, at::kDouble);
  std::vector<int64_t> levels(dimension);
  std::unique_ptr<AskTell> made;
  switch (method.kind_case()) {
    case StudyMethod::kRandomSearch: {
      PLUMB_ASSIGN_OR_RETURN(made, MakeRandomSearch(lower, upper, seed));
      break;
    }
    case StudyMethod::kBayesian: {
      BayesianOptions options = method.bayesian();
      for (int64_t i = 0; i < dimension; ++i) {
        levels[i] = space.levels(i);
        if (levels[i] < 2) continue;
        upper[i] = levels[i] - 1;
        space.is_category(i) ? options.add_categorical_coordinates(i) : options.add_integer_coordinates(i);
      }
      PLUMB_ASSIGN_OR_RETURN(made, BayesianOptimizer::Create(lower, upper, options, seed));
      break;
    }
    case StudyMethod::kConsensus: {
      PLUMB_ASSIGN_OR_RETURN(made, MakeConsensusSearch(lower, upper, method.consensus(), seed));
      break;
    }
    case StudyMethod::kRank: {
      PLUMB_ASSIGN_OR_RETURN(made, MakeRankSearch(lower, upper, method.rank(), seed));
      break;
    }
    case StudyMethod::kSobolSearch:
    case StudyMethod::KIND_NOT_SET: {
      PLUMB_ASSIGN_OR_RETURN(made, MakeSobolSearch(lower, upper, seed));
      break;
    }
  }
  return StudySearch(std::move(made), std::move(levels));
}

std::vector<double> StudySearch::ToUnit(const at::Tensor& point) const {
  const at::Tensor contiguous = point.contiguous();
  std::vector<double> unit(contiguous.const_data_ptr<double>(),
                           contiguous.const_data_ptr<double>() + contiguous.numel());
  for (size_t i = 0; i < unit.size(); ++i) {
    if (levels_[i] >= 2) unit[i] = (unit[i] + 0.5) / static_cast<double>(levels_[i]);
  }
  return unit;
}

double StudySearch::FromUnit(int64_t coordinate, double unit) const {
  const auto levels = static_cast<double>(levels_[coordinate]);
  return levels < 2 ? unit : std::clamp(std::floor(unit * levels), 0.0, levels - 1);
}

absl::StatusOr<std::vector<double>> StudySearch::Next() {
  if (method_->pending().size(0) == 0) PLUMB_RETURN_IF_ERROR(method_->Ask(1).status());
  return ToUnit(method_->pending()[0]);
}

absl::Status StudySearch::Tell(absl::Span<const double> point, double value,
                               absl::Span<const double> constraints, absl::Span<const double> slopes) {
  std::vector<double> own(point.begin(), point.end()), own_slopes(slopes.begin(), slopes.end());
  for (size_t i = 0; i < own.size(); ++i) own[i] = FromUnit(i, point[i]);
  for (size_t i = 0; i < own_slopes.size(); ++i) {
    if (levels_[i] >= 2) own_slopes[i] /= static_cast<double>(levels_[i]);
  }
  return method_->Tell(Row(own), at::tensor({value}, at::kDouble),
                       constraints.empty() ? at::Tensor() : Row(constraints),
                       own_slopes.empty() ? at::Tensor() : Row(own_slopes));
}

absl::StatusOr<std::vector<double>> StudySearch::Recommend() {
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor point, method_->Recommend());
  return ToUnit(point);
}

}  // namespace plumb
