#ifndef PLUMB_COMMON_TESTING_MUTATE_H_
#define PLUMB_COMMON_TESTING_MUTATE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace plumb {

// A damaged copy of a file's bytes, for tests that no input crashes a reader.
struct Mutation {
  std::string bytes;
  std::string what;  // e.g. "flip bit 3 of byte 17", for the test's message
};

// Damages `original` in one of seven ways, all of which come up alike often: truncation, bit flip, byte
// replaced (often by one that means something: NUL, quote, bracket, digit, 0xff), byte inserted, a range
// deleted, a range duplicated, a range copied over another. The same seed gives the same damage everywhere.
// The result may equal the original. Damage falls within the first `window` bytes, e.g. a header.
Mutation Mutate(absl::string_view original, uint64_t seed, size_t window = SIZE_MAX);

// Calls `check` with `count` mutations, seeds 0 .. count-1; failures inside name the seed and the damage.
void ForEachMutation(absl::string_view original, int count,
                     absl::FunctionRef<void(const std::string& bytes)> check, size_t window = SIZE_MAX);

}  // namespace plumb

#endif  // PLUMB_COMMON_TESTING_MUTATE_H_
