#ifndef PLUMB_COMMON_TRAIN_METRICS_SINK_H_
#define PLUMB_COMMON_TRAIN_METRICS_SINK_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// Where a train loop's figures go.
class MetricsSink {
 public:
  virtual ~MetricsSink() = default;

  // What was measured at optimizer step `step` (the number of steps done).
  virtual absl::Status Write(int64_t step, const std::map<std::string, double>& values) = 0;

  // Where the sink stands now, with everything before it on disk: a checkpoint keeps it, and a resumed run
  // rewinds to it, so that nothing appears twice.
  virtual absl::StatusOr<int64_t> Position() = 0;
  virtual absl::Status Rewind(int64_t position) = 0;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_METRICS_SINK_H_
