#ifndef PLUMB_ALIGNMENT_TRL_TESTING_H_
#define PLUMB_ALIGNMENT_TRL_TESTING_H_

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "alignment/text_model.h"
#include "common/train/metrics_sink.h"

namespace plumb {

class TrainTask;

// What tests against TRL's runs share (alignment/testdata/trl_*; tools/goldens/trl_runs.py).

nlohmann::json ReadGolden(const std::string& path);  // below alignment/testdata

// The model that all of these runs begin with, and its tokenizer.
TextModel LoadTrlModel();

// Keeps what a train loop logs.
class Recorder : public MetricsSink {
 public:
  absl::Status Write(int64_t step, const std::map<std::string, double>& values) override;
  absl::StatusOr<int64_t> Position() override { return 0; }
  absl::Status Rewind(int64_t) override { return absl::OkStatus(); }

  std::vector<std::map<std::string, double>> steps, evaluations;
};

// Splits of an optimizer step other than the run's own.
struct StepSplit {
  int64_t batch_size = 0;  // 0: as the run
  int64_t accumulation = 1;
  int64_t max_tokens = 0;  // of a micro-batch; 0: any number
};

// Trains `task` by a golden run's `arguments`, logging each step.
Recorder TrainLikeTrl(TrainTask* task, const nlohmann::json& arguments, const StepSplit& split = {});

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_TRL_TESTING_H_
