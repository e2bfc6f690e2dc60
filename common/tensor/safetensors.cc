#include "common/tensor/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/tensor/dtype.h"
#include "common/tensor/safetensors_header.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLengthBytes = 8;              // the header's length, little-endian
constexpr uint64_t kMaxHeaderBytes = 100000000;  // as the reference implementation

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::Status Invalid(const std::string& path, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", message));
}

// A byte of a bool that is neither 0 nor 1 is undefined behaviour for whoever reads it.
bool HoldsBools(const char* bytes, int64_t size) {
  return std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte <= 1; });
}

}  // namespace

class Safetensors::MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<MappedFile>> Open(const std::string& path) {
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
    auto file = Map(fd, path);
    close(fd);
    return file;
  }
  ~MappedFile() { munmap(data_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Reads these bytes from the file again when they are next touched. Pages that others have a part of stay.
  void Forget(int64_t begin, int64_t end) {
    const int64_t page = sysconf(_SC_PAGESIZE);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    // Only ever an advice: what goes wrong costs memory alone.
    if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
  }

  char* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  MappedFile(char* data, int64_t size) : data_(data), size_(size) {}

  static absl::StatusOr<std::shared_ptr<MappedFile>> Map(int fd, const std::string& path) {
    struct stat status;
    if (fstat(fd, &status) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (!S_ISREG(status.st_mode)) return Invalid(path, "not a file");
    if (status.st_size < kLengthBytes) {
      return Invalid(path, absl::StrCat(status.st_size, " bytes are too few for a safetensors file"));
    }
    // Private and writable: an in-place operation changes a copy of the page. No swap is set aside for that.
    void* data = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (data == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat("cannot map ", path));
    return std::shared_ptr<MappedFile>(new MappedFile(static_cast<char*>(data), status.st_size));
  }

  char* const data_;
  const int64_t size_;
};

absl::StatusOr<Safetensors> Safetensors::Open(const std::string& path) {
  Safetensors tensors;
  std::error_code error;
  tensors.path_ = fs::is_directory(path, error) ? (fs::path(path) / "model.safetensors").string() : path;
  const std::string index_path = tensors.path_ + ".index.json";
  if (!fs::exists(tensors.path_, error) && fs::exists(index_path, error)) {
    PLUMB_RETURN_IF_ERROR(tensors.AddShards(index_path));
  } else {
    PLUMB_RETURN_IF_ERROR(tensors.AddFile(tensors.path_));
  }
  for (size_t i = 0; i < tensors.entries_.size(); ++i) tensors.index_[tensors.entries_[i].name] = i;
  return tensors;
}

absl::Status Safetensors::AddFile(const std::string& path) {
  PLUMB_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, MappedFile::Open(path));
  uint64_t length;
  std::memcpy(&length, file->data(), kLengthBytes);
  const int64_t after_length = file->size() - kLengthBytes;
  if (length > kMaxHeaderBytes || static_cast<int64_t>(length) > after_length) {
    return Invalid(path, absl::StrCat("a header of ", length, " bytes in a file of ", file->size(),
                                      "; is it cut off, or not a safetensors file?"));
  }
  const absl::string_view text(file->data() + kLengthBytes, length);
  auto header = ParseSafetensorsHeader(text, after_length - length);
  if (!header.ok()) return InFile(path, header.status());
  for (auto& tensor : header->tensors) {
    locations_.push_back({file, static_cast<int64_t>(kLengthBytes + length) + tensor.begin});
    entries_.push_back({std::move(tensor.name), tensor.dtype, std::move(tensor.shape)});
  }
  metadata_.insert(header->metadata.begin(), header->metadata.end());
  return absl::OkStatus();
}

absl::Status Safetensors::AddShards(const std::string& index_path) {
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(index_path));
  const auto weight_map = ParseSafetensorsIndex(text);
  if (!weight_map.ok()) return InFile(index_path, weight_map.status());
  std::map<std::string, std::set<std::string>> expected;  // of each shard
  for (const auto& [name, file] : *weight_map) expected[file].insert(name);

  for (auto& [file, names] : expected) {
    const std::string shard_path = (fs::path(index_path).parent_path() / file).string();
    Safetensors shard;
    PLUMB_RETURN_IF_ERROR(shard.AddFile(shard_path));
    for (size_t i = 0; i < shard.entries_.size(); ++i) {
      if (names.erase(shard.entries_[i].name) == 0) continue;
      entries_.push_back(std::move(shard.entries_[i]));
      locations_.push_back(std::move(shard.locations_[i]));
    }
    if (!names.empty()) {
      return Invalid(shard_path, absl::StrCat("tensor ", Quoted(*names.begin()), " is not there, but ",
                                              index_path, " says so"));
    }
    metadata_.insert(shard.metadata_.begin(), shard.metadata_.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> Safetensors::Get(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    return absl::NotFoundError(absl::StrCat(path_, ": there is no tensor ", Quoted(name)));
  }
  const Entry& entry = entries_[found->second];
  const Location& location = locations_[found->second];
  const auto options = at::TensorOptions().dtype(entry.dtype);
  char* data = location.file->data() + location.offset;
  const int64_t element_bytes = c10::elementSize(entry.dtype);
  at::Tensor tensor;
  if (location.offset % element_bytes == 0) {
    tensor = at::from_blob(
        data, entry.shape, [file = location.file](void*) {}, options);
  } else {
    tensor = at::empty(entry.shape, options);
    std::memcpy(tensor.mutable_data_ptr(), data, tensor.nbytes());
  }
  if (entry.dtype == at::kBool && !HoldsBools(data, tensor.numel())) {
    return Invalid(path_, absl::StrCat("tensor ", Quoted(name), ": a BOOL is neither 0 nor 1"));
  }
  return tensor;
}

absl::StatusOr<at::Tensor> Safetensors::GetAs(const std::string& name, at::ScalarType dtype) const {
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor stored, Get(name));
  if (stored.scalar_type() == dtype) return stored;
  at::Tensor converted = stored.to(dtype);
  const Location& location = locations_[index_.at(name)];
  location.file->Forget(location.offset, location.offset + static_cast<int64_t>(stored.nbytes()));
  return converted;
}

namespace {

absl::Status CheckWritable(absl::Span<const NamedTensor> tensors) {
  std::set<absl::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    const auto refuse = [&name = name](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(name), " ", why));
    };
    if (name == "__metadata__") return refuse("has a name that the format keeps for itself");
    if (!names.insert(name).second) return refuse("is there twice");
    if (!tensor.defined()) return refuse("is undefined");
    if (tensor.layout() != at::kStrided) return refuse("is not dense");
    if (SafetensorsDtypeName(tensor.scalar_type()).empty()) {
      return refuse(
          absl::StrCat("is ", DtypeName(tensor.scalar_type()), ", which safetensors does not have"));
    }
  }
  return absl::OkStatus();
}

