#include "alignment/selection/row_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr size_t kBuffered = size_t{1} << 20;

}  // namespace

absl::StatusOr<RowSpool> RowSpool::Make(const std::string& folder) {
  std::string path = folder + "/spool.XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a file in ", folder, ": ", std::strerror(errno)));
  }
  unlink(path.c_str());
  return RowSpool(folder, fd);
}

RowSpool::RowSpool(RowSpool&& other) noexcept
    : folder_(std::move(other.folder_)),
      fd_(std::exchange(other.fd_, -1)),
      buffer_(std::move(other.buffer_)),
      ends_(std::move(other.ends_)) {}

RowSpool& RowSpool::operator=(RowSpool&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  std::swap(ends_, other.ends_);
  return *this;
}

RowSpool::~RowSpool() {
  if (fd_ >= 0) close(fd_);
}

absl::Status RowSpool::Append(const Row& row) {
  const std::string line = Record::array({row.where, row.record}).dump();
  buffer_ += line;
  ends_.push_back((ends_.empty() ? 0 : ends_.back()) + static_cast<int64_t>(line.size()));
  return buffer_.size() < kBuffered ? absl::OkStatus() : Flush();
}

absl::Status RowSpool::Flush() {
  PLUMB_RETURN_IF_ERROR(WriteAll(fd_, buffer_, folder_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<Row> RowSpool::Read(int64_t index) {
  PLUMB_RETURN_IF_ERROR(Flush());
  const int64_t begin = index == 0 ? 0 : ends_[index - 1];
  std::string line(ends_[index] - begin, '\0');
  for (size_t done = 0; done < line.size();) {
    const ssize_t count = pread(fd_, &line[done], line.size() - done, begin + done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::DataLossError(absl::StrCat("cannot read rows set aside in ", folder_, ": ",
                                              count < 0 ? std::strerror(errno) : "the file is cut off"));
    }
    done += count;
  }
  Record pair = Record::parse(line);
  return Row{std::move(pair[1]), pair[0].get<std::string>()};
}

}  // namespace plumb
