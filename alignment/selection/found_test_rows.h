#ifndef PLUMB_ALIGNMENT_SELECTION_FOUND_TEST_ROWS_H_
#define PLUMB_ALIGNMENT_SELECTION_FOUND_TEST_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"

namespace plumb {

// Which rows of a test set a decontamination has found in what it leaves out.
class FoundTestRows {
 public:
  explicit FoundTestRows(int64_t size) : is_found_(size, false) {}

  void Add(int64_t test) { is_found_[test] = true; }

  std::string Figures() const {
    const int64_t found = std::count(is_found_.begin(), is_found_.end(), true);
    return absl::StrFormat("%d of %d test rows (%.2g %%) are the nearest of a row left out", found,
                           is_found_.size(), 100.0 * found / is_found_.size());
  }

 private:
  std::vector<bool> is_found_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_FOUND_TEST_ROWS_H_
