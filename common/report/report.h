#ifndef PLUMB_COMMON_REPORT_REPORT_H_
#define PLUMB_COMMON_REPORT_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "common/report/run_folder.h"

namespace plumb {

// Text with what HTML would take for markup escaped.
std::string EscapeHtml(absl::string_view text);

// Held-out figures of a stage: of its first and of its last evaluation. `name` is without the prefix "eval_".
struct Comparison {
  std::string name;
  double before = 0;
  double after = 0;
};
std::vector<Comparison> CompareEvaluations(const std::vector<MetricsRow>& rows, const std::string& stage);

// Writes RUN_FOLDER/report.html from what the folder holds (see run_folder.h and plot.h): one page that needs
// nothing else, neither a network nor files beside it. Works on a run that has not ended. The facts "name"
// and "description" are the page's title and lead.
absl::Status WriteReport(const std::string& run_folder);

}  // namespace plumb

#endif  // PLUMB_COMMON_REPORT_REPORT_H_
