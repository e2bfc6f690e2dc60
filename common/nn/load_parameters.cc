#include "common/nn/load_parameters.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "common/tensor/dtype.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

constexpr size_t kShownNames = 5;

// "; missing: a, b and 3 more"
std::string Listed(absl::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const size_t shown = std::min(names.size(), kShownNames);
  const std::string more = names.size() > shown ? absl::StrCat(" and ", names.size() - shown, " more") : "";
  return absl::StrCat("; ", what, ": ", absl::StrJoin(names.begin(), names.begin() + shown, ", "), more);
}

// What the file has for each parameter, and what does not fit.
struct Match {
  std::map<std::string, std::string> stored_names;
  std::vector<std::string> missing, unexpected, misfits;
};

Match MatchParameters(const Safetensors& file, absl::FunctionRef<void(ParameterVisitor)> visit,
                      const ParameterNames& names) {
  std::map<std::string, const Safetensors::Entry*> entries;
  for (const Safetensors::Entry& entry : file.entries()) entries[entry.name] = &entry;
  Match match;
  std::set<std::string> used;
  visit([&](const std::string& name, at::Tensor& parameter) {
    const std::vector<std::string> spellings =
        names.spellings ? names.spellings(name) : std::vector<std::string>{name};
    const auto found = std::find_if(spellings.begin(), spellings.end(), [&](const std::string& spelling) {
      return entries.count(spelling) != 0;
    });
    if (found == spellings.end()) {
      match.missing.push_back(name);
      return;
    }
    const Safetensors::Entry& entry = *entries[*found];
    match.stored_names[name] = *found;
    used.insert(*found);
    if (parameter.sizes() != at::IntArrayRef(entry.shape)) {
      match.misfits.push_back(absl::StrCat(*found, " is ", ShapeString(entry.shape), ", expected ",
                                           ShapeString(parameter.sizes())));
    } else if (!at::isFloatingType(entry.dtype)) {
      match.misfits.push_back(
          absl::StrCat(*found, " is ", DtypeName(entry.dtype), ", expected a float type"));
    }
  });
  for (const auto& [name, entry] : entries) {
    if (used.count(name) == 0 && !(names.ignored && names.ignored(name))) match.unexpected.push_back(name);
  }
  return match;
}

}  // namespace

absl::Status LoadParameters(const Safetensors& file, const std::string& where,
                            absl::FunctionRef<void(ParameterVisitor)> visit, const ParameterNames& names) {
  const Match match = MatchParameters(file, visit, names);
  if (!match.missing.empty() || !match.unexpected.empty() || !match.misfits.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": the tensors do not fit the configuration", Listed("missing", match.missing),
                     Listed("unexpected", match.unexpected), Listed("wrong", match.misfits)));
  }
  std::map<std::string, at::Tensor> loaded;
  absl::Status status;
  visit([&](const std::string& name, at::Tensor& parameter) {
    absl::StatusOr<at::Tensor> stored = file.GetAs(match.stored_names.at(name), parameter.scalar_type());
    if (stored.ok()) {
      loaded[name] = *std::move(stored);
    } else if (status.ok()) {
      status = stored.status();
    }
  });
  PLUMB_RETURN_IF_ERROR(status);
  visit([&](const std::string& name, at::Tensor& parameter) { parameter = std::move(loaded.at(name)); });
  return absl::OkStatus();
}

}  // namespace plumb
