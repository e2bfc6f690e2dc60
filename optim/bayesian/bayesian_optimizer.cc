#include "optim/bayesian/bayesian_optimizer.h"

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
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/bayesian/augmented_improvement.h"
#include "optim/bayesian/batch_improvement.h"
#include "optim/bayesian/confidence_bound.h"
#include "optim/bayesian/deup.h"
#include "optim/bayesian/expected_improvement.h"
#include "optim/bayesian/fantasy_improvement.h"
#include "optim/bayesian/fit_co_kriging.h"
#include "optim/bayesian/fit_derivatives.h"
#include "optim/bayesian/fit_multi_task.h"
#include "optim/bayesian/knowledge_gradient.h"
#include "optim/bayesian/max_value_entropy.h"
#include "optim/bayesian/maximize_acquisition.h"
#include "optim/bayesian/multi_fidelity.h"
#include "optim/bayesian/multi_fidelity_bound.h"
#include "optim/bayesian/multi_fidelity_entropy.h"
#include "optim/bayesian/normal_distribution.h"
#include "optim/bayesian/predictive_entropy.h"
#include "optim/bayesian/recommend.h"

namespace plumb {
namespace {

// Features of points over which an acquisition looks for the model's minimum: Sobol's, and those observed.
absl::StatusOr<at::Tensor> Candidates(const GaussianProcess& model, const MixedSpace& space, int64_t count,
                                      const RandomStream& stream) {
  PLUMB_ASSIGN_OR_RETURN(const SobolSequence sequence, SobolSequence::Scrambled(space.dimension(), stream));
  return at::cat({model.ValuePoints(), space.Features(space.FromUnit(sequence.Points(0, count)))});
}

// By any of the options that have a fidelity and its cost.
template <typename Options>
FidelityCost CostOf(const Options& options, const MixedSpace& space) {
  return {space.FeatureOf(options.coordinate()), options.fixed_cost(), options.cost_weight()};
}

// Fidelities to choose from, [0, 1]: a hundredth apart, or those that the space has.
std::vector<double> Fidelities(int64_t coordinate, const MixedSpace& space) {
  constexpr int64_t kSteps = 100;
  const int64_t feature = space.FeatureOf(coordinate);
  at::Tensor grid = at::zeros({kSteps + 1, space.feature_count()}, at::kDouble);
  for (int64_t i = 0; i <= kSteps; ++i) grid[i][feature] = static_cast<double>(i) / kSteps;
  const at::Tensor nearest = space.Features(space.Points(grid)).select(1, feature).contiguous();
  std::vector<double> fidelities(nearest.const_data_ptr<double>(),
                                 nearest.const_data_ptr<double>() + nearest.numel());
  fidelities.erase(std::unique(fidelities.begin(), fidelities.end()), fidelities.end());
  return fidelities;
}

// The coordinate of the fidelity, and where the options say it.
struct Fidelity {
  std::string field;
  int64_t coordinate;
};

// None where the acquisition is of one fidelity alone.
std::optional<Fidelity> FidelityOf(const BayesianOptions& options) {
  switch (options.acquisition_case()) {
    case BayesianOptions::kMultiFidelityKnowledgeGradient:
      return Fidelity{"multi_fidelity_knowledge_gradient.coordinate",
                      options.multi_fidelity_knowledge_gradient().coordinate()};
    case BayesianOptions::kAugmentedImprovement:
      return Fidelity{"augmented_improvement.coordinate", options.augmented_improvement().coordinate()};
    case BayesianOptions::kMultiFidelityEntropy:
      return Fidelity{"multi_fidelity_entropy.coordinate", options.multi_fidelity_entropy().coordinate()};
    case BayesianOptions::kMultiFidelityBound:
      return Fidelity{"multi_fidelity_bound.coordinate", options.multi_fidelity_bound().coordinate()};
    default:
      return std::nullopt;
  }
}

constexpr double kMostLevels = 20;

absl::Status CheckCoKriging(const BayesianOptions& options, const at::Tensor& lower,
                            const at::Tensor& upper) {
  if (!options.co_kriging()) return absl::OkStatus();
  const std::optional<Fidelity> fidelity = FidelityOf(options);
  if (!fidelity.has_value()) {
    return absl::InvalidArgumentError(
        "co_kriging: needs an acquisition over fidelities: augmented_improvement, multi_fidelity_bound, "
        "multi_fidelity_entropy or multi_fidelity_knowledge_gradient");
  }
  const auto& integers = options.integer_coordinates();
  if (std::find(integers.begin(), integers.end(), fidelity->coordinate) == integers.end()) {
    return absl::InvalidArgumentError(absl::StrCat("co_kriging: its levels are whole numbers: expected ",
                                                   fidelity->field, ", ", fidelity->coordinate,
                                                   ", among integer_coordinates"));
  }
  const double levels =
      upper[fidelity->coordinate].item<double>() - lower[fidelity->coordinate].item<double>() + 1;
  if (levels > kMostLevels) {
    return absl::InvalidArgumentError(
        absl::StrCat("co_kriging: ", fidelity->field, ", ", fidelity->coordinate, ", has ", levels,
                     " levels, expected at most ", kMostLevels, ": each has a process of its own"));
  }
  if (lower.numel() < 2) {
    return absl::InvalidArgumentError("co_kriging: expected another coordinate beside the fidelity");
  }
  if (options.related_observation_size() > 0) {
    return absl::InvalidArgumentError("co_kriging: not with related_observation; tasks are no fidelities");
  }
  return absl::OkStatus();
}

// The conditions under which f counts, in features; one row without coordinates where it counts as it is.
absl::StatusOr<Environment> EnvironmentOf(const BayesianOptions& options, const MixedSpace& space) {
  Environment environment;
  std::vector<double> rows, probabilities;
  const auto add = [&](const std::string& what, int64_t d) -> absl::Status {
    if (d < 0 || d >= space.dimension() || space.FeatureOf(d) < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": ", d, ", expected 0 to ", space.dimension() - 1, " and no category"));
    }
    environment.coordinates.push_back(space.FeatureOf(d));
    return absl::OkStatus();
  };
  if (const std::optional<Fidelity> fidelity = FidelityOf(options); fidelity.has_value()) {
    PLUMB_RETURN_IF_ERROR(add(fidelity->field, fidelity->coordinate));
    rows = {1};
  }
  if (options.has_environmental_knowledge_gradient()) {
    const EnvironmentalKnowledgeGradientOptions& environmental = options.environmental_knowledge_gradient();
    for (const int64_t d : environmental.coordinate()) {
      PLUMB_RETURN_IF_ERROR(add("environmental_knowledge_gradient.coordinate", d));
    }
    if (environmental.condition_size() == 0 || environmental.coordinate_size() == 0) {
      return absl::InvalidArgumentError(
          "environmental_knowledge_gradient: expected at least one coordinate and one condition");
    }
    double sum = 0;
    for (const auto& condition : environmental.condition()) {
      if (condition.value_size() != environmental.coordinate_size()) {
        return absl::InvalidArgumentError(
            absl::StrCat("environmental_knowledge_gradient.condition ", probabilities.size(), ": ",
                         condition.value_size(), " values, expected ", environmental.coordinate_size()));
      }
      for (int c = 0; c < condition.value_size(); ++c) {
        rows.push_back(space.FeatureAt(environmental.coordinate(c), condition.value(c)));
      }
      probabilities.push_back(condition.probability());
      sum += condition.probability();
    }
    for (double& probability : probabilities) probability /= sum;
  }
  if (probabilities.empty()) probabilities = {1};
  environment.conditions = at::tensor(rows, at::kDouble)
                               .view({static_cast<int64_t>(probabilities.size()),
                                      static_cast<int64_t>(environment.coordinates.size())});
  environment.probabilities = at::tensor(probabilities, at::kDouble);
  return environment;
}

