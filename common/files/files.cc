#include "common/files/files.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

absl::Status SystemError(absl::string_view what, const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOSPC) return absl::ResourceExhaustedError(message);
  return absl::FailedPreconditionError(message);
}

std::string TemporaryName(const std::string& path) { return absl::StrCat(path, ".tmp.", getpid()); }

absl::Status SyncPath(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", path, errno);
  const int failed = fsync(fd) != 0 ? errno : 0;
  close(fd);
  if (failed != 0) return SystemError("sync", path, failed);
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// "a/b/" names the folder "a/b".
std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", path, errno);
  struct stat status;
  if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
    close(fd);
    return SystemError("read", path, EISDIR);
  }
  std::string contents;
  contents.reserve(status.st_size);
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      close(fd);
      return SystemError("read", path, error);
    }
    if (count == 0) break;
    contents.append(buffer, count);
  }
  close(fd);
  return contents;
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("write", path, errno);
    bytes.remove_prefix(count);
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, const std::function<absl::Status(int fd)>& write) {
  const std::string temporary = TemporaryName(path);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", temporary, errno);
  absl::Status status = write(fd);
  if (status.ok() && fsync(fd) != 0) status = SystemError("sync", temporary, errno);
  if (close(fd) != 0 && status.ok()) status = SystemError("close", temporary, errno);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = SystemError("replace", path, errno);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncPath(ParentOf(path));
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents) {
  return WriteFileAtomically(path, [&](int fd) { return WriteAll(fd, contents, path); });
}

absl::Status AppendToFile(const std::string& path, absl::string_view contents, bool sync) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("open", path, errno);
  absl::Status status = WriteAll(fd, contents, path);
  if (status.ok() && sync && fsync(fd) != 0) status = SystemError("sync", path, errno);
  if (close(fd) != 0 && status.ok()) status = SystemError("close", path, errno);
  return status;
}

absl::Status WriteFolderAtomically(const std::string& folder,
                                   const std::function<absl::Status(const std::string& temporary)>& fill) {
  const std::string path = WithoutTrailingSlash(folder);
  if (absl::Status status = MakeFolders(ParentOf(path)); !status.ok()) return status;
  const std::string temporary = TemporaryName(path);
  absl::Status status = RemoveFolder(temporary);
  if (status.ok()) status = MakeFolders(temporary);
  if (status.ok()) status = fill(temporary);
  std::error_code error;
  if (status.ok()) {
    for (const auto& entry : fs::recursive_directory_iterator(temporary, error)) {
      if (status.ok()) status = SyncPath(entry.path().string());
    }
    if (error) status = SystemError("list", temporary, error.value());
  }
  // A folder cannot be renamed over one with files in it: the old one steps aside first.
  const std::string old = absl::StrCat(path, ".old.", getpid());
  bool moved = false;
  if (status.ok()) status = RemoveFolder(old);  // of a process killed here, whose number comes again
  if (status.ok() && fs::exists(path, error)) {
    moved = rename(path.c_str(), old.c_str()) == 0;
    if (!moved) status = SystemError("replace", path, errno);
  }
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = SystemError("replace", path, errno);
    if (moved) rename(old.c_str(), path.c_str());
  }
  if (!status.ok()) {
    fs::remove_all(temporary, error);
    return status;
  }
  fs::remove_all(old, error);
  return SyncPath(ParentOf(path));
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return SystemError("create the folder", path, error.value());
  return absl::OkStatus();
}

absl::Status RemoveFolder(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return SystemError("remove", path, error.value());
  return absl::OkStatus();
}

bool FileExists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::Status CheckFolderName(const std::string& field, const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!name.empty() && plain && name[0] != '.') return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": '", name, "' cannot be a folder's name: expected letters, digits, - _ and ."));
}

absl::StatusOr<std::vector<std::string>> ExpandGlob(const std::string& pattern) {
  glob_t found;
  const int result = glob(pattern.c_str(), GLOB_BRACE | GLOB_TILDE, nullptr, &found);
  std::vector<std::string> paths;
  if (result == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  if (paths.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no file matches ", pattern, " (from ", fs::current_path().string(), ")"));
  }
  return paths;
}

}  // namespace plumb
