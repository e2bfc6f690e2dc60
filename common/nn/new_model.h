#ifndef PLUMB_COMMON_NN_NEW_MODEL_H_
#define PLUMB_COMMON_NN_NEW_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "common/nn/causal_lm.h"

namespace plumb {

class NewModel;

// What a tokenizer tells a new model.
struct VocabularyInfo {
  int64_t vocab_size = 0;
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> eos_token_id;
  std::optional<int64_t> pad_token_id;
};

// A Llama with random weights as transformers starts them: normal(0, initializer_range), norms 1, biases 0.
// Each tensor has its own stream, named after it, so the weights depend on nothing but `random` and the
// shapes.
absl::StatusOr<std::unique_ptr<CausalLm>> NewCausalLm(const NewModel& model, const VocabularyInfo& vocabulary,
                                                      const RandomStream& random, at::ScalarType dtype);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_NEW_MODEL_H_
