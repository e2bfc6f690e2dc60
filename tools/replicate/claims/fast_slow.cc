// Qi et al. 2024: two modules of different speeds that chase each other, and modules of several domains
// combined.

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "alignment/cross_domain.h"
#include "alignment/fast_slow_task.h"
#include "common/config/recipe.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr char kDpo[] = "dpo { beta: 0.1 }";
constexpr double kAlpha = 0.1, kBeta = 0.1, kLearningRate = 0.05, kSlowRatio = 0.1;
constexpr int64_t kSwapSteps = 10;

// Who labels: the two gold rewards in this direction.
RewardWeights Direction(double degrees) {
  const double angle = degrees * M_PI / 180;
  return {std::cos(angle), std::sin(angle)};
}

double Reward(const PreferenceWorld& world, const at::Tensor& policy, const RewardWeights& weights) {
  const PolicyFigures figures = world.Measure(policy);
  return weights.first * figures.reward + weights.other * figures.other_reward;
}

absl::StatusOr<Objective> MakeDpo() {
  ObjectiveConfig config;
  PLUMB_RETURN_IF_ERROR(ParseRecipe(kDpo, "objective", /*overrides=*/{}, &config));
  return Objective::Create(config);
}

struct Modules {
  at::Tensor fast, slow;
};

// OFS-DPO on whole batches, from where the modules are.
absl::Status Chase(const PreferenceWorld& world, const PreferencePairs& pairs, int64_t steps,
                   Modules* modules) {
  PLUMB_ASSIGN_OR_RETURN(const Objective dpo, MakeDpo());
  at::Tensor fast = modules->fast.clone().set_requires_grad(true);
  at::Tensor slow = modules->slow.clone().set_requires_grad(true);
  OptimizerConfig config;
  config.mutable_adamw()->set_learning_rate(kLearningRate);
  PLUMB_ASSIGN_OR_RETURN(
      const std::unique_ptr<Optimizer> optimizer,
      MakeFastSlowOptimizer(config, kSlowRatio, {{"policy", fast}, {"slow.policy", slow}}));
  double fast_losses = 0, slow_losses = 0;
  for (int64_t step = 1; step <= steps; ++step) {
    const PreferenceLogps of_fast = world.Logps(fast, world.reference(), pairs);
    const PreferenceLogps of_slow = world.Logps(slow, world.reference(), pairs);
    const at::Tensor fast_loss = dpo.Compute(of_fast).loss.mean();
    const at::Tensor slow_loss = dpo.Compute(of_slow).loss.mean();
    const at::Tensor fast_margins = AnswerMargins(of_fast), slow_margins = AnswerMargins(of_slow);
    (fast_loss + kAlpha * FastSlowGap(fast_margins, slow_margins.detach(), kBeta).mean() + slow_loss -
     kAlpha * FastSlowGap(fast_margins.detach(), slow_margins, kBeta).mean())
        .backward();
    optimizer->Step(kLearningRate);
    const at::NoGradGuard no_grad;
    fast.mutable_grad().zero_();
    slow.mutable_grad().zero_();
    fast_losses += fast_loss.item<double>();
    slow_losses += slow_loss.item<double>();
    if (step % kSwapSteps != 0) continue;
    if (slow_losses < fast_losses) {
      const at::Tensor overtaken = fast.clone();
      fast.copy_(slow);
      slow.copy_(overtaken);
    }
    fast_losses = slow_losses = 0;
  }
  *modules = {fast.detach(), slow.detach()};
  return absl::OkStatus();
}

// One stream whose labels turn from the first gold reward to the second, on the policy's own answers.
absl::StatusOr<Comparison> RunStream(uint64_t seed) {
  constexpr int64_t kRounds = 8, kPairs = 66, kSteps = 25;
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "ofs-dpo");
  Modules modules = {world.reference(), world.reference()};
  at::Tensor policy = world.reference();
  Comparison comparison;
  for (int64_t i = 0; i < kRounds; ++i) {
    const RewardWeights labels = Direction(90.0 * static_cast<double>(i) / (kRounds - 1));
    PLUMB_RETURN_IF_ERROR(
        Chase(world, world.SamplePairs(modules.fast, kPairs, random.Child(i), labels), kSteps, &modules));
    PLUMB_ASSIGN_OR_RETURN(
        const auto policies,
        world.Train(kDpo, policy, world.reference(),
                    world.SamplePairs(policy, kPairs, random.Child(i), labels), {kSteps, kLearningRate}));
    policy = policies.back();
    comparison.method += Reward(world, modules.fast, labels) / kRounds;
    comparison.baseline += Reward(world, policy, labels) / kRounds;
  }
  return comparison;
}

