// Our half of solvers_vs_torch: the runs that come as lines of JSON, each answered by a line with the seconds
// of every repetition and a number that both programs must find.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "optim/second_order/inverse_fisher.h"
#include "optim/zeroth_order/consensus.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

// What both programs compute: element i of tensor k is the rest of (i + 1)(i + 3)(k + 7) by 10007, within
// -0.5 and 0.5.
at::Tensor Numbers(int64_t k, at::IntArrayRef sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  const at::Tensor i = at::arange(1, count + 1, at::kLong);
  return ((i * (i + 2) * (k + 7)).remainder(10007).to(at::kDouble) / 10007 - 0.5).view(sizes);
}

nlohmann::json Timed(int64_t repetitions, const std::function<void()>& run) {
  nlohmann::json seconds;
  for (int64_t i = -1; i < repetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (i >= 0) seconds.push_back(taken.count());  // the first is to warm up
  }
  return seconds;
}

// F^-1 x of a full window; or that after another gradient has come in.
nlohmann::json InverseVectorProduct(const nlohmann::json& request) {
  const int64_t window = request.at("window"), size = request.at("size");
  SlidingInverseFisher fisher(window, size, /*damp=*/1e-3, at::kFloat);
  for (int64_t i = 0; i < window; ++i) fisher.Push(Numbers(i, {size}).to(at::kFloat));
  const at::Tensor x = Numbers(window, {size}).to(at::kFloat);
  nlohmann::json answer = {{"check", fisher.Multiply(x).norm().item<double>()}};
  const bool push = request.at("push");
  answer["seconds"] = Timed(request.at("repetitions"), [&] {
    if (push) fisher.Push(x);
    fisher.Multiply(x);
  });
  return answer;
}

// Steps of consensus-based optimisation on Ackley's function.
absl::StatusOr<nlohmann::json> Consensus(const nlohmann::json& request) {
  const int64_t particles = request.at("particles"), size = request.at("size"), steps = request.at("steps");
  const auto ackley = [&](const at::Tensor& x) {
    return -20 * (-0.2 * x.square().mean(1).sqrt()).exp() - (2 * M_PI * x).cos().mean(1).exp() + 20 + M_E;
  };
  double value = 0;
  absl::Status status;
  const RandomStream random(1, "consensus");
  const nlohmann::json seconds = Timed(request.at("repetitions"), [&] {
    at::Tensor x = 6 * Numbers(0, {particles, size});
    for (int64_t step = 0; step < steps && status.ok(); ++step) {
      auto next = ConsensusStep(x, ackley(x), ConsensusOptions(), random.Child(step));
      if (!next.ok()) status = next.status();
      if (next.ok()) x = *next;
    }
    value = ackley(x).min().item<double>();
  });
  PLUMB_RETURN_IF_ERROR(status);
  return nlohmann::json{{"seconds", seconds}, {"check", value}};
}

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  if (request.at("what") == "consensus") return Consensus(request);
  return InverseVectorProduct(request);
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunLineProgram(argc, argv, "solvers_vs_torch_ours THREADS\nOur half of solvers_vs_torch.",
                               plumb::Answer);
}
