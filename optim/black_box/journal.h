#ifndef PLUMB_OPTIM_BLACK_BOX_JOURNAL_H_
#define PLUMB_OPTIM_BLACK_BOX_JOURNAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// What a study has evaluated, an object a line, appended and synced after each evaluation: what was there
// when a process was killed is there when the next one begins.
struct JournalEntry {
  std::vector<double> point;  // of the unit cube
  std::string parameters;     // the same as the user sees it, a JSON object
  double value = 0;           // in the user's direction; NaN: failed
  std::string failure;        // why; empty unless it failed
  double seconds = 0;
  std::vector<double> constraints;         // NaN where it failed
  std::map<std::string, double> gradient;  // by parameter, in the user's units
};

struct Journal {
  std::vector<JournalEntry> entries;
  // The last line is not whole: a process was killed, or the disk was full, while it was written.
  bool cut_off = false;
};

// A file that is not there is an empty journal. A line that is damaged, of another dimension or number of
// constraints, or out of turn is an error that names it; a last line without its end is left out.
absl::StatusOr<Journal> ReadJournal(const std::string& path, int64_t dimension, int64_t constraints = 0);

absl::Status AppendToJournal(const std::string& path, int64_t number, const JournalEntry& entry);

// The journal as it is when nothing was lost, replaced as a whole.
absl::Status WriteJournal(const std::string& path, const std::vector<JournalEntry>& entries);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_JOURNAL_H_
