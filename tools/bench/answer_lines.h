#ifndef PLUMB_TOOLS_BENCH_ANSWER_LINES_H_
#define PLUMB_TOOLS_BENCH_ANSWER_LINES_H_

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// Our half of a measurement: stays up, and answers each line of JSON with one.
using LineAnswer = std::function<absl::StatusOr<nlohmann::json>(const nlohmann::json& request)>;

// Until standard input ends, or with the first error.
absl::Status AnswerLines(const LineAnswer& answer);

// The main() of a program NAME THREADS that does so.
int RunLineProgram(int argc, char** argv, const char* usage, const LineAnswer& answer);

}  // namespace plumb

#endif  // PLUMB_TOOLS_BENCH_ANSWER_LINES_H_
