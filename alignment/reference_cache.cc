#include "alignment/reference_cache.h"

#include <ATen/TensorOperators.h>
#include <glog/logging.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "alignment/content_hash.h"
#include "alignment/preference_data.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/tensor/safetensors.h"

namespace plumb {
namespace {

constexpr char kFormat[] = "plumb reference log-probabilities 1";

std::string Key(const std::string& model_hash, absl::Span<const TokenizedPreference> pairs,
                bool with_rejected) {
  ContentHash hash;
  hash.Add(kFormat);
  hash.Add(model_hash);
  hash.Add(with_rejected ? "pairs" : "chosen");
  for (const TokenizedPreference& pair : pairs) {
    hash.Add(pair.prompt_ids);
    hash.Add(pair.chosen_ids);
    if (with_rejected) hash.Add(pair.rejected_ids);
  }
  return hash.Hex();
}

struct Sizes {
  int64_t chosen = 0;
  int64_t rejected = 0;
};

Sizes SizesOf(absl::Span<const TokenizedPreference> pairs, bool with_rejected) {
  Sizes sizes;
  for (const TokenizedPreference& pair : pairs) {
    sizes.chosen += PredictedTokens(pair, pair.chosen_ids);
    if (with_rejected) sizes.rejected += PredictedTokens(pair, pair.rejected_ids);
  }
  return sizes;
}

absl::StatusOr<at::Tensor> ReadLogps(const Safetensors& file, const std::string& name, int64_t size) {
  PLUMB_ASSIGN_OR_RETURN(at::Tensor logps, file.Get(name));
  if (logps.scalar_type() != at::kFloat || logps.dim() != 1 || logps.size(0) != size) {
    return absl::DataLossError(absl::StrCat(name, " has not the ", size, " numbers of this data"));
  }
  // Log-probabilities are finite and at most 0, but for rounding.
  if (size > 0 && !((logps <= 1e-3).all().item<bool>() && logps.isfinite().all().item<bool>())) {
    return absl::DataLossError(absl::StrCat(name, " holds numbers that are no log-probabilities"));
  }
  return logps;
}

absl::StatusOr<ReferenceLogps> Read(const std::string& path, const std::string& key, const Sizes& sizes) {
  PLUMB_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Open(path));
  const auto stored_key = file.metadata().find("key");
  if (stored_key == file.metadata().end() || stored_key->second != key) {
    return absl::DataLossError("it was made for something else");
  }
  ReferenceLogps logps;
  PLUMB_ASSIGN_OR_RETURN(logps.chosen_token_logps, ReadLogps(file, "chosen_token_logps", sizes.chosen));
  PLUMB_ASSIGN_OR_RETURN(logps.rejected_token_logps, ReadLogps(file, "rejected_token_logps", sizes.rejected));
  const auto checksum = file.metadata().find("checksum");
  ContentHash hash;
  hash.Add(logps.chosen_token_logps);
  hash.Add(logps.rejected_token_logps);
  if (checksum == file.metadata().end() || checksum->second != hash.Hex()) {
    return absl::DataLossError("its numbers are not those that were written");
  }
  return logps;
}

absl::Status Write(const std::string& path, const std::string& key, const ReferenceLogps& logps) {
  ContentHash hash;
  hash.Add(logps.chosen_token_logps);
  hash.Add(logps.rejected_token_logps);
  return WriteSafetensors(path,
                          {{"chosen_token_logps", logps.chosen_token_logps},
                           {"rejected_token_logps", logps.rejected_token_logps}},
                          {{"format", kFormat}, {"key", key}, {"checksum", hash.Hex()}});
}

}  // namespace

absl::StatusOr<ReferenceLogps> CachedReferenceLogps(
    const std::string& folder, const std::string& model_hash, absl::Span<const TokenizedPreference> pairs,
    bool with_rejected, const std::function<absl::StatusOr<ReferenceLogps>()>& compute) {
  const std::string key = Key(model_hash, pairs, with_rejected);
  const std::string path = absl::StrCat(folder, "/", key, ".safetensors");
  if (FileExists(path)) {
    absl::StatusOr<ReferenceLogps> cached = Read(path, key, SizesOf(pairs, with_rejected));
    if (cached.ok()) return cached;
    LOG(WARNING) << path << ": not used (" << cached.status().message() << "); computed again";
  }
  PLUMB_ASSIGN_OR_RETURN(const ReferenceLogps logps, compute());
  PLUMB_RETURN_IF_ERROR(MakeFolders(folder));
  PLUMB_RETURN_IF_ERROR(Write(path, key, logps));
  return logps;
}

}  // namespace plumb
