#include "alignment/selection/pair_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/data/read_examples.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {

absl::StatusOr<std::vector<PreferenceExample>> ReadPairRows(absl::Span<const Row> rows,
                                                            const std::string& scratch_file) {
  std::string lines;
  for (const Row& row : rows) absl::StrAppend(&lines, row.record.dump(), "\n");
  PLUMB_RETURN_IF_ERROR(WriteFileAtomically(scratch_file, lines));
  RecordSource source;
  source.add_path(scratch_file);
  auto examples = ReadPreferences(source);
  if (examples.ok()) {
    for (size_t i = 0; i < rows.size(); ++i) (*examples)[i].where = rows[i].where;
    return examples;
  }
  // "FILE:LINE: what" is told as of the place that the line came from.
  absl::string_view message = examples.status().message();
  size_t line = 0;
  const bool is_line = absl::ConsumePrefix(&message, absl::StrCat(scratch_file, ":"));
  while (is_line && !message.empty() && message[0] >= '0' && message[0] <= '9') {
    line = 10 * line + (message[0] - '0');
    message.remove_prefix(1);
  }
  if (line == 0 || line > rows.size()) return examples.status();
  return absl::Status(examples.status().code(), absl::StrCat(rows[line - 1].where, message));
}

}  // namespace plumb
