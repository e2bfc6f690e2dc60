#ifndef PLUMB_COMMON_TRAIN_CHECKPOINT_H_
#define PLUMB_COMMON_TRAIN_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/train/optimizer.h"
#include "common/train/train_state.h"

namespace plumb {

// A folder checkpoint-STEP from which a training goes on:
//   parameters.safetensors   what is trained, in its own dtype, and the task's state
//   optimizer.safetensors    Optimizer::State(): among it the f32 master weights of 16-bit parameters
//   train_state.json         TrainState
//   recipe.textproto         what decides the result
//   checksums.json           size and CRC-32 of each of the others
// The folder appears as a whole or not at all.
absl::Status WriteCheckpoint(const std::string& path, absl::Span<const NamedParameter> parameters,
                             const Optimizer& optimizer, const TrainState& state,
                             const std::string& recipe_text);

// An error (DataLoss) that names the file and what is wrong with it when one is missing, cut short or
// changed.
absl::Status VerifyCheckpoint(const std::string& path);

absl::StatusOr<TrainState> ReadTrainState(const std::string& path);
absl::StatusOr<std::string> ReadRecipeText(const std::string& path);

// Into the tensors of `parameters`; names, shapes and dtypes must be the same, else nothing is changed.
absl::Status LoadParameters(const std::string& path, absl::Span<const NamedParameter> parameters);

absl::Status LoadOptimizer(const std::string& path, Optimizer* optimizer);

std::string CheckpointPath(const std::string& folder, int64_t step);

// Steps of the checkpoints in `folder`, newest first; complete or not is for VerifyCheckpoint to say.
std::vector<int64_t> ListCheckpoints(const std::string& folder);

absl::Status RemoveCheckpoint(const std::string& folder, int64_t step);

// Leaves `limit` checkpoints: that of `best_step`, if there is one, and the newest; at least the newest.
absl::Status RemoveOldCheckpoints(const std::string& folder, int64_t limit, int64_t best_step);

// What killed processes left.
absl::Status RemoveUnfinishedCheckpoints(const std::string& folder);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_CHECKPOINT_H_
