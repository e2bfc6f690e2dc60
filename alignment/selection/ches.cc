#include "alignment/selection/ches.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <vector>

namespace plumb {
namespace {

at::Tensor Embedding(const at::Tensor& states, const Segment& answer, bool length_normalized) {
  const at::Tensor sum = states.narrow(0, answer.begin, answer.length()).to(at::kDouble).sum(0);
  return length_normalized ? sum / std::max<int64_t>(1, answer.length()) : sum;
}

}  // namespace

at::Tensor ChesScores(const at::Tensor& states, absl::Span<const Segment> chosen,
                      absl::Span<const Segment> rejected, bool length_normalized) {
  const at::NoGradGuard no_grad;
  std::vector<double> scores;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const at::Tensor preferred = Embedding(states, chosen[i], length_normalized);
    const at::Tensor dispreferred = Embedding(states, rejected[i], length_normalized);
    scores.push_back((preferred.dot(dispreferred) - preferred.dot(preferred)).item<double>());
  }
  return at::tensor(scores, at::kDouble);
}

}  // namespace plumb
