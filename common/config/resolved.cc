#include "common/config/resolved.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstdint>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/limits.pb.h"

namespace plumb {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;

using FieldPath = std::vector<MessageDifferencer::SpecificField>;

void FillDefault(const FieldDescriptor& field, Message* message) {
  const Reflection& values = *message->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return values.SetInt32(message, &field, field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return values.SetInt64(message, &field, field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return values.SetUInt32(message, &field, field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return values.SetUInt64(message, &field, field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return values.SetDouble(message, &field, field.default_value_double());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return values.SetFloat(message, &field, field.default_value_float());
    case FieldDescriptor::CPPTYPE_BOOL:
      return values.SetBool(message, &field, field.default_value_bool());
    case FieldDescriptor::CPPTYPE_ENUM:
      return values.SetEnum(message, &field, field.default_value_enum());
    case FieldDescriptor::CPPTYPE_STRING:
      return values.SetString(message, &field, field.default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

void FillDefaults(Message* message) {
  const Reflection& values = *message->GetReflection();
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const Limits& options = field.options().GetExtension(limits);
    if (options.partial()) continue;
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      const bool fills = field.has_default_value() && field.containing_oneof() == nullptr;
      if (fills && !values.HasField(*message, &field)) FillDefault(field, message);
    } else if (field.is_repeated()) {
      for (int j = 0; j < values.FieldSize(*message, &field); ++j) {
        FillDefaults(values.MutableRepeatedMessage(message, &field, j));
      }
    } else if (values.HasField(*message, &field) || options.implied()) {
      FillDefaults(values.MutableMessage(message, &field));
    }
  }
}

// Message::MergeFrom does all that MergeOver says, but appends to lists: empties those that `over` has.
void ClearListsOf(const Message& over, Message* base) {
  const Reflection& values = *over.GetReflection();
  std::vector<const FieldDescriptor*> given;
  values.ListFields(over, &given);
  for (const FieldDescriptor* field : given) {
    if (field->is_repeated()) {
      values.ClearField(base, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && values.HasField(*base, field)) {
      ClearListsOf(values.GetMessage(over, field), values.MutableMessage(base, field));
    }
  }
}

std::unique_ptr<Message> Resolved(const Message& recipe) {
  std::unique_ptr<Message> resolved(recipe.New());
  resolved->CopyFrom(recipe);
  FillDefaults(resolved.get());
  return resolved;
}

std::string PathName(const FieldPath& path) {
  std::string name;
  for (const auto& part : path) {
    absl::StrAppend(&name, name.empty() ? "" : ".", part.field->name());
    if (part.field->is_repeated())
      absl::StrAppend(&name, "[", part.index < 0 ? part.new_index : part.index, "]");
  }
  return name;
}

class IgnoreFields : public MessageDifferencer::IgnoreCriteria {
 public:
  explicit IgnoreFields(const std::set<std::string>& names) : names_(names) {}
  bool IsIgnored(const Message&, const Message&, const FieldDescriptor* field, const FieldPath&) override {
    return names_.count(field->full_name()) > 0;
  }

 private:
  const std::set<std::string>& names_;
};

// Keeps a line for each difference. The differ gives it the messages that hold the field.
class DifferenceLines : public MessageDifferencer::Reporter {
 public:
  DifferenceLines() { printer_.SetSingleLineMode(true); }

  void ReportAdded(const Message&, const Message& after, const FieldPath& path) override {
    Add(path, "not set", Value(after, path.back(), path.back().new_index));
  }
  void ReportDeleted(const Message& before, const Message&, const FieldPath& path) override {
    Add(path, Value(before, path.back(), path.back().index), "not set");
  }
  void ReportModified(const Message& before, const Message& after, const FieldPath& path) override {
    if (path.back().field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return;  // its fields are reported
    Add(path, Value(before, path.back(), path.back().index),
        Value(after, path.back(), path.back().new_index));
  }

  std::vector<std::string> lines() && { return std::move(lines_); }

 private:
  std::string Value(const Message& holder, const MessageDifferencer::SpecificField& part, int index) const {
    std::string value;
    printer_.PrintFieldValueToString(holder, part.field, part.field->is_repeated() ? index : -1, &value);
    absl::StripAsciiWhitespace(&value);
    return part.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? absl::StrCat("{ ", value, " }")
                                                                      : value;
  }

  void Add(const FieldPath& path, const std::string& before, const std::string& after) {
    lines_.push_back(absl::StrCat(PathName(path), ": ", before, " -> ", after));
  }

  TextFormat::Printer printer_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string PrintResolved(const Message& recipe) {
  std::string text;
  TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  printer.PrintToString(*Resolved(recipe), &text);
  return text;
}

std::string RecipeHash(const Message& recipe) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const unsigned char c : PrintResolved(recipe)) hash = (hash ^ c) * 0x100000001b3u;
  return absl::StrFormat("%016x", hash);
}

std::vector<std::string> DifferingFields(const Message& before, const Message& after,
                                         const std::set<std::string>& ignored) {
  DifferenceLines reporter;
  MessageDifferencer differencer;
  differencer.AddIgnoreCriteria(new IgnoreFields(ignored));  // which the differencer then owns
  differencer.ReportDifferencesTo(&reporter);
  differencer.Compare(*Resolved(before), *Resolved(after));
  return std::move(reporter).lines();
}

absl::Status CheckSameRecipe(absl::string_view place, const Message& before, const Message& after,
                             const std::set<std::string>& ignored) {
  const std::vector<std::string> differences = DifferingFields(before, after, ignored);
  return differences.empty() ? absl::OkStatus() : DifferentRecipeError(place, differences.front());
}

absl::Status DifferentRecipeError(absl::string_view place, absl::string_view difference) {
  return absl::FailedPreconditionError(
      absl::StrCat(place, " was made by a different recipe: ", difference,
                   "; change it back, choose another output folder, or start afresh with --resume=never"));
}

void MergeOver(const Message& over, Message* base) {
  ClearListsOf(over, base);
  base->MergeFrom(over);
}

}  // namespace plumb
