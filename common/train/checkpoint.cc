#include "common/train/checkpoint.h"

#include <c10/core/GradMode.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/tensor/dtype.h"
#include "common/tensor/safetensors.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kParameters[] = "parameters.safetensors";
constexpr char kOptimizer[] = "optimizer.safetensors";
constexpr char kTrainState[] = "train_state.json";
constexpr char kRecipe[] = "recipe.textproto";
constexpr char kChecksums[] = "checksums.json";
constexpr const char* kCheckedFiles[] = {kParameters, kOptimizer, kTrainState, kRecipe};
constexpr absl::string_view kPrefix = "checkpoint-";

std::string Join(const std::string& folder, absl::string_view file) {
  return absl::StrCat(folder, "/", file);
}

struct Checksum {
  int64_t bytes = 0;
  std::string crc32;  // eight hexadecimal digits
};

absl::StatusOr<Checksum> ChecksumOf(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::DataLossError(absl::StrCat(path, " is missing"));
  std::vector<Bytef> buffer(1 << 20);
  Checksum checksum;
  uLong crc = crc32(0, nullptr, 0);
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    crc = crc32(crc, buffer.data(), count);
    checksum.bytes += count;
  }
  close(fd);
  if (count < 0) return absl::DataLossError(absl::StrCat("cannot read ", path));
  checksum.crc32 = absl::StrFormat("%08x", crc);
  return checksum;
}

absl::Status WriteChecksums(const std::string& folder) {
  json files = json::object();
  for (const char* file : kCheckedFiles) {
    PLUMB_ASSIGN_OR_RETURN(const Checksum checksum, ChecksumOf(Join(folder, file)));
    files[file] = {{"bytes", checksum.bytes}, {"crc32", checksum.crc32}};
  }
  return WriteFileAtomically(Join(folder, kChecksums), absl::StrCat(json{{"files", files}}.dump(1), "\n"));
}

absl::Status VerifyFile(const std::string& path, const json& wanted) {
  PLUMB_ASSIGN_OR_RETURN(const Checksum found, ChecksumOf(path));
  if (wanted.at("bytes") != found.bytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", found.bytes, " bytes, not ", wanted.at("bytes").dump()));
  }
  if (wanted.at("crc32") != found.crc32) {
    return absl::DataLossError(absl::StrCat(path, " has changed since it was written (its CRC-32 is ",
                                            found.crc32, ", not ", wanted.at("crc32").dump(), ")"));
  }
  return absl::OkStatus();
}

std::string Describe(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "] ", DtypeName(tensor.scalar_type()));
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& path, absl::Span<const NamedParameter> parameters,
                             const Optimizer& optimizer, const TrainState& state,
                             const std::string& recipe_text) {
  return WriteFolderAtomically(path, [&](const std::string& folder) -> absl::Status {
    std::vector<NamedTensor> weights;
    for (const auto& [name, tensor] : parameters) weights.push_back({name, tensor.detach()});
    PLUMB_RETURN_IF_ERROR(WriteSafetensors(Join(folder, kParameters), weights));
    std::vector<NamedTensor> states;
    for (const auto& [name, tensor] : optimizer.State()) states.push_back({name, tensor});
    PLUMB_RETURN_IF_ERROR(WriteSafetensors(Join(folder, kOptimizer), states));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(Join(folder, kTrainState), TrainStateToJson(state)));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(Join(folder, kRecipe), recipe_text));
    return WriteChecksums(folder);
  });
}

absl::Status VerifyCheckpoint(const std::string& path) {
  const std::string checksums_path = Join(path, kChecksums);
  const absl::StatusOr<std::string> text = ReadFile(checksums_path);
  if (!text.ok()) return absl::DataLossError(text.status().message());
  try {
    const json checksums = json::parse(*text);
    for (const char* file : kCheckedFiles) {
      PLUMB_RETURN_IF_ERROR(VerifyFile(Join(path, file), checksums.at("files").at(file)));
    }
  } catch (const json::exception& error) {
    return absl::DataLossError(absl::StrCat(checksums_path, ": ", error.what()));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainState> ReadTrainState(const std::string& path) {
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(Join(path, kTrainState)));
  return TrainStateFromJson(text);
}

absl::StatusOr<std::string> ReadRecipeText(const std::string& path) { return ReadFile(Join(path, kRecipe)); }

absl::Status LoadParameters(const std::string& path, absl::Span<const NamedParameter> parameters) {
  const std::string file = Join(path, kParameters);
  PLUMB_ASSIGN_OR_RETURN(const Safetensors saved, Safetensors::Open(file));
  if (saved.entries().size() != parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat(file, " has ", saved.entries().size(),
                                                   " parameters, this model trains ", parameters.size()));
  }
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : parameters) {
    PLUMB_ASSIGN_OR_RETURN(at::Tensor loaded, saved.Get(name));
    if (const std::string wanted = Describe(tensor), found = Describe(loaded); wanted != found) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": ", name, " is ", found, ", this model's is ", wanted));
    }
    tensors.push_back(std::move(loaded));
  }
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < tensors.size(); ++i) parameters[i].tensor.detach().copy_(tensors[i]);
  return absl::OkStatus();
}

absl::Status LoadOptimizer(const std::string& path, Optimizer* optimizer) {
  PLUMB_ASSIGN_OR_RETURN(const Safetensors saved, Safetensors::Open(Join(path, kOptimizer)));
  std::map<std::string, at::Tensor> state;
  for (const auto& entry : saved.entries()) {
    PLUMB_ASSIGN_OR_RETURN(state[entry.name], saved.Get(entry.name));
  }
  return optimizer->LoadState(state);
}

std::string CheckpointPath(const std::string& folder, int64_t step) {
  return absl::StrCat(folder, "/", kPrefix, step);
}

std::vector<int64_t> ListCheckpoints(const std::string& folder) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    int64_t step = 0;
    if (absl::ConsumePrefix(&number, kPrefix) && absl::SimpleAtoi(number, &step)) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  return steps;
}

absl::Status RemoveCheckpoint(const std::string& folder, int64_t step) {
  // Killed half way, this leaves what RemoveUnfinishedCheckpoints takes away, not half a checkpoint.
  const std::string path = CheckpointPath(folder, step);
  const std::string aside = absl::StrCat(path, ".old.", getpid());
  std::error_code error;
  fs::rename(path, aside, error);
  return RemoveFolder(error ? path : aside);
}

absl::Status RemoveOldCheckpoints(const std::string& folder, int64_t limit, int64_t best_step) {
  const std::vector<int64_t> steps = ListCheckpoints(folder);
  const bool has_best = std::find(steps.begin(), steps.end(), best_step) != steps.end();
  int64_t room = std::max<int64_t>(1, limit - has_best);
  for (const int64_t step : steps) {
    if (step == best_step) continue;
    if (room-- > 0) continue;
    PLUMB_RETURN_IF_ERROR(RemoveCheckpoint(folder, step));
  }
  return absl::OkStatus();
}

absl::Status RemoveUnfinishedCheckpoints(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> leftovers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool temporary = absl::StrContains(name, ".tmp.") || absl::StrContains(name, ".old.");
    if (absl::StartsWith(name, kPrefix) && temporary) leftovers.push_back(entry.path().string());
  }
  for (const std::string& path : leftovers) PLUMB_RETURN_IF_ERROR(RemoveFolder(path));
  return absl::OkStatus();
}

}  // namespace plumb
