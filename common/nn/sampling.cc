#include "common/nn/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "common/nn/generation.pb.h"

namespace plumb {
namespace {

constexpr float kCut = -std::numeric_limits<float>::infinity();

void PenalizeRepetition(absl::Span<float> logits, absl::Span<const int64_t> previous_ids, float penalty) {
  std::vector<int64_t> seen(previous_ids.begin(), previous_ids.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const int64_t id : seen) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
}

void KeepTopK(absl::Span<float> logits, int64_t k) {
  if (k >= static_cast<int64_t>(logits.size())) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  std::nth_element(sorted.begin(), sorted.begin() + k - 1, sorted.end(), std::greater<float>());
  const float smallest_kept = sorted[k - 1];
  for (float& logit : logits) {
    if (logit < smallest_kept) logit = kCut;
  }
}

// Keeps the smallest set of likeliest tokens whose probability exceeds `p`, at least one.
void KeepTopP(absl::Span<float> logits, double p) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] != kCut) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return logits[a] < logits[b]; });
  const float largest = logits[order.back()];
  double total = 0;
  for (const int64_t id : order) total += std::exp(logits[id] - largest);
  double below = 0;
  order.pop_back();
  for (const int64_t id : order) {
    below += std::exp(logits[id] - largest) / total;
    if (below > 1 - p) break;
    logits[id] = kCut;
  }
}

}  // namespace

void ProcessLogits(absl::Span<float> logits, absl::Span<const int64_t> previous_ids,
                   const GenerationOptions& options) {
  if (options.repetition_penalty() != 1) {
    PenalizeRepetition(logits, previous_ids, static_cast<float>(options.repetition_penalty()));
  }
  if (!options.do_sample()) return;
  if (options.temperature() != 1) {
    const float temperature = static_cast<float>(options.temperature());
    for (float& logit : logits) logit /= temperature;
  }
  if (options.top_k() > 0) KeepTopK(logits, options.top_k());
  if (options.top_p() < 1) KeepTopP(logits, options.top_p());
}

int64_t LikeliestToken(absl::Span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

int64_t SampleToken(absl::Span<const float> logits, double uniform) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - largest);
  double remaining = uniform * total;
  int64_t last = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp(logits[i] - largest);
    if (weight == 0) continue;
    last = i;
    remaining -= weight;
    if (remaining < 0) break;
  }
  return last;
}

float TokenLogp(absl::Span<const float> logits, int64_t token) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - largest);
  return static_cast<float>(logits[token] - largest - std::log(total));
}

}  // namespace plumb
