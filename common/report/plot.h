#ifndef PLUMB_COMMON_REPORT_PLOT_H_
#define PLUMB_COMMON_REPORT_PLOT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// A figure of the report that is no curve by step, as a fit through points. Run folders keep them in
// plots.jsonl, one object a line.
struct Plot {
  struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;  // x, y
    bool is_line = false;                           // points that are joined, without marks
  };
  std::string title;
  std::string x, y;  // what the axes are, with units
  std::vector<Series> series;
};

// A file that is not there reads as empty.
absl::StatusOr<std::vector<Plot>> ReadPlots(const std::string& run_folder);
absl::Status WritePlots(const std::string& run_folder, const std::vector<Plot>& plots);

// As one JSON array; a point that is not finite is left out.
std::string PlotsAsJson(const std::vector<Plot>& plots);

}  // namespace plumb

#endif  // PLUMB_COMMON_REPORT_PLOT_H_
