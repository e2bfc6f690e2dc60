#ifndef PLUMB_COMMON_REPORT_RUN_FOLDER_H_
#define PLUMB_COMMON_REPORT_RUN_FOLDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/train/metrics_sink.h"

namespace plumb {

// What a run leaves for people, beside its models: everything that report.html shows, in files that other
// programs can read.
//   metrics.jsonl        one object a line: stage, step, time (seconds since 1970), then the metrics by name
//   tensorboard/STAGE/   the same as TensorBoard event files
//   samples.jsonl        one generation a line: stage, when ("before", "after"), prompt, completion
//   facts.json           names and values worth keeping: versions, machine, sizes
//   recipe.textproto     the resolved recipe (written by the program)
//   report.html          made of the above by WriteReport; can be made again at any time

struct MetricsRow {
  std::string stage;
  int64_t step = 0;
  double time = 0;
  std::map<std::string, double> values;  // a value that was not finite is NaN here and null in the file
};

struct Sample {
  std::string stage;
  std::string when;  // "before" or "after"
  std::string prompt;
  std::string completion;
};

using Facts = std::vector<std::pair<std::string, std::string>>;

// Readers; a file that is not there reads as empty, a line cut off by a kill at the end of the file is left
// out.
absl::StatusOr<std::vector<MetricsRow>> ReadMetrics(const std::string& run_folder);
absl::StatusOr<std::vector<Sample>> ReadSamples(const std::string& run_folder);
absl::StatusOr<Facts> ReadFacts(const std::string& run_folder);

absl::Status WriteFacts(const std::string& run_folder, const Facts& facts);

// Replaces what samples.jsonl holds for this stage and time.
absl::Status WriteSamples(const std::string& run_folder, const std::string& stage, const std::string& when,
                          const std::vector<Sample>& samples);

// Appends one stage's figures to metrics.jsonl and to its event file.
class StageMetrics : public MetricsSink {
 public:
  static absl::StatusOr<std::unique_ptr<StageMetrics>> Open(const std::string& run_folder,
                                                            const std::string& stage);

  absl::Status Write(int64_t step, const std::map<std::string, double>& values) override;
  absl::StatusOr<int64_t> Position() override;
  // Cuts metrics.jsonl there and makes the stage's event file again from what is left.
  absl::Status Rewind(int64_t position) override;

 private:
  StageMetrics(std::string run_folder, std::string stage)
      : run_folder_(std::move(run_folder)), stage_(std::move(stage)) {}
  absl::Status RestartEventFile();

  std::string run_folder_;
  std::string stage_;
  std::string event_file_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_REPORT_RUN_FOLDER_H_
