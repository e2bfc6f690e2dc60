#include "tools/replicate/sweep.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/eval/scaling_law.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/report/report.h"
#include "common/statistics/student.h"
#include "common/status/status_macros.h"
#include "tools/replicate/data_budget.h"
#include "tools/replicate/preference_world.h"
#include "tools/replicate/two_objectives.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const Interval& interval) { return {interval.mean, interval.low, interval.high}; }

std::string Text(const Interval& interval) {
  return absl::StrFormat("%.4g [%.4g, %.4g]", interval.mean, interval.low, interval.high);
}

absl::Status CheckNotStopped() {
  return InterruptRequested() ? absl::CancelledError("stopped; nothing is written") : absl::OkStatus();
}

// Lines of a mean and its interval's ends.
struct Band {
  explicit Band(const std::string& name)
      : mean{name, {}, true}, low{name + ", low", {}, true}, high{name + ", high", {}, true} {}
  void Add(double x, const Interval& interval) {
    mean.points.emplace_back(x, interval.mean);
    low.points.emplace_back(x, interval.low);
    high.points.emplace_back(x, interval.high);
  }
  Plot::Series mean, low, high;
};

struct Method {
  const char* name;
  const char* field;  // of the objective
  const char* more;   // beside beta
};
constexpr Method kMethods[] = {{"DPO", "dpo", ""}, {"IPO", "ipo", " log_ratios: SUM"}, {"SLiC", "hinge", ""}};

// What one objective reaches.
class KlBudgetOfMethod {
 public:
  KlBudgetOfMethod(const KlBudgetOptions& options, const Method& method)
      : options_(options), method_(method), of_seed_(options.seeds) {}

  absl::Status Run(Sweep* sweep) {
    Plot plot = {absl::StrCat(method_.name, ": reward by KL budget"),
                 "d = sqrt(KL), nats^0.5",
                 "gold reward above the reference's",
                 {{"within and after training", {}, false}}};
    Band band("after training, by beta");
    for (const double beta : options_.betas) {
      std::vector<double> kls, rewards;
      for (int64_t seed = 0; seed < options_.seeds; ++seed) {
        PLUMB_RETURN_IF_ERROR(CheckNotStopped());
        PLUMB_RETURN_IF_ERROR(TrainAt(beta, seed));
        kls.push_back(of_seed_[seed].back().kl);
        rewards.push_back(of_seed_[seed].back().reward);
      }
      const Interval kl = MeanInterval(kls), reward = MeanInterval(rewards);
      band.Add(std::sqrt(kl.mean), reward);
      absl::StrAppend(
          &sweep->rows,
          Json{{"objective", method_.name}, {"beta", beta}, {"kl", ToJson(kl)}, {"reward", ToJson(reward)}}
              .dump(),
          "\n");
    }
    for (const auto& points : of_seed_) {
      for (const ScalingPoint& point : points) {
        plot.series[0].points.emplace_back(std::sqrt(point.kl), point.reward);
      }
    }
    PLUMB_ASSIGN_OR_RETURN(const Plot::Series fit, Fit(sweep));
    for (const Plot::Series& series : {fit, band.mean, band.low, band.high}) plot.series.push_back(series);
    sweep->plots.push_back(std::move(plot));
    return absl::OkStatus();
  }

