#include "common/nn/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "common/kernels/vectorized.h"
#include "common/nn/generation.pb.h"

namespace plumb {
namespace {

constexpr float kCut = -std::numeric_limits<float>::infinity();
// Logits are looked at in blocks of so many; f32 is wide enough for a sum over one.
constexpr int64_t kBlock = 256;

int64_t Blocks(absl::Span<const float> logits) { return (logits.size() + kBlock - 1) / kBlock; }
absl::Span<const float> Block(absl::Span<const float> logits, int64_t i) {
  return logits.subspan(i * kBlock, kBlock);  // the last one is shorter
}

PLUMB_VECTORIZED float Max(const float* z, int64_t size) {
  float max = kCut;
#pragma omp simd reduction(max : max)
  for (int64_t i = 0; i < size; ++i) max = z[i] > max ? z[i] : max;
  return max;
}

// weights = exp(z - max); their sum.
PLUMB_VECTORIZED float Weigh(const float* z, int64_t size, float max, float* weights) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) {
    weights[i] = std::exp(z[i] - max);
    sum += weights[i];
  }
  return sum;
}

PLUMB_VECTORIZED void Divide(float* z, int64_t size, float divisor) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) z[i] /= divisor;
}

PLUMB_VECTORIZED void CutBelow(float* z, int64_t size, float bound) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) z[i] = z[i] < bound ? kCut : z[i];
}

// The largest logit of each block.
std::vector<float> BlockMaxima(absl::Span<const float> logits) {
  std::vector<float> maxima(Blocks(logits));
  for (size_t i = 0; i < maxima.size(); ++i) {
    maxima[i] = Max(Block(logits, i).data(), Block(logits, i).size());
  }
  return maxima;
}

double SumOfWeights(absl::Span<const float> logits, float max) {
  float weights[kBlock];
  double total = 0;
  for (int64_t i = 0; i < Blocks(logits); ++i) {
    total += Weigh(Block(logits, i).data(), Block(logits, i).size(), max, weights);
  }
  return total;
}

void PenalizeRepetition(absl::Span<float> logits, absl::Span<const int64_t> previous_ids, float penalty) {
  std::vector<bool> done(logits.size(), false);
  for (const int64_t id : previous_ids) {
    if (done[id]) continue;
    done[id] = true;
    logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
  }
}

float KthLargest(std::vector<float> values, int64_t k) {
  std::nth_element(values.begin(), values.begin() + k - 1, values.end(), std::greater<float>());
  return values[k - 1];
}

// The k-th largest logit, 0 < k <= V; `maxima` are those of the blocks.
float KthLargest(absl::Span<const float> logits, const std::vector<float>& maxima, int64_t k) {
  // The k-th largest of the maxima has k logits that are not below it.
  const float bound = k <= static_cast<int64_t>(maxima.size()) ? KthLargest(maxima, k) : kCut;
  std::vector<float> candidates;
  for (size_t i = 0; i < maxima.size(); ++i) {
    if (maxima[i] < bound) continue;
    for (const float logit : Block(logits, i)) {
      if (logit >= bound) candidates.push_back(logit);
    }
  }
  return KthLargest(std::move(candidates), k);
}

void KeepTopK(absl::Span<float> logits, int64_t k) {
  if (k >= static_cast<int64_t>(logits.size())) return;
  const float smallest_kept = KthLargest(logits, BlockMaxima(logits), k);
  CutBelow(logits.data(), logits.size(), smallest_kept);
}

// Keeps the smallest set of likeliest tokens whose probability reaches `p`, at least one.
void KeepTopP(absl::Span<float> logits, double p) {
  const std::vector<float> maxima = BlockMaxima(logits);
  const float max = *std::max_element(maxima.begin(), maxima.end());
  const double wanted = p * SumOfWeights(logits, max);
  // The likeliest `count` tokens, more of them until they have that much probability.
  struct Candidate {
    int64_t id;
    float logit;
    double weight;
  };
  std::vector<Candidate> candidates;
  const int64_t size = logits.size();
  double weight = -1;
  for (int64_t count = std::min<int64_t>(64, size); weight < wanted; count = std::min(8 * count, size)) {
    const float smallest = KthLargest(logits, maxima, count);
    candidates.clear();
    weight = 0;
    for (size_t block = 0; block < maxima.size(); ++block) {
      if (maxima[block] < smallest) continue;
      for (int64_t id = block * kBlock; id < std::min<int64_t>(size, (block + 1) * kBlock); ++id) {
        if (logits[id] < smallest || logits[id] == kCut) continue;
        candidates.push_back({id, logits[id], std::exp(logits[id] - max)});
        weight += candidates.back().weight;
      }
    }
    if (count == size) break;  // rounding may leave all of them short
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id > b.id;  // of equals the first are cut first
  });
  std::fill(logits.begin(), logits.end(), kCut);
  double above = 0;
  for (const Candidate& candidate : candidates) {
    if (above >= wanted) break;
    logits[candidate.id] = candidate.logit;
    above += candidate.weight;
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
    Divide(logits.data(), logits.size(), static_cast<float>(options.temperature()));
  }
  if (options.top_k() > 0) KeepTopK(logits, options.top_k());
  if (options.top_p() < 1) KeepTopP(logits, options.top_p());
}

int64_t LikeliestToken(absl::Span<const float> logits) {
  return std::find(logits.begin(), logits.end(), Max(logits.data(), logits.size())) - logits.begin();
}

int64_t SampleToken(absl::Span<const float> logits, double uniform) {
  const float max = Max(logits.data(), logits.size());
  double remaining = uniform * SumOfWeights(logits, max);
  float weights[kBlock];
  // The block in which it passes; with rounding against it, the last one that has a probability.
  int64_t chosen = 0;
  bool passed = false;
  for (int64_t i = 0; i < Blocks(logits) && !passed; ++i) {
    const float weight = Weigh(Block(logits, i).data(), Block(logits, i).size(), max, weights);
    if (weight == 0) continue;
    chosen = i;
    passed = remaining < weight;
    if (!passed) remaining -= weight;
  }
  const absl::Span<const float> block = Block(logits, chosen);
  Weigh(block.data(), block.size(), max, weights);
  int64_t last = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    if (weights[i] == 0) continue;
    last = chosen * kBlock + i;
    remaining -= weights[i];
    if (passed && remaining < 0) break;
  }
  return last;
}

double LogSumExp(absl::Span<const float> logits) {
  const float max = Max(logits.data(), logits.size());
  return max + std::log(SumOfWeights(logits, max));
}

}  // namespace plumb
