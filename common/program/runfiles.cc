#include "common/program/runfiles.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string& Folder() {
  static std::string& folder = *new std::string();
  return folder;
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// `bazel-bin/x/program.runfiles/plumb/x/program` lies within its own runfiles.
std::string EnclosingRunfiles(const fs::path& program) {
  for (fs::path folder = program.parent_path(); folder.has_relative_path(); folder = folder.parent_path()) {
    if (absl::EndsWith(folder.string(), ".runfiles")) return folder.string();
  }
  return "";
}

}  // namespace

void FindRunfiles(const char* argv0) {
  std::error_code error;
  const fs::path typed = fs::absolute(argv0, error);
  const fs::path real = fs::read_symlink("/proc/self/exe", error);
  const std::vector<std::string> candidates = {typed.string() + ".runfiles", EnclosingRunfiles(typed),
                                               real.string() + ".runfiles",  EnclosingRunfiles(real),
                                               Variable("RUNFILES_DIR"),     Variable("TEST_SRCDIR")};
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || !Exists(candidate)) continue;
    Folder() = fs::absolute(candidate, error).string();
    return;
  }
}

const std::string& RunfilesFolder() { return Folder(); }

std::string ResolveRunfile(absl::string_view path) {
  if (Folder().empty() || path.empty()) return "";
  const std::string resolved = absl::ConsumePrefix(&path, "@") ? absl::StrCat(Folder(), "/", path)
                                                               : absl::StrCat(Folder(), "/plumb/", path);
  return Exists(resolved) ? resolved : "";
}

std::string ResolveUserFile(const std::string& path) {
  if (path.empty() || path[0] == '/' || Exists(path)) return path;
  if (const std::string workspace = Variable("BUILD_WORKSPACE_DIRECTORY"); !workspace.empty()) {
    const std::string in_workspace = absl::StrCat(workspace, "/", path);
    if (Exists(in_workspace)) return in_workspace;
  }
  const std::string runfile = ResolveRunfile(path);
  return runfile.empty() ? path : runfile;
}

}  // namespace plumb
