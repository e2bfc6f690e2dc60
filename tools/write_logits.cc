// What a saved model computes, for tools/goldens/check_saved_folders.py to compare with transformers and
// PEFT.

#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <gflags/gflags.h>

#include <memory>
#include <string>
#include <vector>

#include "common/nn/lora.h"
#include "common/nn/pretrained.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "common/tensor/safetensors.h"

DEFINE_string(adapter, "", "a PEFT folder to put on top of the model");

namespace plumb {
namespace {

constexpr int64_t kSequences = 3;
constexpr int64_t kTokens = 24;

// [B] sequences of random tokens; the first and last few of a vocabulary are often special and are left out.
std::vector<std::vector<int64_t>> RandomSequences(int64_t vocab_size) {
  const RandomStream random(1, "logits");
  std::vector<std::vector<int64_t>> sequences(kSequences, std::vector<int64_t>(kTokens));
  for (int64_t i = 0; i < kSequences * kTokens; ++i) {
    sequences[i / kTokens][i % kTokens] = 3 + random.Below(i, vocab_size - 8);
  }
  return sequences;
}

absl::Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) {
    return absl::InvalidArgumentError("two paths are expected: write_logits MODEL_FOLDER LOGITS.safetensors");
  }
  const at::NoGradGuard no_grad;
  auto reward_model = LoadRewardModel(arguments[0], at::kFloat);
  std::shared_ptr<CausalLm> model;
  if (reward_model.ok()) {
    model = reward_model->body;
  } else {
    PLUMB_ASSIGN_OR_RETURN(model, LoadCausalLm(arguments[0], at::kFloat));
  }
  if (!FLAGS_adapter.empty()) PLUMB_RETURN_IF_ERROR(LoadAdapter(*model, FLAGS_adapter).status());
  std::vector<at::Tensor> ids, results;
  for (const std::vector<int64_t>& sequence : RandomSequences(model->config().vocab_size)) {
    ids.push_back(at::tensor(sequence, at::kLong));
    const at::Tensor hidden = model->Hidden(PackSequences({sequence}));
    results.push_back(reward_model.ok() ? reward_model->Rewards(hidden.narrow(0, kTokens - 1, 1)).squeeze(0)
                                        : Logits(*model, hidden));
  }
  return WriteSafetensors(arguments[1], {{"input_ids", at::stack(ids)},
                                         {reward_model.ok() ? "rewards" : "logits", at::stack(results)}});
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunProgram(argc, argv,
                           "write_logits [--adapter=FOLDER] MODEL_FOLDER LOGITS.safetensors\n"
                           "Writes random tokens and the logits (or rewards) that a saved model gives them.",
                           plumb::Run);
}
