#ifndef PLUMB_OPTIM_MAKE_OPTIMIZER_H_
#define PLUMB_OPTIM_MAKE_OPTIMIZER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/train/optimizer.h"

namespace plumb {

class OptimizerConfig;

// The optimizer that a recipe names, for these parameters; AdamW with its defaults when it names none. An
// error when there is nothing to train, or a parameter is not a contiguous tensor of floating point numbers
// on the CPU, or one name or one tensor comes twice.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const OptimizerConfig& config,
                                                         std::vector<NamedParameter> parameters);

}  // namespace plumb

#endif  // PLUMB_OPTIM_MAKE_OPTIMIZER_H_
