#include "optim/black_box/journal.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

std::string Line(int64_t number, const JournalEntry& entry) {
  Json object;
  object["evaluation"] = number;
  object["point"] = entry.point;
  object["parameters"] = Json::parse(entry.parameters);
  object["value"] = std::isnan(entry.value) ? Json() : Json(entry.value);
  if (!entry.failure.empty()) object["failure"] = entry.failure;
  if (!entry.constraints.empty()) {
    object["constraints"] = entry.constraints;  // NaN is written as null
  }
  if (!entry.gradient.empty()) object["gradient"] = entry.gradient;
  object["seconds"] = entry.seconds;
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What is wrong with a line; empty when nothing is.
std::string Parse(const std::string& line, int64_t number, int64_t dimension, int64_t constraints,
                  JournalEntry* entry) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return "is no JSON object";
  const auto number_at = [&](const char* name, double* value) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number()) return false;
    *value = found->get<double>();
    return std::isfinite(*value);
  };
  double evaluation = 0;
  if (!number_at("evaluation", &evaluation)) return "has no number 'evaluation'";
  if (evaluation != number) {
    return absl::StrCat("is evaluation ", evaluation, ", expected ", number);
  }
  const auto point = object.find("point");
  if (point == object.end() || !point->is_array()) return "has no list 'point'";
  if (static_cast<int64_t>(point->size()) != dimension) {
    return absl::StrCat("has a point of ", point->size(), " numbers, expected ", dimension);
  }
  for (const Json& coordinate : *point) {
    if (!coordinate.is_number() || !(coordinate.get<double>() >= 0 && coordinate.get<double>() <= 1)) {
      return "has a point outside the unit cube";
    }
    entry->point.push_back(coordinate.get<double>());
  }
  const auto parameters = object.find("parameters");
  if (parameters == object.end() || !parameters->is_object()) return "has no object 'parameters'";
  entry->parameters = parameters->dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto value = object.find("value");
  if (value != object.end() && value->is_null()) {
    entry->value = std::numeric_limits<double>::quiet_NaN();
  } else if (!number_at("value", &entry->value)) {
    return "has no number 'value'";
  }
  if (!number_at("seconds", &entry->seconds)) return "has no number 'seconds'";
  if (const auto found = object.find("constraints"); found != object.end()) {
    if (!found->is_array()) return "has 'constraints' that are no list";
    for (const Json& constraint : *found) {
      if (!constraint.is_number() && !constraint.is_null()) return "has a constraint that is no number";
      entry->constraints.push_back(constraint.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                                        : constraint.get<double>());
    }
  }
  if (static_cast<int64_t>(entry->constraints.size()) != constraints) {
    return absl::StrCat("has ", entry->constraints.size(), " constraints, expected ", constraints);
  }
  if (const auto found = object.find("gradient"); found != object.end()) {
    if (!found->is_object()) return "has a 'gradient' that is no object";
    for (const auto& [name, derivative] : found->items()) {
      if (!derivative.is_number()) return "has a derivative that is no number";
      entry->gradient[name] = derivative.get<double>();
    }
  }
  if (const auto failure = object.find("failure"); failure != object.end()) {
    if (!failure->is_string()) return "has a 'failure' that is no text";
    entry->failure = failure->get<std::string>();
  }
  return "";
}

}  // namespace

absl::StatusOr<Journal> ReadJournal(const std::string& path, int64_t dimension, int64_t constraints) {
  Journal journal;
  if (!FileExists(path)) return journal;
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) {
      journal.cut_off = true;
      break;
    }
    const int64_t number = journal.entries.size();
    JournalEntry entry;
    const std::string problem = Parse(text.substr(at, end - at), number, dimension, constraints, &entry);
    if (!problem.empty()) {
      return absl::DataLossError(
          absl::StrCat(path, ":", number + 1, ": the line ", problem,
                       "; the journal is damaged here: repair the line, remove it and all after it, or "
                       "start afresh with --resume=never"));
    }
    journal.entries.push_back(std::move(entry));
    at = end + 1;
  }
  return journal;
}

absl::Status AppendToJournal(const std::string& path, int64_t number, const JournalEntry& entry) {
  return AppendToFile(path, Line(number, entry), /*sync=*/true);
}

absl::Status WriteJournal(const std::string& path, const std::vector<JournalEntry>& entries) {
  std::string text;
  for (size_t i = 0; i < entries.size(); ++i) text += Line(i, entries[i]);
  return WriteFileAtomically(path, text);
}

}  // namespace plumb