absl::Status CheckRelated(const BayesianOptions& options, int64_t dimension) {
  for (int i = 0; i < options.related_observation_size(); ++i) {
    const RelatedObservation& observation = options.related_observation(i);
    const auto error = [&](const std::string& what) {
      return absl::InvalidArgumentError(absl::StrCat("related_observation ", i, ": ", what));
    };
    if (observation.point_size() != dimension) {
      return error(absl::StrCat("a point of ", observation.point_size(), " numbers, expected ", dimension));
    }
    bool finite = std::isfinite(observation.value());
    for (const double coordinate : observation.point()) finite = finite && std::isfinite(coordinate);
    if (!finite) return error("expected finite numbers");
    if (observation.task() < 1)
      return error(absl::StrCat("task ", observation.task(), ", expected at least 1"));
  }
  if (options.has_deup() && options.related_observation_size() > 0) {
    return absl::InvalidArgumentError("related_observation: not with deup, whose errors are of one task");
  }
  return absl::OkStatus();
}

// The model after `points` turned out as it expects.
absl::StatusOr<std::shared_ptr<const GaussianProcess>> Believing(
    const std::shared_ptr<const GaussianProcess>& model, const at::Tensor& points) {
  if (points.size(0) == 0) return model;
  auto believing = std::make_shared<GaussianProcess>(*model);
  const at::Tensor means = model->Posterior(points.unsqueeze(1), /*with_gradients=*/false).means.select(1, 0);
  PLUMB_RETURN_IF_ERROR(believing->Append(points, means));
  return believing;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BayesianOptimizer>> BayesianOptimizer::Create(at::Tensor lower,
                                                                             at::Tensor upper,
                                                                             const BayesianOptions& options,
                                                                             uint64_t seed) {
  PLUMB_RETURN_IF_ERROR(CheckBox(lower, upper));
  const std::vector<int64_t> integers(options.integer_coordinates().begin(),
                                      options.integer_coordinates().end()),
      categories(options.categorical_coordinates().begin(), options.categorical_coordinates().end());
  PLUMB_ASSIGN_OR_RETURN(MixedSpace space, MixedSpace::Create(lower, upper, integers, categories));
  PLUMB_ASSIGN_OR_RETURN(Environment environment, EnvironmentOf(options, space));
  PLUMB_RETURN_IF_ERROR(CheckRelated(options, lower.numel()));
  PLUMB_RETURN_IF_ERROR(CheckCoKriging(options, lower, upper));
  PLUMB_ASSIGN_OR_RETURN(SobolSequence sequence,
                         SobolSequence::Scrambled(lower.numel(), RandomStream(seed, "bayesian_start")));
  return std::unique_ptr<BayesianOptimizer>(new BayesianOptimizer(
      lower, upper, options, seed, std::move(sequence), std::move(space), std::move(environment)));
}

BayesianOptimizer::BayesianOptimizer(at::Tensor lower, at::Tensor upper, const BayesianOptions& options,
                                     uint64_t seed, SobolSequence sequence, MixedSpace space,
                                     Environment environment)
    : AskTell(std::move(lower), std::move(upper)),
      options_(options),
      stream_(seed, "bayesian_optimizer"),
      sequence_(std::move(sequence)),
      space_(std::move(space)),
      environment_(std::move(environment)) {
  std::vector<double> points, values;
  for (const RelatedObservation& observation : options_.related_observation()) {
    points.insert(points.end(), observation.point().begin(), observation.point().end());
    values.push_back(observation.value());
    related_tasks_.push_back(observation.task());
  }
  related_features_ = space_.Features(at::tensor(points, at::kDouble).view({-1, dimension()}));
  related_values_ = at::tensor(values, at::kDouble);
}

absl::StatusOr<GaussianProcess> BayesianOptimizer::FitModel(const at::Tensor& features,
                                                            const at::Tensor& values,
                                                            const at::Tensor& slopes) const {
  if (options_.co_kriging()) {
    const int64_t coordinate = FidelityOf(options_)->coordinate;
    const double levels = upper()[coordinate].item<double>() - lower()[coordinate].item<double>() + 1;
    PLUMB_ASSIGN_OR_RETURN(CoKrigingFit fit, FitCoKriging(features, values, space_.FeatureOf(coordinate),
                                                          static_cast<int64_t>(levels), options_.model()));
    return std::move(fit.model);
  }
  if (slopes.defined()) {
    std::optional<double> ratio;
    if (options_.has_gradient_noise()) ratio = options_.gradient_noise();
    return FitGaussianProcessWithDerivatives(features, values, slopes, options_.model(), ratio);
  }
  if (related_tasks_.empty()) {
    PLUMB_ASSIGN_OR_RETURN(GaussianProcessFit fit, FitGaussianProcess(features, values, options_.model()));
    return std::move(fit.model);
  }
  std::vector<int64_t> tasks(features.size(0), 0);
  tasks.insert(tasks.end(), related_tasks_.begin(), related_tasks_.end());
  PLUMB_ASSIGN_OR_RETURN(MultiTaskFit fit, FitMultiTask(at::cat({features, related_features_}), tasks,
                                                        at::cat({values, related_values_}), /*target=*/0,
                                                        /*rank=*/0, options_.model()));
  return std::move(fit.model);
}

absl::Status BayesianOptimizer::Fit() {
  if (fitted_ == told() && model_ != nullptr) return absl::OkStatus();
  const at::Tensor features = space_.Features(points()), told_values = values();
  const at::Tensor failed = told_values.isnan();
  if (failed.all().item<bool>()) {
    return absl::FailedPreconditionError("no evaluation that did not fail was told yet");
  }
  const double worst = told_values.nan_to_num(-std::numeric_limits<double>::infinity()).max().item<double>();
  PLUMB_ASSIGN_OR_RETURN(GaussianProcess model,
                         FitModel(features, told_values.masked_fill(failed, worst), Slopes()));
  std::vector<std::shared_ptr<const GaussianProcess>> constraint_models;
  const at::Tensor told_constraints = constraints();
  for (int64_t c = 0; c < told_constraints.size(1); ++c) {
    // What failed may have no constraints either.
    std::vector<at::Tensor> rows, numbers;
    for (int64_t i = 0; i < told(); ++i) {
      if (!std::isfinite(told_constraints[i][c].item<double>())) continue;
      rows.push_back(features.narrow(0, i, 1));
      numbers.push_back(told_constraints[i].narrow(0, c, 1));
    }
    if (rows.empty()) continue;
    PLUMB_ASSIGN_OR_RETURN(GaussianProcessFit constraint,
                           FitGaussianProcess(at::cat(rows), at::cat(numbers), options_.model()));
    constraint_models.push_back(std::make_shared<GaussianProcess>(std::move(constraint.model)));
  }
  model_ = std::make_shared<GaussianProcess>(std::move(model));
  constraint_models_ = std::move(constraint_models);
  fitted_ = told();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const GaussianProcess>> BayesianOptimizer::Model() {
  PLUMB_RETURN_IF_ERROR(Fit());
  return model_;
}

at::Tensor BayesianOptimizer::Slopes() const {
  if (!has_gradients() || !related_tasks_.empty() || options_.has_deup() || options_.co_kriging()) return {};
  // A coordinate's feature is the coordinate in units of the box, and a category has no derivative.
  const at::Tensor told_gradients = gradients() * (upper() - lower());
  at::Tensor slopes =
      at::full({told(), space_.feature_count()}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  for (int64_t d = 0; d < dimension(); ++d) {
    if (space_.FeatureOf(d) >= 0) slopes.select(1, space_.FeatureOf(d)).copy_(told_gradients.select(1, d));
  }
  return slopes.isnan().all().item<bool>() ? at::Tensor() : slopes;
}

double BayesianOptimizer::Incumbent() const {
  if (best() >= 0) return best_value();
  return values().nan_to_num(std::numeric_limits<double>::infinity()).min().item<double>();
}

absl::StatusOr<std::unique_ptr<Acquisition>> BayesianOptimizer::MakeAcquisition(const at::Tensor& pending,
                                                                                int64_t group,
                                                                                const RandomStream& stream) {
  if (!constraint_models_.empty()) {
    PLUMB_ASSIGN_OR_RETURN(const auto model, Believing(model_, pending));
    std::vector<std::shared_ptr<const GaussianProcess>> constraint_models;
    for (const auto& constraint : constraint_models_) {
      PLUMB_ASSIGN_OR_RETURN(auto believing, Believing(constraint, pending));
      constraint_models.push_back(std::move(believing));
    }
    return std::make_unique<MomentAcquisition>(
        LogConstrainedExpectedImprovement(model, constraint_models, best_value()));
  }
  if (options_.acquisition_case() == BayesianOptions::kNoisyExpectedImprovement) {
    PLUMB_ASSIGN_OR_RETURN(
        FantasyImprovement noisy,
        FantasyImprovement::Noisy(*model_, pending, options_.noisy_expected_improvement().samples(), stream));
    return std::make_unique<FantasyImprovement>(std::move(noisy));
  }
  const LogExpectedImprovementOptions& log_improvement = options_.log_expected_improvement();
  const bool by_log = options_.acquisition_case() == BayesianOptions::kLogExpectedImprovement ||
                      options_.acquisition_case() == BayesianOptions::ACQUISITION_NOT_SET;
  const bool by_samples = by_log && !options_.has_deup();
  if (by_samples && group > 1) {
    const at::Tensor normals = NormalSamples(log_improvement.samples(), group + pending.size(0), stream);
    return std::make_unique<BatchImprovement>(model_, Incumbent(), normals, pending,
                                              BatchImprovement::Options());
  }
  if (by_samples && pending.size(0) > 0) {
    PLUMB_ASSIGN_OR_RETURN(
        FantasyImprovement fantasies,
        FantasyImprovement::Pending(*model_, Incumbent(), pending, log_improvement.samples(), stream));
    return std::make_unique<FantasyImprovement>(std::move(fantasies));
  }
  PLUMB_ASSIGN_OR_RETURN(const auto model, Believing(model_, pending));
  MomentFunction function;
  switch (options_.acquisition_case()) {
    case BayesianOptions::kExpectedImprovement:
      function = ExpectedImprovement(Incumbent());
      break;
    case BayesianOptions::kProbabilityOfImprovement:
      function = LogProbabilityOfImprovement(Incumbent());
      break;
    case BayesianOptions::kLowerConfidenceBound:
      function = LowerConfidenceBound(options_.lower_confidence_bound().beta());
      break;
    case BayesianOptions::kMaxValueEntropy: {
      const MaxValueEntropyOptions& entropy = options_.max_value_entropy();
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor candidates,
                             Candidates(*model, space_, entropy.candidates(), stream.Child("candidates")));
      function = MaxValueEntropy(SampleMinima(*model, candidates, entropy.minima(), stream.Child("minima")));
      break;
    }
    case BayesianOptions::kKnowledgeGradient: {
      PLUMB_ASSIGN_OR_RETURN(
          const at::Tensor candidates,
          Candidates(*model, space_, options_.knowledge_gradient().candidates(), stream.Child("candidates")));
      return std::make_unique<KnowledgeGradient>(model, candidates);
    }
    case BayesianOptions::kPredictiveEntropy: {
      const PredictiveEntropyOptions& entropy = options_.predictive_entropy();
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor candidates,
                             Candidates(*model, space_, entropy.candidates(), stream.Child("candidates")));
      PLUMB_ASSIGN_OR_RETURN(
          const at::Tensor minimisers,
          SampleMinimisers(*model, candidates, entropy.minimisers(), stream.Child("minimisers")));
      return std::make_unique<PredictiveEntropy>(model, Incumbent(), minimisers);
    }
    case BayesianOptions::kAugmentedImprovement: {
      const AugmentedImprovementOptions& fidelity = options_.augmented_improvement();
      const FidelityCost cost = CostOf(fidelity, space_);
      return std::make_unique<PerCost>(std::make_unique<AugmentedImprovement>(
                                           model, EffectiveBest(*model, cost.coordinate), cost.coordinate),
                                       cost);
    }
    case BayesianOptions::kMultiFidelityBound: {
      const MultiFidelityBoundOptions& fidelity = options_.multi_fidelity_bound();
      return std::make_unique<MultiFidelityBound>(model, fidelity.beta(), CostOf(fidelity, space_),
                                                  Fidelities(fidelity.coordinate(), space_));
    }
    case BayesianOptions::kMultiFidelityEntropy: {
      const MultiFidelityEntropyOptions& fidelity = options_.multi_fidelity_entropy();
      const FidelityCost cost = CostOf(fidelity, space_);
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor candidates,
                             Candidates(*model, space_, fidelity.candidates(), stream.Child("candidates")));
      std::vector<double> minima = SampleMinima(*model, AtHighestFidelity(candidates, cost.coordinate),
                                                fidelity.minima(), stream.Child("minima"));
      return std::make_unique<PerCost>(
          std::make_unique<MultiFidelityEntropy>(model, std::move(minima), cost.coordinate), cost);
    }
    case BayesianOptions::kMultiFidelityKnowledgeGradient: {
      const MultiFidelityKnowledgeGradientOptions& fidelity = options_.multi_fidelity_knowledge_gradient();
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor candidates,
                             Candidates(*model, space_, fidelity.candidates(), stream.Child("candidates")));
      return MultiFidelityKnowledgeGradient(model, candidates, CostOf(fidelity, space_));
    }
    case BayesianOptions::kEnvironmentalKnowledgeGradient: {
      const int64_t count = options_.environmental_knowledge_gradient().candidates();
      PLUMB_ASSIGN_OR_RETURN(const at::Tensor candidates,
                             Candidates(*model, space_, count, stream.Child("candidates")));
      return EnvironmentalKnowledgeGradient(model, candidates, environment_);
    }
    default:
      function = LogExpectedImprovement(Incumbent());
  }
  if (options_.has_deup() && model->size() > 1) {
    PLUMB_ASSIGN_OR_RETURN(Deup deup, Deup::Fit(model, options_.deup().error_model()));
    return std::make_unique<DeupAcquisition>(std::move(deup), function);
  }
  return std::make_unique<MomentAcquisition>(model, function);
}