 private:
  // Adds the points of one training: four within it, the last at its end.
  absl::Status TrainAt(double beta, int64_t seed) {
    PreferenceWorldOptions world_options;
    world_options.pairs = options_.pairs;
    const PreferenceWorld world(seed + 1, world_options);
    const std::string objective = absl::StrCat(method_.field, " { beta: ", beta, method_.more, " }");
    PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train(objective, {options_.steps}));
    const double start = world.Measure(world.reference()).reward;
    for (const int64_t part : {8, 4, 2, 1}) {
      const PolicyFigures figures = world.Measure(policies[options_.steps / part]);
      of_seed_[seed].push_back({figures.kl, figures.reward - start});
    }
    return absl::OkStatus();
  }

  // The law of the mean parameters; their intervals become facts.
  absl::StatusOr<Plot::Series> Fit(Sweep* sweep) const {
    std::vector<double> alphas, betas;
    double largest = 0;
    for (const auto& points : of_seed_) {
      PLUMB_ASSIGN_OR_RETURN(const ScalingLaw law, FitScalingLaw(points));
      alphas.push_back(law.alpha.mean);
      betas.push_back(law.beta.mean);
      for (const ScalingPoint& point : points) largest = std::max(largest, std::sqrt(point.kl));
    }
    ScalingLaw law;
    law.alpha = MeanInterval(alphas);
    law.beta = MeanInterval(betas);
    sweep->facts.emplace_back(absl::StrCat(method_.name, ": alpha"), Text(law.alpha));
    sweep->facts.emplace_back(absl::StrCat(method_.name, ": beta"), Text(law.beta));
    sweep->facts.emplace_back(absl::StrCat(method_.name, ": best KL of the mean law, nats"),
                              absl::StrFormat("%.4g", law.BestKl()));
    Plot::Series fit = {"d (alpha - beta log d)", {}, true};
    for (int i = 0; i <= 50; ++i) {
      const double d = largest * i / 50;
      fit.points.emplace_back(d, law.Reward(d * d));
    }
    return fit;
  }

  const KlBudgetOptions& options_;
  const Method& method_;
  std::vector<std::vector<ScalingPoint>> of_seed_;
};

}  // namespace

absl::StatusOr<Sweep> SweepKlBudget(const KlBudgetOptions& options) {
  Sweep sweep;
  sweep.facts = {
      {"name", "Scaling laws of direct alignment"},
      {"description",
       absl::StrFormat(
           "Gold reward by the KL divergence from the reference, %d pairs, %d steps, %d seeds "
           "(Rafailov et al. 2024, arXiv 2406.02900). Intervals: 95 %%, Student's t over seeds; the "
           "law is fitted to each seed by itself. Bigram policies in a world whose reward is known.",
           options.pairs, options.steps, options.seeds)}};
  for (const Method& method : kMethods) {
    PLUMB_RETURN_IF_ERROR(KlBudgetOfMethod(options, method).Run(&sweep));
  }
  return sweep;
}

absl::StatusOr<Sweep> SweepDataBudget(const DataBudgetOptions& options) {
  Sweep sweep;
  sweep.facts = {
      {"name", "Demonstrations or preference pairs"},
      {"description",
       absl::StrFormat("Gold reward after SFT on a share of the annotations and DPO on the others, %d steps "
                       "together, %d seeds (Raghavendra et al. 2025, arXiv 2502.11284). Intervals: 95 %%, "
                       "Student's t over seeds. Bigram policies in a world whose reward is known.",
                       options.steps, options.seeds)}};
  for (const int64_t budget : options.budgets) {
    Band band("mean");
    double best_share = 0, best_reward = -INFINITY;
    for (const double share : options.shares) {
      const auto demonstrations = static_cast<int64_t>(std::lround(share * static_cast<double>(budget)));
      std::vector<double> rewards;
      for (int64_t seed = 1; seed <= options.seeds; ++seed) {
        PLUMB_RETURN_IF_ERROR(CheckNotStopped());
        const PreferenceWorld world(seed, {});
        PLUMB_ASSIGN_OR_RETURN(const at::Tensor policy,
                               SpendBudget(world, {demonstrations, budget - demonstrations, options.steps},
                                           RandomStream(seed, "data budget")));
        rewards.push_back(world.Measure(policy).reward);
      }
      const Interval reward = MeanInterval(rewards);
      band.Add(share, reward);
      if (reward.mean > best_reward) best_reward = reward.mean, best_share = share;
      absl::StrAppend(
          &sweep.rows,
          Json{{"budget", budget}, {"demonstrations", demonstrations}, {"reward", ToJson(reward)}}.dump(),
          "\n");
    }
    sweep.plots.push_back({absl::StrCat(budget, " annotations"),
                           "share of demonstrations",
                           "expected gold reward",
                           {band.mean, band.low, band.high}});
    sweep.facts.emplace_back(absl::StrCat("best share of ", budget, " annotations"),
                             absl::StrFormat("%g (reward %.4g)", best_share, best_reward));
  }
  return sweep;
}

