#ifndef PLUMB_COMMON_DATA_TOKENIZERS_BYTE_LEVEL_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_BYTE_LEVEL_H_

#include <array>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace plumb {

// GPT-2's printable alphabet of the 256 bytes, in which byte-level vocabularies are written: printable
// Latin-1 stands for itself, the other bytes are U+0100 and up ("Ġ" is the space).

// The character of each byte, as UTF-8.
const std::array<std::string, 256>& ByteLevelAlphabet();

// The bytes that a token of the vocabulary stands for; none when a character is not of the alphabet.
std::optional<std::string> BytesOfToken(absl::string_view token);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_BYTE_LEVEL_H_
