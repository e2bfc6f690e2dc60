// Our half of generate_vs_transformers: Generate(), as //alignment:generate calls it, for prompts that come
// as lines of JSON. Arguments: the model's folder, the number of threads.

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/nn/generation.h"
#include "common/nn/pretrained.h"
#include "common/status/status_macros.h"
#include "common/train/threads.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

absl::StatusOr<nlohmann::json> Answer(CausalLm& model, const nlohmann::json& request) {
  std::vector<GenerationRequest> requests;
  for (const nlohmann::json& prompt : request.at("prompts")) {
    requests.push_back({prompt.get<std::vector<int64_t>>(), RandomStream(1, "bench")});
  }
  GenerationOptions options;
  options.set_max_new_tokens(request.at("max_new_tokens").get<int64_t>());
  const auto begin = std::chrono::steady_clock::now();
  PLUMB_ASSIGN_OR_RETURN(const std::vector<GeneratedSequence> sequences, Generate(model, requests, options));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  nlohmann::json answer = {{"seconds", seconds.count()}};
  for (const GeneratedSequence& sequence : sequences) answer["tokens"].push_back(sequence.token_ids);
  return answer;
}

absl::Status Run(const std::string& folder, int64_t threads) {
  SetThreads(threads);
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<CausalLm> model, LoadCausalLm(folder, at::kFloat));
  return AnswerLines([&](const nlohmann::json& request) { return Answer(*model, request); });
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "expected the model's folder and the number of threads\n");
    return 2;
  }
  const absl::Status status = plumb::Run(argv[1], std::atoll(argv[2]));
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 2;
}
