// Our half of bo_vs_botorch: the runs that come as lines of JSON, each answered by a line with the seconds of
// every iteration (fit and acquisition, not the objective) and the best value after it.

#include <ATen/ops/tensor.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/status/status_macros.h"
#include "optim/bayesian/bayesian_optimizer.h"
#include "optim/bayesian/benchmark_functions.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

at::Tensor Tensor(const nlohmann::json& numbers) {
  return at::tensor(numbers.get<std::vector<double>>(), at::kDouble);
}

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  PLUMB_ASSIGN_OR_RETURN(const BenchmarkFunction function, FindBenchmarkFunction(request.at("function")));
  const int64_t q = request.at("q");
  BayesianOptions options;
  options.set_initial_points(1);
  options.mutable_log_expected_improvement()->set_joint(q > 1);
  options.mutable_log_expected_improvement()->set_samples(request.at("samples"));
  options.mutable_search()->set_num_restarts(request.at("num_restarts"));
  options.mutable_search()->set_raw_samples(request.at("raw_samples"));
  PLUMB_ASSIGN_OR_RETURN(const auto method,
                         BayesianOptimizer::Create(at::tensor(function.lower, at::kDouble),
                                                   at::tensor(function.upper, at::kDouble), options,
                                                   request.at("seed").get<uint64_t>()));
  const at::Tensor start = Tensor(request.at("start")).view({-1, function.dimension()});
  PLUMB_RETURN_IF_ERROR(method->Tell(start, function.Values(start)));
  nlohmann::json answer = {{"minimum", function.minimum}};
  for (int64_t iteration = 0; iteration < request.at("iterations").get<int64_t>(); ++iteration) {
    const auto begin = std::chrono::steady_clock::now();
    PLUMB_ASSIGN_OR_RETURN(const at::Tensor points, method->Ask(q));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    PLUMB_RETURN_IF_ERROR(method->Tell(points, function.Values(points)));
    answer["seconds"].push_back(seconds.count());
    answer["best"].push_back(method->best_value());
  }
  return answer;
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunLineProgram(argc, argv, "bo_vs_botorch_ours THREADS\nOur half of bo_vs_botorch.",
                               plumb::Answer);
}
