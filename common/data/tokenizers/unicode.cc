#include "common/data/tokenizers/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstring>

namespace plumb {
namespace {

bool IsAscii(absl::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t eight;
    std::memcpy(&eight, text.data() + i, 8);
    if (eight & 0x8080808080808080u) return false;
  }
  for (; i < text.size(); ++i) {
    if (text[i] & 0x80) return false;
  }
  return true;
}

bool IsWordCharacter(UChar32 c) {
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

const icu::Normalizer2* NormalizerOf(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  switch (form) {
    case NormalForm::kNfc:
      return icu::Normalizer2::getNFCInstance(status);
    case NormalForm::kNfd:
      return icu::Normalizer2::getNFDInstance(status);
    case NormalForm::kNfkc:
      return icu::Normalizer2::getNFKCInstance(status);
    case NormalForm::kNfkd:
      return icu::Normalizer2::getNFKDInstance(status);
  }
  return nullptr;
}

}  // namespace

bool IsValidUtf8(absl::string_view text) {
  if (IsAscii(text)) return true;
  const int32_t size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(text.data(), i, size, c);
    if (c < 0) return false;
  }
  return true;
}

std::string ReplaceInvalidUtf8(absl::string_view text) {
  std::string result;
  result.reserve(text.size());
  const int32_t size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(text.data(), i, size, c);
    if (c < 0) {
      result += "\xEF\xBF\xBD";
    } else {
      result.append(text.data() + start, i - start);
    }
  }
  return result;
}

size_t CharacterLength(absl::string_view text) {
  if (text.empty()) return 0;
  return 1 + U8_COUNT_TRAIL_BYTES(static_cast<uint8_t>(text[0]));
}

std::string Utf8(uint32_t code_point) {
  char buffer[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(buffer, size, code_point);
  return std::string(buffer, size);
}

std::string NormalizeUnicode(absl::string_view text, NormalForm form) {
  if (IsAscii(text)) return std::string(text);
  std::string result;
  result.reserve(text.size());
  icu::StringByteSink<std::string> sink(&result);
  UErrorCode status = U_ZERO_ERROR;
  NormalizerOf(form)->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                                    nullptr, status);
  return U_SUCCESS(status) ? result : std::string(text);
}

bool StartsWithWordCharacter(absl::string_view text) {
  if (text.empty()) return false;
  UChar32 c;
  int32_t i = 0;
  U8_NEXT(text.data(), i, static_cast<int32_t>(text.size()), c);
  return c >= 0 && IsWordCharacter(c);
}

bool EndsWithWordCharacter(absl::string_view text) {
  if (text.empty()) return false;
  UChar32 c;
  int32_t i = static_cast<int32_t>(text.size());
  U8_PREV(text.data(), 0, i, c);
  return c >= 0 && IsWordCharacter(c);
}

size_t LeadingWhitespace(absl::string_view text) {
  int32_t i = 0;
  const int32_t size = static_cast<int32_t>(text.size());
  while (i < size) {
    int32_t next = i;
    UChar32 c;
    U8_NEXT(text.data(), next, size, c);
    if (c < 0 || !u_isUWhiteSpace(c)) break;
    i = next;
  }
  return i;
}

size_t TrailingWhitespace(absl::string_view text) {
  int32_t i = static_cast<int32_t>(text.size());
  while (i > 0) {
    int32_t previous = i;
    UChar32 c;
    U8_PREV(text.data(), 0, previous, c);
    if (c < 0 || !u_isUWhiteSpace(c)) break;
    i = previous;
  }
  return text.size() - i;
}

}  // namespace plumb
