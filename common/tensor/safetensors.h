#ifndef PLUMB_COMMON_TENSOR_SAFETENSORS_H_
#define PLUMB_COMMON_TENSOR_SAFETENSORS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace plumb {

using SafetensorsMetadata = std::map<std::string, std::string>;

// Tensors in the safetensors format (https://github.com/huggingface/safetensors): one file, or shards with an
// index. Files are mapped into memory: opening reads headers alone, Get() copies nothing, and pages are
// loaded when touched. Headers are checked as strictly as the reference implementation checks them (no gap,
// no overlap, no byte left over); errors name the file and the tensor.
class Safetensors {
 public:
  struct Entry {
    std::string name;
    at::ScalarType dtype;
    std::vector<int64_t> shape;
  };

  // `path` is a file; or a folder, which means its model.safetensors. Where path itself does not exist but
  // path.index.json does, the shards that this index names are opened; the index says what the model holds,
  // so a tensor of a shard that the index does not name is not seen.
  static absl::StatusOr<Safetensors> Open(const std::string& path);

  // In the order of the data; shards in the order of their names.
  const std::vector<Entry>& entries() const { return entries_; }
  bool Contains(const std::string& name) const { return index_.count(name) != 0; }

  // A view of the file that keeps the mapping alive. It may be written to: that changes neither the file nor
  // what another mapping sees. A copy where the file has the tensor at an address that does not suit its
  // dtype.
  absl::StatusOr<at::Tensor> Get(const std::string& name) const;

  // The same in a dtype: a view where the file has it in that, else a copy, after which the pages of the file
  // that it was read from take no memory any more; what was written to a view of this tensor is lost.
  absl::StatusOr<at::Tensor> GetAs(const std::string& name, at::ScalarType dtype) const;

  // __metadata__ of the file, or of all shards.
  const SafetensorsMetadata& metadata() const { return metadata_; }

 private:
  class MappedFile;
  struct Location {
    std::shared_ptr<MappedFile> file;
    int64_t offset = 0;  // from the start of the file
  };

  absl::Status AddFile(const std::string& path);
  absl::Status AddShards(const std::string& index_path);

  std::string path_;
  std::vector<Entry> entries_;
  std::vector<Location> locations_;  // of entries_
  std::map<std::string, size_t> index_;
  SafetensorsMetadata metadata_;
};

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Replaces `path` as a whole or not at all. The data is in the order given, except that larger element types
// come first, so that each tensor is aligned; tensors are written one after another, none is copied unless it
// is not contiguous. transformers wants {"format": "pt"} in the metadata.
absl::Status WriteSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata = {{"format", "pt"}});

// As save_pretrained does it: STEM.safetensors in the existing folder when that takes at most
// max_shard_bytes, else STEM-00001-of-0000N.safetensors and so on, and STEM.safetensors.index.json. Each file
// is replaced as a whole, the folder is not: for that, see WriteFolderAtomically.
absl::Status WriteShardedSafetensors(const std::string& folder, const std::string& stem,
                                     absl::Span<const NamedTensor> tensors, int64_t max_shard_bytes,
                                     const SafetensorsMetadata& metadata = {{"format", "pt"}});

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_SAFETENSORS_H_
