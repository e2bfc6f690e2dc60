#include "common/report/report.h"

#include <cstdio>

#include "common/files/files.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"

namespace {

absl::Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    return absl::InvalidArgumentError("one run folder is expected: report RUN_FOLDER");
  }
  const std::string& folder = arguments[0];
  if (!plumb::FileExists(folder + "/metrics.jsonl")) {
    return absl::NotFoundError(folder + ": not a run folder: it has no metrics.jsonl");
  }
  PLUMB_RETURN_IF_ERROR(plumb::WriteReport(folder));
  std::printf("%s/report.html\n", folder.c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  return plumb::RunProgram(
      argc, argv, "report RUN_FOLDER\nMakes report.html again from what a run has logged so far.", Run);
}
