#include "common/report/plot.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const Plot& plot) {
  Json series = Json::array();
  for (const Plot::Series& one : plot.series) {
    Json points = Json::array();
    for (const auto& [x, y] : one.points) {
      if (std::isfinite(x) && std::isfinite(y)) points.push_back({x, y});
    }
    series.push_back({{"name", one.name}, {"line", one.is_line}, {"points", points}});
  }
  return {{"title", plot.title}, {"x", plot.x}, {"y", plot.y}, {"series", series}};
}

// False where the object has another form.
bool FromJson(const Json& json, Plot* plot) {
  try {
    plot->title = json.at("title").get<std::string>();
    plot->x = json.at("x").get<std::string>();
    plot->y = json.at("y").get<std::string>();
    for (const Json& one : json.at("series")) {
      plot->series.push_back({one.at("name").get<std::string>(),
                              one.at("points").get<std::vector<std::pair<double, double>>>(),
                              one.at("line").get<bool>()});
    }
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

absl::StatusOr<std::vector<Plot>> ReadPlots(const std::string& run_folder) {
  std::vector<Plot> plots;
  const std::string path = run_folder + "/plots.jsonl";
  if (!FileExists(path)) return plots;
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    plots.emplace_back();
    if (!FromJson(Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false),
                  &plots.back())) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", plots.size(), ": not a plot"));
    }
  }
  return plots;
}

absl::Status WritePlots(const std::string& run_folder, const std::vector<Plot>& plots) {
  std::string text;
  for (const Plot& plot : plots) absl::StrAppend(&text, Dump(ToJson(plot)), "\n");
  return WriteFileAtomically(run_folder + "/plots.jsonl", text);
}

std::string PlotsAsJson(const std::vector<Plot>& plots) {
  Json array = Json::array();
  for (const Plot& plot : plots) array.push_back(ToJson(plot));
  return Dump(array);
}

}  // namespace plumb
