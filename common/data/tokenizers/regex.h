#ifndef PLUMB_COMMON_DATA_TOKENIZERS_REGEX_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_REGEX_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct pcre2_real_code_8;

namespace plumb {

// A regular expression as tokenizer.json spells it (Oniguruma's syntax), compiled by PCRE2 with Unicode
// classes. Thread-safe.
class Regex {
 public:
  // What the two libraries would understand differently (\h, \w, \b, &&) is refused.
  static absl::StatusOr<Regex> Compile(absl::string_view pattern);

  // Start and end of each match, leftmost first, none empty, in bytes. `text` is valid UTF-8. Where a pattern
  // gives up (a backtracking limit) the matches before that point are returned.
  std::vector<std::pair<uint32_t, uint32_t>> FindAll(absl::string_view text) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_REGEX_H_
