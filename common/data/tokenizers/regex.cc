#include "common/data/tokenizers/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

// Unicode's White_Space, which is what Oniguruma's \s matches. PCRE2's \s has U+180E besides.
constexpr absl::string_view kWhitespace =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

absl::Status Unsupported(absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat("the regular expression's ", what, " is not supported"));
}

// Oniguruma's spelling to PCRE2's.
absl::StatusOr<std::string> Translate(absl::string_view pattern) {
  std::string result;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escape = pattern[++i];
      if (absl::string_view("hHwWbBRXKGZ").find(escape) != absl::string_view::npos) {
        return Unsupported(absl::StrCat("\\", std::string(1, escape)));
      }
      if (escape == 's') {
        absl::StrAppend(&result, in_class ? "" : "[", kWhitespace, in_class ? "" : "]");
      } else if (escape == 'S' && !in_class) {
        absl::StrAppend(&result, "[^", kWhitespace, "]");
      } else {
        result.append({c, escape});
        // A property's braces, as in \p{L}+, are no repetition.
        const size_t close = pattern.substr(i + 1, 1) == "{" ? pattern.find('}', i) : absl::string_view::npos;
        if (close != absl::string_view::npos) {
          absl::StrAppend(&result, pattern.substr(i + 1, close - i));
          i = close;
        }
      }
      continue;
    }
    if (in_class && c == '[' && pattern.substr(i, 2) != "[:") return Unsupported("[ within a class");
    if (in_class && pattern.substr(i, 2) == "&&") return Unsupported("&& within a class");
    if (!in_class && pattern.substr(i, 2) == "}+") return Unsupported("}+");
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    result += c;
  }
  return result;
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

void Regex::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

absl::StatusOr<Regex> Regex::Compile(absl::string_view pattern) {
  absl::StatusOr<std::string> translated = Translate(pattern);
  if (!translated.ok()) return translated.status();
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Oniguruma's ^ and $ are always those of lines.
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                                   &offset, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR message[160];
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(
        absl::StrCat("not a regular expression: ", reinterpret_cast<const char*>(message)));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it, matching is only slower
  Regex regex;
  regex.code_.reset(code);
  return regex;
}

std::vector<std::pair<uint32_t, uint32_t>> Regex::FindAll(absl::string_view text) const {
  std::vector<std::pair<uint32_t, uint32_t>> matches;
  const std::unique_ptr<pcre2_match_data, FreeMatch> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data.get());
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t start = 0; start < text.size();) {
    int found =
        pcre2_match(code_.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK, data.get(), nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack on the heap
      found = pcre2_match(code_.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          data.get(), nullptr);
    }
    if (found < 0) break;
    if (bounds[1] > bounds[0]) {
      matches.emplace_back(bounds[0], bounds[1]);
      start = bounds[1];
    } else {
      start = bounds[1] + CharacterLength(text.substr(bounds[1]));
    }
  }
  return matches;
}

}  // namespace plumb