// Larger elements first: the format allows no gaps, so that any other order would leave some misaligned.
std::vector<NamedTensor> InFileOrder(absl::Span<const NamedTensor> tensors) {
  std::vector<NamedTensor> ordered(tensors.begin(), tensors.end());
  std::stable_sort(ordered.begin(), ordered.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return a.tensor.element_size() > b.tensor.element_size();
  });
  return ordered;
}

absl::StatusOr<std::string> HeaderBytes(absl::Span<const NamedTensor> tensors,
                                        const SafetensorsMetadata& metadata) {
  SafetensorsHeader header;
  header.metadata = metadata;
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const int64_t bytes = tensor.nbytes();
    header.tensors.push_back({name, tensor.scalar_type(), tensor.sizes().vec(), offset, offset + bytes});
    offset += bytes;
  }
  PLUMB_ASSIGN_OR_RETURN(std::string text, PrintSafetensorsHeader(header));
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  return bytes + text;
}

absl::Status WriteTensor(int fd, const at::Tensor& tensor, const std::string& path) {
  const at::Tensor plain = tensor.detach().cpu().resolve_neg().contiguous();
  return WriteAll(fd, {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()}, path);
}

// The tensors of each shard: filled in order, a tensor larger than the limit alone.
std::vector<absl::Span<const NamedTensor>> PlanShards(absl::Span<const NamedTensor> tensors,
                                                      int64_t max_bytes) {
  std::vector<absl::Span<const NamedTensor>> shards;
  size_t begin = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t size = tensors[i].tensor.nbytes();
    if (i > begin && bytes + size > max_bytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += size;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata) {
  if (absl::Status status = CheckWritable(tensors); !status.ok()) return InFile(path, status);
  const std::vector<NamedTensor> ordered = InFileOrder(tensors);
  const auto header = HeaderBytes(ordered, metadata);
  if (!header.ok()) return InFile(path, header.status());
  return WriteFileAtomically(path, [&](int fd) -> absl::Status {
    PLUMB_RETURN_IF_ERROR(WriteAll(fd, *header, path));
    for (const NamedTensor& tensor : ordered) PLUMB_RETURN_IF_ERROR(WriteTensor(fd, tensor.tensor, path));
    return absl::OkStatus();
  });
}

absl::Status WriteShardedSafetensors(const std::string& folder, const std::string& stem,
                                     absl::Span<const NamedTensor> tensors, int64_t max_shard_bytes,
                                     const SafetensorsMetadata& metadata) {
  const std::string path = (fs::path(folder) / (stem + ".safetensors")).string();
  // Also what is wrong between shards, a name twice.
  if (absl::Status status = CheckWritable(tensors); !status.ok()) return InFile(path, status);
  const auto shards = PlanShards(tensors, max_shard_bytes);
  if (shards.size() == 1) return WriteSafetensors(path, tensors, metadata);
  std::map<std::string, std::string> weight_map;
  int64_t total_bytes = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = absl::StrFormat("%s-%05d-of-%05d.safetensors", stem, i + 1, shards.size());
    PLUMB_RETURN_IF_ERROR(WriteSafetensors((fs::path(folder) / file).string(), shards[i], metadata));
    for (const auto& [name, tensor] : shards[i]) {
      weight_map[name] = file;
      total_bytes += tensor.nbytes();
    }
  }
  PLUMB_ASSIGN_OR_RETURN(const std::string index, PrintSafetensorsIndex(weight_map, total_bytes));
  return WriteFileAtomically(path + ".index.json", index);
}

}  // namespace plumb