absl::StatusOr<Sweep> SweepPareto(const ParetoOptions& options) {
  // Of MODPO, then of weighted DPO: for each weight both rewards of each seed.
  std::vector<std::vector<double>> first[2], other[2];
  for (int method = 0; method < 2; ++method)
    first[method].resize(options.weights), other[method].resize(options.weights);
  for (int64_t seed = 1; seed <= options.seeds; ++seed) {
    const PreferenceWorld world(seed, {});
    const TwoObjectives data(world, options.pairs, seed);
    PLUMB_ASSIGN_OR_RETURN(const PreferencePairs with_margin, WithMargin(world, data, options.beta));
    for (int64_t share = 1; share <= options.weights; ++share) {
      PLUMB_RETURN_IF_ERROR(CheckNotStopped());
      const WeightShare weight = {share, options.weights};
      PLUMB_ASSIGN_OR_RETURN(const auto modpo, TrainModpo(world, with_margin, options.beta, weight));
      PLUMB_ASSIGN_OR_RETURN(const auto weighted, TrainWeightedDpo(world, data, options.beta, weight));
      for (int method = 0; method < 2; ++method) {
        const auto at_kl = [&](double PolicyFigures::*figure) {
          return world.Where(method == 0 ? modpo : weighted, &PolicyFigures::kl, options.kl, figure);
        };
        first[method][share - 1].push_back(at_kl(&PolicyFigures::reward));
        other[method][share - 1].push_back(at_kl(&PolicyFigures::other_reward));
      }
    }
  }
  Sweep sweep;
  sweep.facts = {
      {"name", "Two objectives by their weights"},
      {"description",
       absl::StrFormat(
           "Gold rewards of two objectives at a KL divergence of %g nats, %d seeds (Zhou et al. 2023, "
           "arXiv 2310.03708). Intervals: 95 %%, Student's t over seeds. Bigram policies in a world "
           "whose rewards are known.",
           options.kl, options.seeds)}};
  Plot plot = {"The Pareto front", "first gold reward", "second gold reward", {}};
  for (int method = 0; method < 2; ++method) {
    const char* name = method == 0 ? "MODPO" : "DPO on weighted losses";
    Plot::Series front = {name, {}, true}, points = {absl::StrCat(name, ", by weight"), {}, false};
    for (int64_t share = 1; share <= options.weights; ++share) {
      const Interval x = MeanInterval(first[method][share - 1]), y = MeanInterval(other[method][share - 1]);
      front.points.emplace_back(x.mean, y.mean);
      points.points.emplace_back(x.mean, y.mean);
      absl::StrAppend(&sweep.rows,
                      Json{{"method", name},
                           {"weight", static_cast<double>(share) / static_cast<double>(options.weights)},
                           {"reward", ToJson(x)},
                           {"other_reward", ToJson(y)}}
                          .dump(),
                      "\n");
    }
    plot.series.push_back(std::move(front));
    plot.series.push_back(std::move(points));
  }
  sweep.plots.push_back(std::move(plot));
  return sweep;
}

absl::Status WriteSweep(const Sweep& sweep, const std::string& folder) {
  PLUMB_RETURN_IF_ERROR(MakeFolders(folder));
  PLUMB_RETURN_IF_ERROR(WriteFileAtomically(folder + "/sweep.jsonl", sweep.rows));
  PLUMB_RETURN_IF_ERROR(WriteFacts(folder, sweep.facts));
  PLUMB_RETURN_IF_ERROR(WritePlots(folder, sweep.plots));
  return WriteReport(folder);
}

}  // namespace plumb
