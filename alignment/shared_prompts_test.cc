#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alignment/pair_batch.h"
#include "alignment/pair_logps.h"
#include "common/kernels/fused.h"
#include "common/nn/model.pb.h"
#include "common/nn/new_model.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::vector<int64_t> Tokens(int64_t first, int64_t count) {
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back((first + 7 * i * i + 3 * i) % 60);
  return tokens;
}

std::vector<TokenizedPreference> SomePairs() {
  std::vector<TokenizedPreference> pairs(3);
  const int64_t lengths[3][3] = {{40, 9, 14}, {1, 3, 1}, {120, 50, 2}};
  for (int i = 0; i < 3; ++i) {
    pairs[i].prompt_ids = Tokens(i, lengths[i][0]);
    pairs[i].chosen_ids = Tokens(i + 10, lengths[i][1]);
    pairs[i].rejected_ids = Tokens(i + 20, lengths[i][2]);
  }
  return pairs;
}

// Log-probabilities of the answers, then the gradients of all weights for some sum of them.
std::vector<at::Tensor> Results(at::ScalarType dtype, bool share_prompts) {
  NewModel shape;
  shape.set_hidden_size(48);
  shape.set_intermediate_size(64);
  shape.set_num_hidden_layers(2);
  shape.set_num_attention_heads(4);
  shape.set_num_key_value_heads(2);
  shape.set_initializer_range(0.2);
  const std::unique_ptr<CausalLm> model =
      NewCausalLm(shape, {60, {}, {}, {}}, RandomStream(1, "model"), at::kDouble).value();
  // The same numbers in each dtype.
  std::vector<at::Tensor> weights;
  model->VisitParameters([&](const std::string&, at::Tensor& weight) {
    weight = weight.to(dtype).requires_grad_(true);
    weights.push_back(weight);
  });
  const std::vector<TokenizedPreference> pairs = SomePairs();
  const PairBatch batch = PackPairs({&pairs[0], &pairs[1], &pairs[2]}, /*with_rejected=*/true, share_prompts);
  const at::Tensor logps = TokenLogps(*model, batch, {});
  (logps * at::sin(at::arange(logps.numel(), logps.options()))).mean().backward();
  std::vector<at::Tensor> results = {logps.detach()};
  for (const at::Tensor& weight : weights) results.push_back(weight.grad());
  return results;
}

void ExpectNear(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_LE((a[i] - b[i]).abs().max().item<double>(), tolerance * (1 + b[i].abs().max().item<double>()))
        << "result " << i;
  }
}

TEST(SharedPrompts, GiveTheNumbersOfPromptsBeforeEachAnswer) {
  ExpectNear(Results(at::kDouble, true), Results(at::kDouble, false), 1e-10);
  ExpectNear(Results(at::kFloat, true), Results(at::kFloat, false), 1e-5);
}

TEST(FusedKernels, GiveTheNumbersOfLibTorchsOperators) {
  for (const auto& [dtype, tolerance] : {std::pair(at::kDouble, 1e-10), std::pair(at::kFloat, 1e-5)}) {
    const std::vector<at::Tensor> fused = Results(dtype, true);
    const ScopedUnfusedKernels unfused;
    ExpectNear(fused, Results(dtype, false), tolerance);
  }
}

}  // namespace
}  // namespace plumb
