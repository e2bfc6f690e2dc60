#include "common/report/run_folder.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/report/tensorboard.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

double Now() {
  timeval now;
  gettimeofday(&now, nullptr);
  return now.tv_sec + 1e-6 * now.tv_usec;
}

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// The objects of a file of JSON lines. A last line without an end is one that a kill cut off.
absl::StatusOr<std::vector<Json>> ReadLines(const std::string& path) {
  std::vector<Json> objects;
  if (!FileExists(path)) return objects;
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  lines.pop_back();
  for (size_t i = 0; i < lines.size(); ++i) {
    Json object = Json::parse(lines[i].begin(), lines[i].end(), nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", i + 1, ": not a JSON object"));
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

std::string StringOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

double NumberOf(const Json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

absl::StatusOr<std::vector<MetricsRow>> ReadMetrics(const std::string& run_folder) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<Json> objects, ReadLines(run_folder + "/metrics.jsonl"));
  std::vector<MetricsRow> rows;
  for (const Json& object : objects) {
    MetricsRow row;
    row.stage = StringOf(object, "stage");
    for (const auto& [name, value] : object.items()) {
      if (name == "step" && value.is_number()) {
        row.step = value.get<int64_t>();
      } else if (name == "time") {
        row.time = NumberOf(value);
      } else if (name != "stage") {
        row.values[name] = NumberOf(value);
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<std::vector<Sample>> ReadSamples(const std::string& run_folder) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<Json> objects, ReadLines(run_folder + "/samples.jsonl"));
  std::vector<Sample> samples;
  for (const Json& object : objects) {
    samples.push_back({StringOf(object, "stage"), StringOf(object, "when"), StringOf(object, "prompt"),
                       StringOf(object, "completion")});
  }
  return samples;
}

absl::StatusOr<Facts> ReadFacts(const std::string& run_folder) {
  Facts facts;
  const std::string path = run_folder + "/facts.json";
  if (!FileExists(path)) return facts;
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) facts.emplace_back(name, value.get<std::string>());
  }
  return facts;
}

absl::Status WriteFacts(const std::string& run_folder, const Facts& facts) {
  Json object = Json::object();
  for (const auto& [name, value] : facts) object[name] = value;
  return WriteFileAtomically(run_folder + "/facts.json",
                             absl::StrCat(object.dump(2, ' ', false, Json::error_handler_t::replace), "\n"));
}

absl::Status WriteSamples(const std::string& run_folder, const std::string& stage, const std::string& when,
                          const std::vector<Sample>& samples) {
  PLUMB_ASSIGN_OR_RETURN(std::vector<Sample> all, ReadSamples(run_folder));
  std::string text;
  const auto append = [&](const Sample& sample, const std::string& of_stage, const std::string& of_time) {
    absl::StrAppend(&text,
                    Dump(Json{{"stage", of_stage},
                              {"when", of_time},
                              {"prompt", sample.prompt},
                              {"completion", sample.completion}}),
                    "\n");
  };
  for (const Sample& old : all) {
    if (old.stage != stage || old.when != when) append(old, old.stage, old.when);
  }
  for (const Sample& sample : samples) append(sample, stage, when);
  return WriteFileAtomically(run_folder + "/samples.jsonl", text);
}

absl::StatusOr<std::unique_ptr<StageMetrics>> StageMetrics::Open(const std::string& run_folder,
                                                                 const std::string& stage) {
  PLUMB_RETURN_IF_ERROR(MakeFolders(absl::StrCat(run_folder, "/tensorboard/", stage)));
  std::unique_ptr<StageMetrics> metrics(new StageMetrics(run_folder, stage));
  PLUMB_RETURN_IF_ERROR(metrics->RestartEventFile());
  return metrics;
}

absl::Status StageMetrics::Write(int64_t step, const std::map<std::string, double>& values) {
  const double now = Now();
  Json object = {{"stage", stage_}, {"step", step}, {"time", now}};
  for (const auto& [name, value] : values) {
    object[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  }
  PLUMB_RETURN_IF_ERROR(AppendToFile(run_folder_ + "/metrics.jsonl", Dump(object) + "\n"));
  return AppendToFile(event_file_, ScalarEventRecord(now, step, values));
}

absl::StatusOr<int64_t> StageMetrics::Position() {
  const std::string path = run_folder_ + "/metrics.jsonl";
  PLUMB_RETURN_IF_ERROR(AppendToFile(path, "", /*sync=*/true));
  std::error_code error;
  return static_cast<int64_t>(std::filesystem::file_size(path, error));
}

absl::Status StageMetrics::Rewind(int64_t position) {
  const std::string path = run_folder_ + "/metrics.jsonl";
  std::string text;
  if (FileExists(path)) {
    PLUMB_ASSIGN_OR_RETURN(text, ReadFile(path));
  }
  if (position < 0 || position > static_cast<int64_t>(text.size())) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", text.size(),
                                                      " bytes, but the checkpoint was taken at byte ",
                                                      position, "; was the file cut or replaced?"));
  }
  PLUMB_RETURN_IF_ERROR(WriteFileAtomically(path, text.substr(0, position)));
  return RestartEventFile();
}

absl::Status StageMetrics::RestartEventFile() {
  const std::string folder = absl::StrCat(run_folder_, "/tensorboard/", stage_);
  PLUMB_ASSIGN_OR_RETURN(const std::vector<MetricsRow> rows, ReadMetrics(run_folder_));
  const double now = Now();
  std::string events = FileVersionRecord(now);
  for (const MetricsRow& row : rows) {
    if (row.stage == stage_) absl::StrAppend(&events, ScalarEventRecord(row.time, row.step, row.values));
  }
  if (const auto old = ExpandGlob(folder + "/events.out.tfevents.*"); old.ok()) {
    for (const std::string& file : *old) PLUMB_RETURN_IF_ERROR(RemoveFolder(file));
  }
  event_file_ =
      absl::StrCat(folder, "/events.out.tfevents.", static_cast<int64_t>(now), ".plumb.", getpid(), ".0");
  return WriteFileAtomically(event_file_, events);
}

}  // namespace plumb
