#ifndef PLUMB_ALIGNMENT_SELECTION_ROW_H_
#define PLUMB_ALIGNMENT_SELECTION_ROW_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "alignment/selection/answer_pair.h"
#include "alignment/selection/select.pb.h"
#include "common/data/data.pb.h"
#include "common/data/record.h"

namespace plumb {

// A record on its way through //alignment:select. Its columns stay as they are unless a step is about them.
struct Row {
  Record record;
  std::string where;  // "pairs.jsonl:17"
};

// Calls `visit` with the rows that `source` names, in their order. Naming none is an error.
absl::Status ForEachRow(const RecordSource& source, absl::FunctionRef<absl::Status(Row row)> visit);

// A column; null where it is not there, or null itself.
const Record* FindColumn(const Row& row, absl::string_view name);

// An error that begins with the row's place.
absl::Status RowError(const Row& row, absl::string_view what);

// The text of some columns, whatever their form, a line a text: of conversations the contents. Without
// `columns`, what stands before an answer (prompt, messages, conversations, instruction and input); in a row
// that has none of these, chosen. An error when no column is there.
absl::StatusOr<std::string> RowText(const Row& row, absl::Span<const std::string> columns);

// A column that lists answers.
absl::StatusOr<const Record*> ReadAnswers(const Row& row, absl::string_view column);

// A column that holds a text.
absl::StatusOr<std::string> ReadText(const Row& row, absl::string_view column);

// A column of true or false.
absl::StatusOr<bool> ReadFlag(const Row& row, absl::string_view column);

// The scores of a row's answers: finite, and as many as there are answers.
absl::StatusOr<std::vector<double>> ReadScores(const Row& row, const AnswerColumns& columns);

// The row with two of its answers as `chosen` and `rejected` in place of all of them and their scores.
Row PairRow(const Row& row, const AnswerColumns& columns, const AnswerPair& pair);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_ROW_H_
