#ifndef PLUMB_COMMON_DATA_TOKENIZERS_UNICODE_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_UNICODE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace plumb {

// What tokenizers need to know of Unicode (ICU does the work). All texts are UTF-8.

bool IsValidUtf8(absl::string_view text);

// Each part that is not UTF-8 becomes U+FFFD: one for each maximal wrong part, as in Python and Rust.
std::string ReplaceInvalidUtf8(absl::string_view text);

// The bytes of the character that starts at text[0]; 0 of an empty text. `text` is valid UTF-8.
size_t CharacterLength(absl::string_view text);

std::string Utf8(uint32_t code_point);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string NormalizeUnicode(absl::string_view text, NormalForm form);

// What \w and \s match in the regular expressions of Hugging Face's tokenizers. `text` is valid UTF-8.
bool StartsWithWordCharacter(absl::string_view text);
bool EndsWithWordCharacter(absl::string_view text);
size_t LeadingWhitespace(absl::string_view text);   // in bytes
size_t TrailingWhitespace(absl::string_view text);  // in bytes

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_UNICODE_H_
