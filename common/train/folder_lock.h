#ifndef PLUMB_COMMON_TRAIN_FOLDER_LOCK_H_
#define PLUMB_COMMON_TRAIN_FOLDER_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace plumb {

// Keeps two processes from training in one folder. Held while this object lives and the process runs; a file
// named "lock" stays behind and means nothing.
class FolderLock {
 public:
  static absl::StatusOr<FolderLock> Take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_FOLDER_LOCK_H_
