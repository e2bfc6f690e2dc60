#include "common/data/records.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/data/parquet_records.h"
#include "common/data/tokenizers/unicode.h"
#include "common/files/files.h"
#include "common/program/runfiles.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

enum class Kind { kOther, kLines, kJson, kParquet };

Kind KindOf(absl::string_view path) {
  if (absl::EndsWith(path, ".parquet")) return Kind::kParquet;
  absl::ConsumeSuffix(&path, ".gz");
  if (absl::EndsWith(path, ".jsonl")) return Kind::kLines;
  return absl::EndsWith(path, ".json") ? Kind::kJson : Kind::kOther;
}

constexpr size_t kPiece = 1 << 20;
constexpr size_t kLargestDocument = size_t{4} << 30;  // of a line, or of a .json array
constexpr size_t kDeepest = 200;                      // printing and freeing a value recurse

// A text file, unpacked when its name ends in .gz, read from its start to its end.
class TextReader {
 public:
  static absl::StatusOr<TextReader> Open(const std::string& path) {
    errno = 0;
    TextReader reader(path, gzopen(path.c_str(), "rb"));
    if (reader.file_ == nullptr) {
      return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
    }
    gzbuffer(reader.file_.get(), kPiece);
    // Without a gzip header zlib hands the bytes out as they are.
    if (absl::EndsWith(path, ".gz") && gzdirect(reader.file_.get())) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": not a gzip file, though its name ends in .gz"));
    }
    PLUMB_RETURN_IF_ERROR(reader.ReadPiece());
    if (absl::StartsWith(reader.buffer_, "\xef\xbb\xbf")) reader.begin_ = 3;  // a byte order mark
    return reader;
  }

  // What is read and not yet handed out.
  absl::string_view buffered() const { return absl::string_view(buffer_).substr(begin_); }

  // False when there is no line left. `line` is valid until the next call, `line_number` counts from 1.
  absl::StatusOr<bool> NextLine(absl::string_view* line) {
    size_t searched = 0;
    while (true) {
      const size_t length = buffered().find('\n', searched);
      if (length != absl::string_view::npos || (ended_ && begin_ < buffer_.size())) {
        *line = buffered().substr(0, length);
        begin_ = std::min(begin_ + line->size() + 1, buffer_.size());
        ++line_number_;
        return true;
      }
      if (ended_) return false;
      searched = buffered().size();
      buffer_.erase(0, std::exchange(begin_, 0));
      PLUMB_RETURN_IF_ERROR(ReadPiece());
    }
  }
  int64_t line_number() const { return line_number_; }

  absl::StatusOr<absl::string_view> Rest() {
    while (!ended_) PLUMB_RETURN_IF_ERROR(ReadPiece());
    return buffered();
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  TextReader(std::string path, gzFile file) : path_(std::move(path)), file_(file) {}

  absl::Status ReadPiece() {
    const size_t size = buffer_.size();
    if (size > kLargestDocument - kPiece) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ":", line_number_ + 1, ": a line (or a .json array) of ",
                       "more than 4 GiB; write it as JSON lines in several files"));
    }
    buffer_.resize(size + kPiece);
    errno = 0;
    const int count = gzread(file_.get(), &buffer_[size], kPiece);
    buffer_.resize(size + std::max(count, 0));
    if (count == static_cast<int>(kPiece)) return absl::OkStatus();
    ended_ = true;
    int code = Z_OK;
    const std::string message = gzerror(file_.get(), &code);
    if (code == Z_OK) return absl::OkStatus();
    if (code == Z_BUF_ERROR) {
      return absl::DataLossError(
          absl::StrCat(path_, ": the gzip file is cut off; is the download complete?"));
    }
    if (code == Z_ERRNO)
      return absl::FailedPreconditionError(absl::StrCat(path_, ": ", std::strerror(errno)));
    return absl::DataLossError(absl::StrCat(path_, ": damaged gzip file: ", message));
  }

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::string buffer_;
  size_t begin_ = 0;
  int64_t line_number_ = 0;
  bool ended_ = false;
};

