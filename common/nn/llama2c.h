#ifndef PLUMB_COMMON_NN_LLAMA2C_H_
#define PLUMB_COMMON_NN_LLAMA2C_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/nn/causal_lm.h"

namespace plumb {

// Reads the bytes of a llama2.c checkpoint in its first format (github.com/karpathy/llama2.c, "version 0":
// seven int32 sizes, then f32 weights) as a Llama in f32. llama2.c rotates neighbouring elements of a head,
// Hugging Face its halves: rows of the query and key projections are put in the order of the latter. `where`
// (the path) begins messages.
absl::StatusOr<std::unique_ptr<CausalLm>> ReadLlama2c(absl::string_view bytes, const std::string& where);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LLAMA2C_H_
