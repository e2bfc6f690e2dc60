#include "optim/zeroth_order/generation_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "common/tensor/shape.h"
#include "optim/zeroth_order/consensus.h"
#include "optim/zeroth_order/rank_sgd.h"

namespace plumb {
namespace {

class ConsensusSearch : public GenerationSearch {
 public:
  ConsensusSearch(at::Tensor lower, at::Tensor upper, const ConsensusSearchOptions& options, uint64_t seed)
      : GenerationSearch(std::move(lower), std::move(upper)),
        particles_(options.particles()),
        random_(seed, "consensus_search") {
    options_.alpha = options.alpha();
    options_.lambda = options.lambda();
    options_.sigma = options.sigma();
    options_.dt = options.dt();
    options_.isotropic = options.isotropic();
  }
  std::string name() const override { return "consensus_search"; }

 private:
  absl::StatusOr<at::Tensor> Next(int64_t index, const at::Tensor& points,
                                  const at::Tensor& values) override {
    const RandomStream random = random_.Child(index);
    if (!points.defined() || values.isnan().all().item<bool>()) {
      return FromUnit(random.UniformTensor({particles_, dimension()}, at::kDouble));
    }
    PLUMB_ASSIGN_OR_RETURN(const at::Tensor next, ConsensusStep(points, values, options_, random));
    return next.clamp(lower(), upper());
  }

  const int64_t particles_;
  ConsensusOptions options_;
  RandomStream random_;
};

class RankSearch : public GenerationSearch {
 public:
  RankSearch(at::Tensor lower, at::Tensor upper, RankSgd method)
      : GenerationSearch(std::move(lower), std::move(upper)), method_(std::move(method)) {}
  std::string name() const override { return "rank_search"; }

 private:
  absl::StatusOr<at::Tensor> Next(int64_t index, const at::Tensor& points,
                                  const at::Tensor& values) override {
    // Where nothing can be compared the query is put again.
    if (points.defined() && !values.isnan().all().item<bool>()) {
      const at::Tensor contiguous = values.contiguous();
      const absl::Span<const double> numbers(contiguous.const_data_ptr<double>(), contiguous.numel());
      PLUMB_RETURN_IF_ERROR(method_.Tell(RankingOf(numbers, method_.WantedRanks())));
    }
    return FromUnit(method_.Ask());
  }
  std::map<std::string, at::Tensor> OwnState() const override { return method_.State(); }
  absl::Status LoadOwnState(const std::map<std::string, at::Tensor>& state) override {
    return method_.LoadState(state);
  }

  RankSgd method_;  // in the unit cube
};

}  // namespace

absl::StatusOr<at::Tensor> GenerationSearch::Propose(int64_t count) {
  std::vector<at::Tensor> parts = {at::empty({0, dimension()}, at::kDouble)};
  while (count > 0) {
    if (!generation_.defined() || handed_out_ == generation_.size(0)) {
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor next, Next(generations_, generation_, judgement_));
      generation_ = next.contiguous();
      judgement_ = at::full({generation_.size(0)}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
      ++generations_;
      handed_out_ = 0;
    }
    const int64_t part = std::min(count, generation_.size(0) - handed_out_);
    parts.push_back(generation_.narrow(0, handed_out_, part));
    handed_out_ += part;
    count -= part;
  }
  return at::cat(parts);
}

absl::Status GenerationSearch::Learn(int64_t count) {
  if (!generation_.defined()) return absl::OkStatus();
  const at::Tensor told_points = points().narrow(0, told() - count, count),
                   told_values = values().narrow(0, told() - count, count);
  double* judgement = judgement_.mutable_data_ptr<double>();
  const double* own = generation_.const_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    const double* point = told_points.const_data_ptr<double>() + i * dimension();
    for (int64_t j = 0; j < generation_.size(0); ++j) {
      if (!std::isnan(judgement[j]) || !std::equal(point, point + dimension(), own + j * dimension()))
        continue;
      judgement[j] = told_values.const_data_ptr<double>()[i];
      break;
    }
  }
  return absl::OkStatus();
}

