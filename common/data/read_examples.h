#ifndef PLUMB_COMMON_DATA_READ_EXAMPLES_H_
#define PLUMB_COMMON_DATA_READ_EXAMPLES_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/data/data.pb.h"
#include "common/data/examples.h"
#include "common/data/record.h"

namespace plumb {

// Examples of the files that `source` names, in their order, whichever of the columns of docs/data.md each
// row has. A row that is none of them is an error: "pairs.jsonl:17: ..." says what is missing and what was
// found.
absl::StatusOr<std::vector<PreferenceExample>> ReadPreferences(const RecordSource& source);
absl::StatusOr<std::vector<TextExample>> ReadTexts(const RecordSource& source);
absl::StatusOr<std::vector<UnpairedExample>> ReadUnpaired(const RecordSource& source);
absl::StatusOr<std::vector<StepwiseExample>> ReadStepwise(const RecordSource& source);
absl::StatusOr<std::vector<PromptExample>> ReadPrompts(const RecordSource& source);

// A prompt or an answer as a record holds it in `column`, or in a list there: text, a message or a list of
// them, in any of the forms of docs/data.md. Errors name the column.
absl::StatusOr<Content> ReadContent(const Record& value, absl::string_view column);

// Every text in the files, whatever its column, as a tokenizer learns from it; files that are not records
// (.txt) are one text.
absl::Status ForEachText(absl::Span<const std::string> paths,
                         absl::FunctionRef<absl::Status(absl::string_view text)> visit);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_READ_EXAMPLES_H_
