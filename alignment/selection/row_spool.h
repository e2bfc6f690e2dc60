#ifndef PLUMB_ALIGNMENT_SELECTION_ROW_SPOOL_H_
#define PLUMB_ALIGNMENT_SELECTION_ROW_SPOOL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignment/selection/row.h"

namespace plumb {

// Rows set aside until it is known what becomes of them: in a file without a name, of which memory holds the
// places of rows alone. What the process leaves of it, even when it is killed, is nothing.
class RowSpool {
 public:
  // In `folder`, which exists.
  static absl::StatusOr<RowSpool> Make(const std::string& folder);
  RowSpool(RowSpool&& other) noexcept;
  RowSpool& operator=(RowSpool&& other) noexcept;
  ~RowSpool();

  absl::Status Append(const Row& row);
  absl::StatusOr<Row> Read(int64_t index);
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }

 private:
  RowSpool(std::string folder, int fd) : folder_(std::move(folder)), fd_(fd) {}
  absl::Status Flush();

  std::string folder_;
  int fd_;
  std::string buffer_;         // not written yet: the file ends at ends_.back() less its size
  std::vector<int64_t> ends_;  // of rows
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_ROW_SPOOL_H_
