#ifndef PLUMB_TOOLS_BENCH_ANSWER_LINES_H_
#define PLUMB_TOOLS_BENCH_ANSWER_LINES_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// Our half of a measurement: stays up, and answers each line of JSON with one.
using LineAnswer = std::function<absl::StatusOr<nlohmann::json>(const nlohmann::json& request)>;

// Until standard input ends, or with the first error.
absl::Status AnswerLines(const LineAnswer& answer);

// A list of lists as an f64 matrix.
at::Tensor ReadMatrix(const nlohmann::json& rows);

// The main() of a program NAME THREADS that does so.
int RunLineProgram(int argc, char** argv, const char* usage, const LineAnswer& answer);

}  // namespace plumb

#endif  // PLUMB_TOOLS_BENCH_ANSWER_LINES_H_