// Makes a Record of what the parser meets. (simdjson is no choice: libparquet.so exports the symbols of
// another version of it.)
class RecordBuilder {
 public:
  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(int64_t value) { return Add(value); }
  bool number_unsigned(uint64_t value) { return Add(value); }
  bool number_float(double value, const std::string&) { return Add(value); }
  bool string(std::string& value) { return Add(std::move(value)); }
  bool binary(Record::binary_t&) { return false; }  // JSON text has none
  bool start_object(size_t) { return Open(Record::object()); }
  bool start_array(size_t) { return Open(Record::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(std::string& name) {
    // Not operator[], which looks through all keys for each new one.
    open_.back()->get_ref<Record::object_t&>().emplace_back(std::move(name), Record());
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Record::exception& exception) {
    // "[json.exception.parse_error.101] parse error at line 1, column 9: WHAT; last read: 'ALL OF A LONG
    // STRING"
    absl::string_view what = exception.what();
    what = what.substr(0, what.find("; last read"));
    what.remove_prefix(what.find("] ") + 2);
    if (absl::StartsWith(what, "parse error")) what.remove_prefix(what.find(": ") + 2);
    error_ = std::string(what);
    error_position_ = position - std::min<size_t>(position, 1);
    return false;
  }

  Record& record() { return record_; }
  const std::string& error() const { return error_; }        // empty when values nest deeper than kDeepest
  size_t error_position() const { return error_position_; }  // in bytes

 private:
  bool Add(Record value) {
    Place(std::move(value));
    return true;
  }
  // Where the next value belongs; pointers to open values stay good, since only the innermost one grows.
  Record* Place(Record value) {
    if (open_.empty()) {
      record_ = std::move(value);
      return &record_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    return &(open_.back()->get_ref<Record::object_t&>().back().second = std::move(value));
  }
  bool Open(Record value) {
    if (open_.size() == kDeepest) return false;
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  Record record_;
  std::vector<Record*> open_;
  std::string error_;
  size_t error_position_ = 0;
};

// Where JSON that is valid so far opens more than kDeepest values: the parser does not say where it is.
size_t TooDeepPosition(absl::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (c == '\\') ++i;  // in a string alone
    if (in_string) continue;
    if (c == ']' || c == '}') --depth;
    if ((c == '[' || c == '{') && ++depth > kDeepest) return i;
  }
  return text.size();
}

// `line_number` is that of the text's first line.
absl::StatusOr<Record> ParseJson(absl::string_view text, const std::string& path, int64_t line_number) {
  RecordBuilder builder;
  if (Record::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.record());
  const bool too_deep = builder.error().empty();
  const absl::string_view before =
      text.substr(0, too_deep ? TooDeepPosition(text) : builder.error_position());
  const size_t line_start = before.rfind('\n') + 1;  // 0 when there is none
  const std::string place =
      absl::StrCat(path, ":", line_number + std::count(before.begin(), before.end(), '\n'));
  const size_t byte = before.size() - line_start + 1;
  return absl::InvalidArgumentError(
      too_deep ? absl::StrCat(place, ": nested too deep at byte ", byte, ": expected at most ", kDeepest,
                              " levels")
               : absl::StrCat(place, ": not valid JSON at byte ", byte, ": ", builder.error()));
}

absl::StatusOr<bool> Visit(const Record& record, const std::string& where, RecordVisitor visit) {
  if (record.is_object()) return visit(record, where);
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": expected an object {\"column\": value, ...}, found ", record.type_name()));
}

absl::Status ForEachLine(const std::string& path, TextReader* reader, RecordVisitor visit) {
  absl::string_view line;
  while (true) {
    PLUMB_ASSIGN_OR_RETURN(const bool found, reader->NextLine(&line));
    if (!found) return absl::OkStatus();
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    PLUMB_ASSIGN_OR_RETURN(const Record record, ParseJson(line, path, reader->line_number()));
    PLUMB_ASSIGN_OR_RETURN(const bool more,
                           Visit(record, absl::StrCat(path, ":", reader->line_number()), visit));
    if (!more) return absl::OkStatus();
  }
}

absl::Status ForEachElement(const std::string& path, absl::string_view text, RecordVisitor visit) {
  PLUMB_ASSIGN_OR_RETURN(const Record array, ParseJson(text, path, 1));
  for (size_t i = 0; i < array.size(); ++i) {
    PLUMB_ASSIGN_OR_RETURN(const bool more, Visit(array[i], absl::StrCat(path, "[", i, "]"), visit));
    if (!more) break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path) {
  const std::string file = ResolveUserFile(path);
  if (FileExists(file)) return std::vector<std::string>{file};
  if (!absl::StartsWith(path, "@")) return ExpandGlob(path);
  auto files = ExpandGlob(absl::StrCat(RunfilesFolder(), "/", path.substr(1)));
  if (files.ok()) return files;
  return absl::NotFoundError(
      absl::StrCat("no file matches ", path, " among the files that come with this program"));
}

bool HasRecords(absl::string_view path) { return KindOf(path) != Kind::kOther; }

absl::Status ForEachRecord(const std::string& path, RecordVisitor visit) {
  const Kind kind = KindOf(path);
  if (kind == Kind::kParquet) return ForEachParquetRecord(path, visit);
  if (kind == Kind::kOther) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a name ending in .jsonl, .json, .jsonl.gz, .json.gz or .parquet"));
  }
  PLUMB_ASSIGN_OR_RETURN(TextReader reader, TextReader::Open(path));
  if (kind == Kind::kLines || !absl::StartsWith(absl::StripLeadingAsciiWhitespace(reader.buffered()), "[")) {
    return ForEachLine(path, &reader, visit);
  }
  PLUMB_ASSIGN_OR_RETURN(const absl::string_view text, reader.Rest());
  return ForEachElement(path, text, visit);
}

absl::Status ForEachRecord(const RecordSource& source, RecordVisitor visit) {
  const int64_t limit =
      source.has_max_examples() ? source.max_examples() : std::numeric_limits<int64_t>::max();
  int64_t count = 0;
  bool more = true;
  const auto visit_counted = [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
    PLUMB_ASSIGN_OR_RETURN(more, visit(record, where));
    more = ++count < limit && more;
    return more;
  };
  for (const std::string& path : source.path()) {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
    for (const std::string& file : files) {
      if (more) PLUMB_RETURN_IF_ERROR(ForEachRecord(file, visit_counted));
    }
  }
  if (count > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no records in ", absl::StrJoin(source.path(), ", ")));
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  PLUMB_ASSIGN_OR_RETURN(TextReader reader, TextReader::Open(path));
  PLUMB_ASSIGN_OR_RETURN(const absl::string_view text, reader.Rest());
  if (!IsValidUtf8(text)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not UTF-8"));
  }
  return std::string(text);
}

}  // namespace plumb
