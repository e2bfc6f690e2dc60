#include "common/config/recipe.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/config/fields.h"
#include "common/config/limits.h"
#include "common/config/overrides.h"
#include "common/files/files.h"
#include "common/program/runfiles.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using google::protobuf::Message;
using google::protobuf::TextFormat;

// "FILE:LINE:COLUMN", counted from 1; "FILE" when the place is not known.
std::string Place(const std::string& name, int line, int column) {
  return line < 0 ? name : absl::StrCat(name, ":", line + 1, ":", column + 1);
}

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!message_.empty()) return;
    line_ = line;
    column_ = column;
    message_ = message;
  }
  int line() const { return line_; }
  int column() const { return column_; }
  const std::string& message() const { return message_; }

 private:
  int line_ = -1, column_ = -1;
  std::string message_;
};

// The byte at a place as TextFormat counts: from 0, tabs to the next multiple of 8.
size_t OffsetOf(absl::string_view text, int line, int column) {
  size_t offset = 0;
  for (; line > 0; --line) {
    const size_t end = text.find('\n', offset);
    if (end == absl::string_view::npos) return text.size();
    offset = end + 1;
  }
  for (int reached = 0; reached < column && offset < text.size(); ++offset) {
    reached += text[offset] == '\t' ? 8 - reached % 8 : 1;
  }
  return offset;
}

// TextFormat complains at the token after the word that is wrong, often a line too late: goes back to the
// word.
std::string PlaceOfWord(absl::string_view text, const std::string& name, const FirstError& error,
                        absl::string_view word) {
  const size_t after = error.line() < 0 ? 0 : OffsetOf(text, error.line(), error.column());
  const size_t start = word.empty() ? absl::string_view::npos : text.substr(0, after).rfind(word);
  if (start == absl::string_view::npos) return Place(name, error.line(), error.column());
  const absl::string_view before = text.substr(0, start);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return Place(name, std::count(before.begin(), before.end(), '\n'), start - line_start);
}

absl::Status ParseText(absl::string_view text, const std::string& name, TextFormat::ParseInfoTree* locations,
                       Message* recipe) {
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(locations);
  parser.SetRecursionLimit(100);
  if (parser.ParseFromString(std::string(text), recipe)) return absl::OkStatus();
  const ParserError explained = ExplainParserError(*recipe->GetDescriptor(), error.message());
  return absl::InvalidArgumentError(
      absl::StrCat(PlaceOfWord(text, name, error, explained.word), ": ", explained.problem));
}

// Whether `override_text` sets `path` or something that holds it.
bool Sets(absl::string_view override_text, absl::string_view path) {
  const absl::string_view set = absl::StripAsciiWhitespace(override_text.substr(0, override_text.find('=')));
  return absl::ConsumePrefix(&path, set) && (path.empty() || path[0] == '.' || path[0] == '[');
}

// The line that names the place of a violation: the override that made it, or the file.
absl::Status Describe(const LimitViolation& violation, const std::string& name,
                      const std::vector<std::string>& overrides) {
  std::string place = Place(name, violation.location.line, violation.location.column);
  for (const std::string& text : overrides) {
    if (Sets(text, violation.path)) place = absl::StrCat("--set ", text);
  }
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", violation.path, ": ", violation.problem));
}

}  // namespace

absl::Status ParseRecipe(absl::string_view text, const std::string& name,
                         const std::vector<std::string>& overrides, Message* recipe) {
  const std::unique_ptr<Message> parsed(recipe->New());
  TextFormat::ParseInfoTree locations;
  PLUMB_RETURN_IF_ERROR(ParseText(text, name, &locations, parsed.get()));
  for (const std::string& override_text : overrides)
    PLUMB_RETURN_IF_ERROR(ApplyOverride(override_text, parsed.get()));
  LimitViolation violation;
  if (FindLimitViolation(*parsed, &locations, &violation)) return Describe(violation, name, overrides);
  recipe->GetReflection()->Swap(recipe, parsed.get());
  return absl::OkStatus();
}

absl::Status LoadRecipe(const std::string& path, const std::vector<std::string>& overrides, Message* recipe) {
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(ResolveUserFile(path)));
  return ParseRecipe(text, path, overrides, recipe);
}

}  // namespace plumb
