#ifndef PLUMB_COMMON_DATA_TOKENIZERS_POST_PROCESSOR_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_POST_PROCESSOR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/data/tokenizers/json_value.h"

namespace plumb {

// The `post_processor` of tokenizer.json, as far as it concerns the ids of one text: what is put before and
// after it. TemplateProcessing, ByteLevel (which only moves offsets), and sequences of them.
class PostProcessor {
 public:
  PostProcessor() = default;
  PostProcessor(std::optional<int64_t> bos, std::optional<int64_t> eos);
  // Null: nothing.
  static absl::StatusOr<PostProcessor> FromJson(const JsonValue& value);

  void Process(std::vector<int64_t>* ids) const;

 private:
  absl::Status Add(const JsonValue& value, int depth);
  absl::Status AddTemplate(const JsonValue& value);

  std::vector<int64_t> before_, after_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_POST_PROCESSOR_H_
