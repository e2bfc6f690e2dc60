#ifndef PLUMB_OPTIM_CORE_OBJECTIVE_H_
#define PLUMB_OPTIM_CORE_OBJECTIVE_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "optim/core/summary.h"

namespace plumb {

// A function to be minimised, at B points at once. f64, on the CPU.
struct Evaluation {
  at::Tensor values;     // [B]; NaN or an infinity: the evaluation failed there
  at::Tensor gradients;  // [B, D]; undefined when the function gives none
};
using Objective = std::function<absl::StatusOr<Evaluation>(const at::Tensor& points)>;  // [B, D]

// An objective from values alone, which autograd differentiates: [B, D] -> [B]. Row b of the result must
// depend on row b of the points alone.
Objective WithAutograd(std::function<at::Tensor(const at::Tensor& points)> values);

// Calls `objective`, so that whatever goes wrong is a value: rows with a NaN or an infinity, in the value or
// the gradient, come back with a NaN value. Where the whole call gives an error, throws or returns wrong
// shapes, each point is tried by itself, so that one bad point costs only its own row. Counts all in `calls`.
// `error` keeps the last message of a failure as it is, if there was none.
Evaluation Evaluate(const Objective& objective, const at::Tensor& points, bool with_gradients,
                    OracleCalls& calls, std::string& error);

// The box lower <= x <= upper, [D] each; an undefined tensor is no bound. An error names the first coordinate
// whose bounds contradict each other; `lower` and `upper` come back defined, f64 and contiguous.
absl::Status CheckBounds(int64_t dimension, at::Tensor& lower, at::Tensor& upper);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_OBJECTIVE_H_
