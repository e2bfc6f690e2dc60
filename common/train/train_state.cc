#include "common/train/train_state.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

using nlohmann::json;

double ToDouble(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::map<std::string, double> ToMetrics(const json& object) {
  std::map<std::string, double> metrics;
  for (const auto& [name, value] : object.items()) metrics[name] = ToDouble(value);
  return metrics;
}

TrainState FromJson(const json& object) {
  TrainState state;
  object.at("step").get_to(state.step);
  object.at("epoch").get_to(state.epoch);
  object.at("max_steps").get_to(state.max_steps);
  object.at("example_count").get_to(state.example_count);
  object.at("num_tokens").get_to(state.num_tokens);
  object.at("threads").get_to(state.threads);
  object.at("finished").get_to(state.finished);
  object.at("stopped_early").get_to(state.stopped_early);
  object.at("best_step").get_to(state.best_step);
  state.best_metric = ToDouble(object.at("best_metric"));
  object.at("evaluations_without_gain").get_to(state.evaluations_without_gain);
  object.at("metrics_position").get_to(state.metrics_position);
  for (const auto& [name, sum] : object.at("window").items()) {
    state.window.Add(name, ToDouble(sum.at(0)), ToDouble(sum.at(1)));
  }
  state.first_evaluation = ToMetrics(object.at("first_evaluation"));
  state.last_evaluation = ToMetrics(object.at("last_evaluation"));
  return state;
}

}  // namespace

std::string TrainStateToJson(const TrainState& state) {
  json window = json::object();
  for (const auto& [name, sum] : state.window.sums()) window[name] = {sum.first, sum.second};
  const json object = {{"step", state.step},
                       {"epoch", state.epoch},
                       {"max_steps", state.max_steps},
                       {"example_count", state.example_count},
                       {"num_tokens", state.num_tokens},
                       {"threads", state.threads},
                       {"finished", state.finished},
                       {"stopped_early", state.stopped_early},
                       {"best_step", state.best_step},
                       {"best_metric", state.best_metric},
                       {"evaluations_without_gain", state.evaluations_without_gain},
                       {"metrics_position", state.metrics_position},
                       {"window", std::move(window)},
                       {"first_evaluation", state.first_evaluation},
                       {"last_evaluation", state.last_evaluation}};
  return absl::StrCat(object.dump(1), "\n");
}

absl::StatusOr<TrainState> TrainStateFromJson(const std::string& text) {
  try {
    return FromJson(json::parse(text));
  } catch (const json::exception& error) {
    return absl::DataLossError(absl::StrCat("no train state: ", error.what()));
  }
}

}  // namespace plumb
