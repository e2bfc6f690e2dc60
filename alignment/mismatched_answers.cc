#include "alignment/mismatched_answers.h"

#include <algorithm>

namespace plumb {
namespace {

// The nearest example before `i` within [begin, end), round and round, that has another prompt; `i` when
// none.
int64_t NearestBefore(const std::vector<TokenizedPreference>& examples, int64_t i, int64_t begin,
                      int64_t end) {
  for (int64_t back = 1; back < end - begin; ++back) {
    const int64_t other = begin + (i - begin + (end - begin) - back) % (end - begin);
    if (examples[other].prompt_ids != examples[i].prompt_ids) return other;
  }
  return i;
}

}  // namespace

void AddMismatchedAnswers(int64_t block, int64_t max_length, std::vector<TokenizedPreference>* examples) {
  const int64_t size = examples->size();
  for (int64_t begin = 0; begin < size; begin += block) {
    const int64_t end = std::min(begin + block, size);
    for (int64_t i = begin; i < end; ++i) {
      int64_t other = NearestBefore(*examples, i, begin, end);
      if (other == i) other = NearestBefore(*examples, i, 0, size);
      TokenizedPreference& example = (*examples)[i];
      example.rejected_ids = (*examples)[other].chosen_ids;
      const int64_t room = max_length - static_cast<int64_t>(example.prompt_ids.size());
      if (static_cast<int64_t>(example.rejected_ids.size()) > room) {
        example.rejected_ids.resize(std::max<int64_t>(room, 0));
      }
    }
  }
}

}  // namespace plumb
