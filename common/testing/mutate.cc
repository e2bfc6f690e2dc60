#include "common/testing/mutate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

// What parsers give a meaning to.
constexpr char kMeaningful[] = "\0\"\\{}[]<>:,.0159-+eE\n\r\t \x7f\x80\xc0\xff";

// std::uniform_int_distribution differs between libraries; this does not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : generator_(seed) {}
  size_t Below(size_t bound) { return bound == 0 ? 0 : generator_() % bound; }

 private:
  std::mt19937_64 generator_;
};

char RandomByte(Dice* dice) {
  return dice->Below(2) == 0 ? kMeaningful[dice->Below(sizeof(kMeaningful))]
                             : static_cast<char>(dice->Below(256));
}

}  // namespace

Mutation Mutate(absl::string_view original, uint64_t seed, size_t window) {
  Dice dice(seed);
  Mutation mutation{std::string(original), "nothing"};
  std::string& bytes = mutation.bytes;
  const size_t reach = std::min(bytes.size(), window);
  if (reach == 0) return mutation;
  const size_t at = dice.Below(reach);
  const size_t length = 1 + dice.Below(std::min<size_t>(reach - at, 64));
  switch (dice.Below(7)) {
    case 0:
      bytes.resize(at);
      mutation.what = absl::StrCat("cut at byte ", at);
      break;
    case 1: {
      const int bit = dice.Below(8);
      bytes[at] ^= 1 << bit;
      mutation.what = absl::StrCat("flip bit ", bit, " of byte ", at);
      break;
    }
    case 2:
      bytes[at] = RandomByte(&dice);
      mutation.what = absl::StrCat("replace byte ", at, " by 0x", absl::Hex(static_cast<uint8_t>(bytes[at])));
      break;
    case 3:
      bytes.insert(at, 1, RandomByte(&dice));
      mutation.what = absl::StrCat("insert 0x", absl::Hex(static_cast<uint8_t>(bytes[at])), " at byte ", at);
      break;
    case 4:
      bytes.erase(at, length);
      mutation.what = absl::StrCat("delete ", length, " bytes at byte ", at);
      break;
    case 5:
      bytes.insert(at, std::string(original.substr(at, length)));
      mutation.what = absl::StrCat("duplicate ", length, " bytes at byte ", at);
      break;
    default: {
      const size_t from = dice.Below(reach);
      bytes.replace(at, length, std::string(original.substr(from, length)));
      mutation.what = absl::StrCat("copy ", length, " bytes from byte ", from, " over byte ", at);
    }
  }
  return mutation;
}

void ForEachMutation(absl::string_view original, int count,
                     absl::FunctionRef<void(const std::string& bytes)> check, size_t window) {
  for (int seed = 0; seed < count; ++seed) {
    const Mutation mutation = Mutate(original, seed, window);
    SCOPED_TRACE(absl::StrCat("mutation ", seed, ": ", mutation.what));
    check(mutation.bytes);
  }
}

}  // namespace plumb