absl::StatusOr<at::Tensor> BayesianOptimizer::Maximize(const Acquisition& acquisition,
                                                       const RandomStream& stream) const {
  absl::StatusOr<AcquisitionMaximum> found =
      space_.continuous()
          ? MaximizeAcquisition(acquisition, at::zeros({dimension()}, at::kDouble),
                                at::ones({dimension()}, at::kDouble), options_.search(), stream)
          : MaximizeMixedAcquisition(acquisition, space_, options_.search(), stream);
  PLUMB_RETURN_IF_ERROR(found.status());
  return space_.Points(acquisition.Chosen(found->points));
}

absl::StatusOr<at::Tensor> BayesianOptimizer::Recommend() {
  PLUMB_RETURN_IF_ERROR(Fit());
  const at::Tensor overrides = environment_.Under(
      at::full({1, space_.feature_count()}, std::numeric_limits<double>::quiet_NaN(), at::kDouble))[0];
  const NegativePosteriorMean mean(model_, overrides, environment_.probabilities);
  PLUMB_ASSIGN_OR_RETURN(at::Tensor point, Maximize(mean, stream_.Child("recommend")));
  if (environment_.coordinates.empty()) return point[0];
  const at::Tensor features = space_.Features(point);
  return space_.Points(environment_.Under(features).select(1, 0))[0];
}

