// Our half of causal_vs_gcastle: searches for a graph, which come as lines of JSON, each answered by a line
// with the seconds of every repetition and the weights found.

#include <ATen/TensorOperators.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "optim/causal/linear_score.h"
#include "optim/causal/notears.h"
#include "optim/causal/topological_swaps.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

nlohmann::json Rows(const at::Tensor& tensor) {
  const at::Tensor matrix = tensor.contiguous();
  nlohmann::json rows;
  for (int64_t i = 0; i < matrix.size(0); ++i) {
    const double* row = matrix.const_data_ptr<double>() + i * matrix.size(1);
    rows.push_back(std::vector<double>(row, row + matrix.size(1)));
  }
  return rows;
}

// What a search found, and how many swaps or rounds of multipliers it took.
struct Found {
  at::Tensor weights;
  int64_t iterations = 0;
  std::string report;
};

absl::StatusOr<Found> Search(const nlohmann::json& request, const at::Tensor& data) {
  const at::Tensor moments = SecondMoments(data);
  if (request.at("what") == "swaps") {
    PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<NodeScore> score, MakeLinearScore(moments));
    PLUMB_ASSIGN_OR_RETURN(
        const TopologicalSwapResult result,
        SearchByTopologicalSwaps(score.get(), request.at("order").get<std::vector<int64_t>>(),
                                 TopologicalSwapOptions()));
    return Found{result.weights, result.summary.iterations, result.summary.BriefReport()};
  }
  AugmentedLagrangianOptions options;
  options.set_feasibility_tolerance(request.at("tolerance"));
  PLUMB_ASSIGN_OR_RETURN(const NotearsResult result, Notears(moments, options));
  return Found{result.weights, result.summary.iterations, result.summary.BriefReport()};
}

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  const at::Tensor data = ReadMatrix(request.at("data"));
  Found found;
  nlohmann::json seconds;
  for (int64_t i = 0; i < request.at("repetitions").get<int64_t>(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    PLUMB_ASSIGN_OR_RETURN(found, Search(request, data));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    seconds.push_back(taken.count());
  }
  return nlohmann::json{{"seconds", seconds},
                        {"weights", Rows(found.weights)},
                        {"iterations", found.iterations},
                        {"report", found.report}};
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunLineProgram(argc, argv, "causal_vs_gcastle_ours THREADS\nOur half of causal_vs_gcastle.",
                               plumb::Answer);
}