// The first of the pairs.
PreferencePairs Memory(const PreferencePairs& pairs, int64_t count) {
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i) places.push_back(i);
  PreferencePairs memory;
  memory.chosen = Select(pairs.chosen, places);
  memory.rejected = Select(pairs.rejected, places);
  return memory;
}

// Three domains one after the other, of other labellers each.
absl::StatusOr<Comparison> RunDomains(uint64_t seed) {
  constexpr int64_t kPairs = 252, kMemory = 32, kSteps = 200, kGridSteps = 4;
  const std::vector<RewardWeights> domains = {Direction(0), Direction(60), Direction(120)};
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "cofs-dpo");
  PLUMB_ASSIGN_OR_RETURN(const Objective dpo, MakeDpo());
  at::Tensor combined = world.reference().clone(), sequential = world.reference();
  const std::vector<NamedParameter> parameters = {{"policy", combined}};
  CrossDomainModules modules;
  std::vector<PreferencePairs> memory;
  for (size_t i = 0; i < domains.size(); ++i) {
    const PreferencePairs pairs = world.SamplePairs(world.reference(), kPairs, random.Child(i), domains[i]);
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train(kDpo, sequential, world.reference(), pairs, {kSteps, kLearningRate}));
    sequential = policies.back();

    modules.StartDomain(parameters);
    Modules domain = {combined, combined};
    PLUMB_RETURN_IF_ERROR(Chase(world, pairs, kSteps, &domain));
    combined.copy_(domain.fast);
    memory.push_back(Memory(pairs, kMemory));
    const auto memory_loss = [&]() -> absl::StatusOr<double> {
      double loss = 0;
      for (const PreferencePairs& own : memory) {
        loss += dpo.Compute(world.Logps(combined, world.reference(), own)).loss.mean().item<double>();
      }
      return loss;
    };
    PLUMB_RETURN_IF_ERROR(modules.EndDomain(kGridSteps, memory_loss, parameters).status());
  }
  Comparison comparison;
  for (const RewardWeights& weights : domains) {
    comparison.method += Reward(world, combined, weights) / static_cast<double>(domains.size());
    comparison.baseline += Reward(world, sequential, weights) / static_cast<double>(domains.size());
  }
  return comparison;
}

constexpr char kPaper[] =
    "Qi et al. 2024, Online DPO: Online Direct Preference Optimization with Fast-Slow Chasing (arXiv "
    "2406.05534)";

const bool kStreamRegistered = RegisterClaim(
    {"ofs_dpo", kPaper, "OFS-DPO exceeds online DPO without the slow module on a stream that drifts.",
     "OFS-DPO (beta 0.1, alpha 0.1, rates 0.05 and 0.005)", "online DPO (beta 0.1, rate 0.05)",
     "expected gold reward by a round's own labels after it, mean over 8 rounds of 66 pairs and 25 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the labels turn from one gold reward to another that is independent of it. 25 steps on new pairs do "
     "not "
     "bring margins to where DPO's gradient vanishes, which is what the gap is there against, and each "
     "learns "
     "from its own answers, which scatters the difference. The method computes twice as much, and a larger "
     "KL "
     "divergence is not held against it. Form of the regulariser from another's program; alpha, the ratio of "
     "the rates and the steps between exchanges are ours, set beforehand. Bigram policies, whole tables for "
     "adapters.",
     RunStream});

const bool kDomainsRegistered = RegisterClaim(
    {"cofs_dpo", kPaper,
     "COFS-DPO, which combines the domains' fast modules, exceeds DPO from one domain to the next over all "
     "domains seen.",
     "COFS-DPO (beta 0.1, alpha 0.1, memory of 32 pairs a domain)", "sequential DPO (beta 0.1)",
     "expected gold reward by the labels of three domains, mean, after the last of 252 pairs and 200 steps "
     "each",
     /*lower_is_better=*/false, /*seeds=*/10,
     "domains are labellers at 0, 60 and 120 degrees between two gold rewards, on answers of one kind. The "
     "baseline keeps no pairs of the domains before, and its reference is the same; the combination sees 32 "
     "of each again, and is not compared with the plain mean of the modules. How it is found is ours. Bigram "
     "policies, whole tables for adapters.",
     RunDomains});

}  // namespace
}  // namespace plumb
