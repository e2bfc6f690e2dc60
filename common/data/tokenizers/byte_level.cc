#include "common/data/tokenizers/byte_level.h"

#include "absl/container/flat_hash_map.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

}  // namespace

const std::array<std::string, 256>& ByteLevelAlphabet() {
  static const auto& alphabet = *[] {
    auto* characters = new std::array<std::string, 256>();
    uint32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) (*characters)[byte] = Utf8(StandsForItself(byte) ? byte : next++);
    return characters;
  }();
  return alphabet;
}

std::optional<std::string> BytesOfToken(absl::string_view token) {
  static const auto& byte_of = *[] {
    auto* bytes = new absl::flat_hash_map<std::string, char>();
    for (int byte = 0; byte < 256; ++byte) bytes->emplace(ByteLevelAlphabet()[byte], static_cast<char>(byte));
    return bytes;
  }();
  std::string bytes;
  while (!token.empty()) {
    const size_t length = CharacterLength(token);
    const auto found = byte_of.find(token.substr(0, length));
    if (found == byte_of.end()) return std::nullopt;
    bytes += found->second;
    token.remove_prefix(found->first.size());
  }
  return bytes;
}

}  // namespace plumb
