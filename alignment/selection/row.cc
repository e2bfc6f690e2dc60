#include "alignment/selection/row.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/data/records.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// Texts of a column: itself, those in its lists, and of messages what they say (not the names of roles).
void AppendTexts(const Record& value, std::string* text) {
  if (value.is_string()) {
    absl::StrAppend(text, text->empty() ? "" : "\n", value.get_ref<const std::string&>());
  } else if (value.is_array()) {
    for (const Record& element : value) AppendTexts(element, text);
  } else if (value.is_object()) {
    for (const char* said : {"content", "value", "text"}) {
      if (const auto found = value.find(said); found != value.end()) AppendTexts(*found, text);
    }
  }
}

}  // namespace

absl::Status ForEachRow(const RecordSource& source, absl::FunctionRef<absl::Status(Row row)> visit) {
  return ForEachRecord(source, [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
    PLUMB_RETURN_IF_ERROR(visit({record, where}));
    return true;
  });
}

const Record* FindColumn(const Row& row, absl::string_view name) {
  const auto column = row.record.find(std::string(name));
  return column == row.record.end() || column->is_null() ? nullptr : &*column;
}

absl::Status RowError(const Row& row, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(row.where, ": ", what));
}

absl::StatusOr<std::string> RowText(const Row& row, absl::Span<const std::string> columns) {
  static const auto& kBeforeTheAnswer = *new std::vector<std::string>(
      {"system", "prompt", "messages", "conversations", "instruction", "input"});
  static const auto& kWithPrompt = *new std::vector<std::string>({"chosen"});
  const bool is_default = columns.empty();
  if (is_default) columns = kBeforeTheAnswer;
  std::string text;
  bool any = false;
  for (const std::string& name : columns) {
    const Record* column = FindColumn(row, name);
    if (column == nullptr) continue;
    any |= !is_default || name != "system";
    AppendTexts(*column, &text);
  }
  if (any) return text;
  if (is_default && FindColumn(row, "chosen") != nullptr) return RowText(row, kWithPrompt);
  return RowError(row, absl::StrCat("expected one of the columns ", absl::StrJoin(columns, ", "),
                                    is_default ? ", chosen" : ""));
}

absl::StatusOr<const Record*> ReadAnswers(const Row& row, absl::string_view column) {
  const Record* answers = FindColumn(row, column);
  if (answers != nullptr && answers->is_array()) return answers;
  return RowError(row, absl::StrCat("column '", column, "': expected a list of answers"));
}

absl::StatusOr<std::string> ReadText(const Row& row, absl::string_view column) {
  const Record* text = FindColumn(row, column);
  if (text != nullptr && text->is_string()) return text->get<std::string>();
  return RowError(row, absl::StrCat("column '", column, "': expected a text"));
}

absl::StatusOr<bool> ReadFlag(const Row& row, absl::string_view column) {
  const Record* flag = FindColumn(row, column);
  if (flag != nullptr && flag->is_boolean()) return flag->get<bool>();
  return RowError(row, absl::StrCat("column '", column, "': expected true or false"));
}

absl::StatusOr<std::vector<double>> ReadScores(const Row& row, const AnswerColumns& columns) {
  const Record* answers = FindColumn(row, columns.answers());
  const Record* scores = FindColumn(row, columns.scores());
  for (const auto& [column, name] :
       {std::make_pair(answers, columns.answers()), std::make_pair(scores, columns.scores())}) {
    if (column == nullptr) return RowError(row, absl::StrCat("expected the column ", name));
    if (!column->is_array()) return RowError(row, absl::StrCat("column '", name, "': expected a list"));
  }
  if (answers->size() != scores->size()) {
    return RowError(row, absl::StrCat("expected a score for each of the ", answers->size(),
                                      " answers, found ", scores->size(), " scores"));
  }
  std::vector<double> values;
  for (const Record& score : *scores) {
    if (!score.is_number() || !std::isfinite(score.get<double>())) {
      return RowError(row, absl::StrCat("column '", columns.scores(), "': expected finite numbers"));
    }
    values.push_back(score.get<double>());
  }
  return values;
}

Row PairRow(const Row& row, const AnswerColumns& columns, const AnswerPair& pair) {
  Row result = {Record::object(), row.where};
  for (const auto& [name, value] : row.record.items()) {
    const bool is_answer =
        name == columns.answers() || name == columns.scores() || name == "chosen" || name == "rejected";
    if (!is_answer && !result.record.contains(name)) result.record[name] = value;
  }
  const Record& answers = *FindColumn(row, columns.answers());
  result.record["chosen"] = answers[pair.chosen];
  result.record["rejected"] = answers[pair.rejected];
  return result;
}

}  // namespace plumb
