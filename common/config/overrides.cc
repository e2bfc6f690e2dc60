#include "common/config/overrides.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/fields.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// One part of a path: "stage[2]".
struct Step {
  const FieldDescriptor* field = nullptr;
  int index = -1;  // -1: none was given
};

absl::StatusOr<Step> ReadStep(absl::string_view text, const Message& message) {
  const size_t bracket = text.find('[');
  const absl::string_view name = text.substr(0, bracket);
  Step step;
  step.field = message.GetDescriptor()->FindFieldByName(std::string(name));
  if (step.field == nullptr) return Error(UnknownField(*message.GetDescriptor(), name));
  if (bracket == absl::string_view::npos) return step;

  const absl::string_view digits = text.substr(bracket + 1, text.size() - bracket - 2);
  if (text.back() != ']' || !absl::SimpleAtoi(digits, &step.index) || step.index < 0) {
    return Error(absl::StrCat("'", text, "' is no element; expected ", name, "[0]"));
  }
  if (!step.field->is_repeated())
    return Error(absl::StrCat("'", name, "' is no list; leave out [", digits, "]"));
  const int size = message.GetReflection()->FieldSize(message, step.field);
  if (step.index > size) {
    return Error(absl::StrCat(name, " has ", size, size == 1 ? " element" : " elements", "; the next one is ",
                              name, "[", size, "]"));
  }
  return step;
}

// The message that `step` leads to, made when it is not there.
absl::StatusOr<Message*> Enter(const Step& step, Message* message) {
  const FieldDescriptor& field = *step.field;
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return Error(absl::StrCat("'", field.name(), "' has no fields; ", ExpectedValue(field), " as its value"));
  }
  const Reflection& values = *message->GetReflection();
  if (!field.is_repeated()) return values.MutableMessage(message, &field);
  if (step.index < 0) {
    return Error(
        absl::StrCat("'", field.name(), "' is a list; say which element, e.g. ", field.name(), "[0]"));
  }
  if (step.index == values.FieldSize(*message, &field)) return values.AddMessage(message, &field);
  return values.MutableRepeatedMessage(message, &field, step.index);
}

bool IsQuoted(absl::string_view value) {
  return value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
         value.back() == value.front();
}

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string& message) override {
    if (message_.empty()) message_ = message;
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// Adds the value to `field` of `holder`, a message that holds nothing else.
absl::Status ReadValue(absl::string_view value, const FieldDescriptor& field, Message* holder) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && !IsQuoted(value)) {
    const Reflection& values = *holder->GetReflection();
    field.is_repeated() ? values.AddString(holder, &field, std::string(value))
                        : values.SetString(holder, &field, std::string(value));
    return absl::OkStatus();
  }
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(100);
  if (parser.ParseFieldValueFromString(std::string(value), &field, holder)) return absl::OkStatus();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && !value.empty())
    return Error(UnknownEnumValue(field, value));
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !error.message().empty()) {
    return Error(absl::StrCat(ExpectedValue(field), ": ",
                              ExplainParserError(*field.message_type(), error.message()).problem));
  }
  return Error(ExpectedValue(field));
}

// "[a, {b: [1,2]}, "c,d"]" as a, {b: [1,2]}, "c,d": splits at the commas that are in no bracket and no
// quotes.
std::vector<absl::string_view> SplitList(absl::string_view list) {
  const absl::string_view inside = list.substr(1, list.size() - 2);
  std::vector<absl::string_view> parts;
  size_t start = 0;
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      parts.push_back(absl::StripAsciiWhitespace(inside.substr(start, i - start)));
      start = i + 1;
    }
  }
  parts.push_back(absl::StripAsciiWhitespace(inside.substr(start)));
  if (parts.size() == 1 && parts[0].empty()) parts.clear();
  return parts;
}

absl::Status SetValue(absl::string_view value, const Step& step, Message* message) {
  const FieldDescriptor& field = *step.field;
  const std::unique_ptr<Message> holder(message->New());
  const Reflection& values = *message->GetReflection();
  const bool whole_list = field.is_repeated() && step.index < 0;
  if (whole_list && value.size() >= 2 && value.front() == '[' && value.back() == ']') {
    for (const absl::string_view part : SplitList(value))
      PLUMB_RETURN_IF_ERROR(ReadValue(part, field, holder.get()));
  } else {
    PLUMB_RETURN_IF_ERROR(ReadValue(value, field, holder.get()));
  }
  if (!field.is_repeated() || whole_list) values.ClearField(message, &field);
  message->MergeFrom(*holder);  // sets, appends, switches a oneof
  if (step.index >= 0 && step.index < values.FieldSize(*message, &field) - 1) {
    values.SwapElements(message, &field, step.index, values.FieldSize(*message, &field) - 1);
    values.RemoveLast(message, &field);
  }
  return absl::OkStatus();
}

absl::Status Apply(absl::string_view path, absl::string_view value, Message* recipe) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '.');
  Message* message = recipe;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    PLUMB_ASSIGN_OR_RETURN(const Step step, ReadStep(parts[i], *message));
    PLUMB_ASSIGN_OR_RETURN(message, Enter(step, message));
  }
  PLUMB_ASSIGN_OR_RETURN(const Step last, ReadStep(parts.back(), *message));
  return SetValue(value, last, message);
}

}  // namespace

absl::Status ApplyOverride(absl::string_view override_text, Message* recipe) {
  const size_t equals = override_text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return Error(absl::StrCat("--set ", override_text, ": expected path.to.field=value"));
  }
  const std::unique_ptr<Message> changed(recipe->New());
  changed->CopyFrom(*recipe);
  const absl::Status applied =
      Apply(absl::StripAsciiWhitespace(override_text.substr(0, equals)),
            absl::StripAsciiWhitespace(override_text.substr(equals + 1)), changed.get());
  if (!applied.ok()) return Error(absl::StrCat("--set ", override_text, ": ", applied.message()));
  recipe->GetReflection()->Swap(recipe, changed.get());
  return absl::OkStatus();
}

}  // namespace plumb