absl::StatusOr<at::Tensor> BayesianOptimizer::Propose(int64_t count) {
  const int64_t initial =
      options_.has_initial_points() ? options_.initial_points() : std::max<int64_t>(5, 2 * dimension());
  at::Tensor chosen = at::empty({0, dimension()}, at::kDouble);
  const at::Tensor on_their_way = pending();
  const bool blind = values().isnan().all().item<bool>();
  while (chosen.size(0) < count) {
    const int64_t index = asked() + chosen.size(0);
    if (blind || told() + on_their_way.size(0) + chosen.size(0) < initial) {
      chosen = at::cat({chosen, space_.FromUnit(sequence_.Points(index, 1))});
      continue;
    }
    PLUMB_RETURN_IF_ERROR(Fit());
    const RandomStream stream = stream_.Child(index);
    const bool joint =
        options_.log_expected_improvement().joint() && constraint_models_.empty() && !options_.has_deup();
    const int64_t group = joint ? count - chosen.size(0) : 1;
    PLUMB_ASSIGN_OR_RETURN(
        const std::unique_ptr<Acquisition> acquisition,
        MakeAcquisition(space_.Features(at::cat({on_their_way, chosen})), group, stream.Child("samples")));
    PLUMB_ASSIGN_OR_RETURN(const at::Tensor points, Maximize(*acquisition, stream));
    chosen = at::cat({chosen, points});
  }
  return chosen;
}

}  // namespace plumb