std::map<std::string, at::Tensor> GenerationSearch::MethodState() const {
  std::map<std::string, at::Tensor> state = {
      {"progress", at::tensor({generations_, handed_out_}, at::kLong)}};
  if (!generation_.defined()) return state;
  state["generation"] = generation_;
  state["judgement"] = judgement_;
  for (const auto& [name, tensor] : OwnState()) state["own." + name] = tensor;
  return state;
}

absl::Status GenerationSearch::LoadMethodState(const std::map<std::string, at::Tensor>& state) {
  const auto progress = state.find("progress"), generation = state.find("generation"),
             judgement = state.find("judgement");
  const std::string where = "state of " + name();
  if (progress == state.end()) return absl::InvalidArgumentError(where + ", progress: is not there");
  PLUMB_RETURN_IF_ERROR(CheckShape(where + ", progress", progress->second, {2}));
  PLUMB_RETURN_IF_ERROR(CheckDtype(where + ", progress", progress->second, at::kLong));
  const int64_t generations = progress->second[0].item<int64_t>(),
                handed_out = progress->second[1].item<int64_t>();
  at::Tensor points, values;
  if (generations > 0) {
    if (generation == state.end() || judgement == state.end()) {
      return absl::InvalidArgumentError(where + ": expected generation and judgement");
    }
    points = generation->second.clone();
    values = judgement->second.clone();
    PLUMB_RETURN_IF_ERROR(CheckShape(where + ", generation", points, {kAny, dimension()}));
    PLUMB_RETURN_IF_ERROR(CheckDtype(where + ", generation", points, at::kDouble));
    PLUMB_RETURN_IF_ERROR(CheckShape(where + ", judgement", values, {points.size(0)}));
    PLUMB_RETURN_IF_ERROR(CheckDtype(where + ", judgement", values, at::kDouble));
    if (handed_out < 0 || handed_out > points.size(0)) {
      return absl::InvalidArgumentError(where + ", progress: is beyond the generation");
    }
    std::map<std::string, at::Tensor> own;
    for (const auto& [name, tensor] : state) {
      if (name.rfind("own.", 0) == 0) own[name.substr(4)] = tensor;
    }
    PLUMB_RETURN_IF_ERROR(LoadOwnState(own));
  }
  generations_ = generations;
  handed_out_ = handed_out;
  generation_ = points;
  judgement_ = values;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AskTell>> MakeConsensusSearch(at::Tensor lower, at::Tensor upper,
                                                             const ConsensusSearchOptions& options,
                                                             uint64_t seed) {
  PLUMB_RETURN_IF_ERROR(CheckBox(lower, upper));
  return std::make_unique<ConsensusSearch>(lower, upper, options, seed);
}

absl::StatusOr<std::unique_ptr<AskTell>> MakeRankSearch(at::Tensor lower, at::Tensor upper,
                                                        const RankSearchOptions& options, uint64_t seed) {
  PLUMB_RETURN_IF_ERROR(CheckBox(lower, upper));
  RankSgdOptions rank;
  rank.m = options.m();
  rank.k = options.has_k() ? options.k() : options.m();
  rank.mu = options.mu();
  rank.step_size = options.step_size();
  rank.line_search_points = options.line_search_points();
  rank.line_search_shrink = options.line_search_shrink();
  rank.lower = at::zeros({lower.numel()}, at::kDouble);
  rank.upper = at::ones({lower.numel()}, at::kDouble);
  PLUMB_ASSIGN_OR_RETURN(RankSgd method, RankSgd::Create(at::full({lower.numel()}, 0.5, at::kDouble), rank,
                                                         RandomStream(seed, "rank_search")));
  return std::make_unique<RankSearch>(lower, upper, std::move(method));
}

}  // namespace plumb
