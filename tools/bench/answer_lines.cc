#include "tools/bench/answer_lines.h"

#include <ATen/ops/empty.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"
#include "common/train/threads.h"

namespace plumb {

absl::Status AnswerLines(const LineAnswer& answer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    PLUMB_ASSIGN_OR_RETURN(const nlohmann::json result, answer(nlohmann::json::parse(line)));
    std::cout << result.dump() << std::endl;
  }
  return absl::OkStatus();
}

at::Tensor ReadMatrix(const nlohmann::json& rows) {
  const at::Tensor matrix = at::empty({int64_t(rows.size()), int64_t(rows[0].size())}, at::kDouble);
  double* element = matrix.mutable_data_ptr<double>();
  for (const nlohmann::json& row : rows) {
    for (const nlohmann::json& value : row) *element++ = value;
  }
  return matrix;
}

int RunLineProgram(int argc, char** argv, const char* usage, const LineAnswer& answer) {
  const auto run = [&](const std::vector<std::string>& arguments) -> absl::Status {
    int64_t threads = 0;
    if (arguments.size() != 1 || !absl::SimpleAtoi(arguments[0], &threads)) {
      return absl::InvalidArgumentError("expected the number of threads");
    }
    SetThreads(threads);
    return AnswerLines(answer);
  };
  return RunProgram(argc, argv, usage, std::function<absl::Status(const std::vector<std::string>&)>(run));
}

}  // namespace plumb
