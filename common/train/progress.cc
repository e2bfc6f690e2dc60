#include "common/train/progress.h"

#include <unistd.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace plumb {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - time).count();
}

}  // namespace

std::string FormatDuration(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return absl::StrFormat("%dh%02dm", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return absl::StrFormat("%dm%02ds", whole / 60, whole % 60);
  return absl::StrFormat("%ds", whole);
}

std::string FormatMetric(double value) {
  const double magnitude = std::abs(value);
  return absl::StrFormat(magnitude >= 1e3 && magnitude < 1e9 ? "%.0f" : "%.4g", value);
}

Progress::Progress(std::string name, int64_t done, int64_t total, std::FILE* out)
    : name_(std::move(name)),
      first_step_(done),
      steps_done_(done),
      total_steps_(total),
      out_(out),
      live_(out != nullptr && isatty(fileno(out)) != 0) {}

Progress::~Progress() { ClearLiveLine(); }

std::string Progress::Position() const {
  return absl::StrCat(name_, ": step ", steps_done_, "/", total_steps_);
}

std::string Progress::TimeLeft() const {
  if (steps_done_ == first_step_ || steps_done_ >= total_steps_) return "";
  const double per_step = SecondsSince(start_) / (steps_done_ - first_step_);
  return absl::StrCat("  ", FormatDuration(per_step * (total_steps_ - steps_done_)), " left");
}

void Progress::ClearLiveLine() {
  if (!live_line_shown_) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
  live_line_shown_ = false;
}

double Progress::TokensPerSecond() const {
  return window_seconds_ > 0 ? window_tokens_ / window_seconds_ : 0;
}

void Progress::Step(int64_t steps_done, int64_t tokens, double seconds, double loss) {
  steps_done_ = steps_done;
  window_tokens_ += tokens;
  window_seconds_ += seconds;
  if (!live_ || SecondsSince(last_shown_) < 0.1) return;
  last_shown_ = Clock::now();
  const std::string line = absl::StrCat(Position(), "  loss ", FormatMetric(loss), "  ",
                                        FormatMetric(TokensPerSecond()), " tokens/s", TimeLeft());
  std::fprintf(out_, "\r\033[K%s", line.c_str());
  std::fflush(out_);
  live_line_shown_ = true;
}

void Progress::Report(const Values& values) {
  if (out_ == nullptr) return;
  std::string line = Position();
  for (const auto& [name, value] : values) {
    if (name == "tokens_per_second") {
      absl::StrAppend(&line, "  ", FormatMetric(value), " tokens/s");
    } else {
      absl::StrAppend(&line, "  ", name, " ", FormatMetric(value));
    }
  }
  Say(absl::StrCat(line, TimeLeft()));
}

void Progress::Say(absl::string_view text) {
  if (out_ == nullptr) return;
  ClearLiveLine();
  absl::FPrintF(out_, "%s\n", text);
  std::fflush(out_);
}

double Progress::TakeTokensPerSecond() {
  const double rate = TokensPerSecond();
  window_tokens_ = 0;
  window_seconds_ = 0;
  return rate;
}

}  // namespace plumb
