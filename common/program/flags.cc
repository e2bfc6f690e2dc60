#include "common/program/flags.h"

#include <gflags/gflags.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/program/nearest_name.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

std::vector<RepeatedFlag*>& RepeatedFlags() {
  static auto& flags = *new std::vector<RepeatedFlag*>();
  return flags;
}

RepeatedFlag* FindRepeated(absl::string_view name) {
  for (RepeatedFlag* flag : RepeatedFlags()) {
    if (name == flag->name()) return flag;
  }
  return nullptr;
}

// gflags and glog bring some eighty flags of their own. Of glog's, these three do what their names say here.
bool BelongsToProgram(const gflags::CommandLineFlagInfo& flag) {
  if (flag.name == "v" || flag.name == "vmodule" || flag.name == "minloglevel") return true;
  for (const char* file : {"src/gflags.cc", "src/gflags_reporting.cc", "src/gflags_completions.cc",
                           "src/logging.cc", "src/utilities.cc", "src/vlog_is_on.cc", "src/symbolize.cc"}) {
    if (absl::EndsWith(flag.filename, file)) return false;
  }
  return true;
}

std::vector<gflags::CommandLineFlagInfo> ProgramFlags() {
  std::vector<gflags::CommandLineFlagInfo> all, own;
  gflags::GetAllFlags(&all);
  std::copy_if(all.begin(), all.end(), std::back_inserter(own), BelongsToProgram);
  return own;
}

bool FindFlag(absl::string_view name, gflags::CommandLineFlagInfo* flag) {
  return gflags::GetCommandLineFlagInfo(std::string(name).c_str(), flag) && BelongsToProgram(*flag);
}

absl::Status UnknownFlag(absl::string_view name) {
  std::vector<std::string> names = {"help"};
  for (const auto& flag : ProgramFlags()) names.push_back(flag.name);
  for (const RepeatedFlag* flag : RepeatedFlags()) names.push_back(flag->name());
  const std::string nearest = NearestName(name, names);
  return absl::InvalidArgumentError(absl::StrCat(
      "--", name, ": there is no such flag",
      nearest.empty() ? "; --help lists the flags" : absl::StrCat("; did you mean --", nearest, "?")));
}

// The words of a command line, read one after the other.
class Words {
 public:
  Words(int argc, const char* const* argv) : argc_(argc), argv_(argv) {}

  bool Next(absl::string_view* word) {
    if (next_ >= argc_) return false;
    *word = argv_[next_++];
    return true;
  }

 private:
  int argc_;
  const char* const* argv_;
  int next_ = 1;
};

// `word` is a flag without its dashes.
absl::Status SetFlag(absl::string_view word, Words* words) {
  const size_t equals = word.find('=');
  const bool has_value = equals != absl::string_view::npos;
  absl::string_view name = word.substr(0, equals);
  std::string value(has_value ? word.substr(equals + 1) : "");

  RepeatedFlag* repeated = FindRepeated(name);
  gflags::CommandLineFlagInfo flag;
  if (repeated == nullptr && !FindFlag(name, &flag)) {
    absl::string_view positive = name;
    if (has_value || !absl::ConsumePrefix(&positive, "no") || !FindFlag(positive, &flag) ||
        flag.type != "bool") {
      return UnknownFlag(name);
    }
    gflags::SetCommandLineOption(flag.name.c_str(), "false");
    return absl::OkStatus();
  }
  if (!has_value) {
    absl::string_view next;
    if (repeated == nullptr && flag.type == "bool") {
      value = "true";
    } else if (words->Next(&next)) {
      value = std::string(next);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("--", name, ": needs a value: --", name, "=VALUE"));
    }
  }
  if (repeated != nullptr) {
    repeated->Add(std::move(value));
  } else if (gflags::SetCommandLineOption(flag.name.c_str(), value.c_str()).empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--", name, ": '", value, "' is no ", flag.type));
  }
  return absl::OkStatus();
}

bool IsFlag(absl::string_view word) {
  return word.size() > 1 && word[0] == '-' && (word[1] < '0' || word[1] > '9') && word[1] != '.';
}

std::string DescribeFlag(const std::string& name, const std::string& type, const std::string& help,
                         const std::string& default_value) {
  std::string line = absl::StrCat("  --", name, type == "bool" ? "" : absl::StrCat("=", type));
  line.resize(std::max<size_t>(line.size() + 2, 26), ' ');
  absl::StrAppend(&line, help);
  if (!default_value.empty() && default_value != "false")
    absl::StrAppend(&line, " (default: ", default_value, ")");
  return line + "\n";
}

}  // namespace

RepeatedFlag::RepeatedFlag(const char* name, const char* help) : name_(name), help_(help) {
  RepeatedFlags().push_back(this);
}

absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Words words(argc, argv);
  absl::string_view word;
  while (words.Next(&word)) {
    if (word == "--") {
      while (words.Next(&word)) parsed.arguments.emplace_back(word);
      break;
    }
    if (!IsFlag(word)) {
      parsed.arguments.emplace_back(word);
      continue;
    }
    word.remove_prefix(absl::StartsWith(word, "--") ? 2 : 1);
    if (word == "help" || word == "h") {
      parsed.help = true;
      return parsed;
    }
    PLUMB_RETURN_IF_ERROR(SetFlag(word, &words));
  }
  return parsed;
}

std::string DescribeFlags() {
  std::vector<std::string> lines;
  for (const auto& flag : ProgramFlags()) {
    if (flag.name == "v" || flag.name == "vmodule" || flag.name == "minloglevel") continue;
    lines.push_back(DescribeFlag(flag.name, flag.type, flag.description, flag.default_value));
  }
  for (const RepeatedFlag* flag : RepeatedFlags()) {
    lines.push_back(DescribeFlag(flag->name(), "string", flag->help(), ""));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

}  // namespace plumb
