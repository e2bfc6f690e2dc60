#ifndef PLUMB_COMMON_TRAIN_PROGRESS_H_
#define PLUMB_COMMON_TRAIN_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// "1h02m", "2m05s", "14s".
std::string FormatDuration(double seconds);

// Four significant digits: "0.6931", "1.5e-06", "12345".
std::string FormatMetric(double value);

// What a user sees while something trains. On a terminal one line is kept up to date and goes once training
// ends; elsewhere (a log) there is a line for each Report().
class Progress {
 public:
  using Values = std::vector<std::pair<std::string, double>>;

  // `out` null: silent. `done` of `total` steps were done by earlier runs.
  Progress(std::string name, int64_t done, int64_t total, std::FILE* out);
  ~Progress();

  // After each step, which took so many seconds.
  void Step(int64_t steps_done, int64_t tokens, double seconds, double loss);

  // A line of figures that stays.
  void Report(const Values& values);

  // A line of text that stays.
  void Say(absl::string_view text);

  // Over the steps since the last call; evaluating and saving do not count.
  double TakeTokensPerSecond();

 private:
  using Clock = std::chrono::steady_clock;
  std::string Position() const;  // "dpo: step 3/20"
  std::string TimeLeft() const;  // "  2m05s left", or nothing
  double TokensPerSecond() const;
  void ClearLiveLine();

  std::string name_;
  int64_t first_step_;
  int64_t steps_done_;
  int64_t total_steps_;
  std::FILE* out_;
  bool live_;
  bool live_line_shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_;
  int64_t window_tokens_ = 0;
  double window_seconds_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_PROGRESS_H_
