#include "common/nn/new_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <map>

#include "common/nn/model.pb.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

NewModel SmallModel() {
  NewModel model;
  model.set_hidden_size(16);
  model.set_intermediate_size(24);
  model.set_num_hidden_layers(2);
  model.set_num_attention_heads(4);
  model.set_num_key_value_heads(2);
  model.set_initializer_range(0.2);
  return model;
}

std::unique_ptr<CausalLm> Make(uint64_t seed, at::ScalarType dtype, const NewModel& model = SmallModel()) {
  VocabularyInfo vocabulary;
  vocabulary.vocab_size = 32;
  auto made = NewCausalLm(model, vocabulary, RandomStream(seed, "model"), dtype);
  PLUMB_EXPECT_OK(made);
  return std::move(made).value();
}

std::map<std::string, at::Tensor> Parameters(CausalLm& model) {
  std::map<std::string, at::Tensor> parameters;
  model.VisitParameters([&](const std::string& name, at::Tensor& tensor) { parameters[name] = tensor; });
  return parameters;
}

TEST(NewModelTest, WeightsFollowFromTheSeedAndTheName) {
  auto first = Make(1, at::kFloat), again = Make(1, at::kFloat), other = Make(2, at::kFloat);
  const auto a = Parameters(*first), b = Parameters(*again), c = Parameters(*other);
  ASSERT_EQ(a.size(), 2 * 9 + 2);
  for (const auto& [name, tensor] : a) EXPECT_TRUE(tensor.equal(b.at(name))) << name;
  EXPECT_FALSE(a.at("model.embed_tokens.weight").equal(c.at("model.embed_tokens.weight")));
  EXPECT_FALSE(a.at("model.layers.0.mlp.up_proj.weight").equal(a.at("model.layers.1.mlp.up_proj.weight")));
  EXPECT_TRUE(a.at("model.norm.weight").eq(1).all().item<bool>());
  EXPECT_NEAR(a.at("model.embed_tokens.weight").std().item<double>(), 0.2, 0.03);
}

TEST(NewModelTest, AHeadOfItsOwnWhenNotTied) {
  NewModel model = SmallModel();
  model.set_tie_word_embeddings(false);
  auto made = Make(1, at::kFloat, model);
  EXPECT_EQ(Parameters(*made).count("lm_head.weight"), 1);
  EXPECT_EQ(made->HeadWeight().sizes(), at::IntArrayRef({32, 16}));
}

TEST(NewModelTest, HeadsMustDivideTheHiddenSize) {
  NewModel model = SmallModel();
  model.set_num_attention_heads(3);
  VocabularyInfo vocabulary;
  vocabulary.vocab_size = 32;
  EXPECT_EQ(NewCausalLm(model, vocabulary, RandomStream(1, "model"), at::kFloat).status().message(),
            "from_scratch: hidden_size (16) must be a multiple of num_attention_heads (3)");
}

double Loss(CausalLm& model, const PackedTokens& tokens, const ForwardOptions& options = {}) {
  at::NoGradGuard no_grad;
  return Logits(model, model.Hidden(tokens, options)).sin().sum().item<double>();
}

TEST(NewModelTest, GradientsAgreeWithFiniteDifferences) {
  auto model = Make(1, at::kDouble);
  const PackedTokens tokens = PackTree({{1, 2, 3}, {4, 5}, {6, 7, 8}, {9}}, {-1, 0, 0, -1});
  for (auto& [name, tensor] : Parameters(*model)) tensor.requires_grad_();
  Logits(*model, model->Hidden(tokens)).sin().sum().backward();
  for (auto& [name, tensor] : Parameters(*model)) {
    at::NoGradGuard no_grad;
    for (int64_t i : {int64_t{0}, tensor.numel() / 2, tensor.numel() - 1}) {
      double& weight = tensor.data_ptr<double>()[i];
      const double kept = weight, step = 1e-6;
      weight = kept + step;
      const double above = Loss(*model, tokens);
      weight = kept - step;
      const double below = Loss(*model, tokens);
      weight = kept;
      EXPECT_NEAR(tensor.grad().data_ptr<double>()[i], (above - below) / (2 * step), 1e-6)
          << name << " " << i;
    }
  }
}

TEST(NewModelTest, CheckpointingGivesTheSameGradientsBitForBit) {
  const PackedTokens tokens = PackTree({{1, 2, 3}, {4, 5}, {6, 7, 8}}, {-1, 0, 0});
  std::map<std::string, at::Tensor> gradients[2];
  for (bool checkpointing : {false, true}) {
    auto model = Make(1, at::kFloat);
    for (auto& [name, tensor] : Parameters(*model)) tensor.requires_grad_();
    ForwardOptions options;
    options.gradient_checkpointing = checkpointing;
    Logits(*model, model->Hidden(tokens, options)).sin().sum().backward();
    for (auto& [name, tensor] : Parameters(*model)) gradients[checkpointing][name] = tensor.grad();
  }
  for (const auto& [name, gradient] : gradients[0])
    EXPECT_TRUE(gradient.equal(gradients[1].at(name))) << name;
}

TEST(NewModelTest, ASharedPromptGivesWhatWholeSequencesGive) {
  auto model = Make(1, at::kDouble);
  at::NoGradGuard no_grad;
  const at::Tensor shared = model->Hidden(PackTree({{1, 2, 3}, {4, 5}, {6, 7, 8}}, {-1, 0, 0}));
  const at::Tensor whole = model->Hidden(PackSequences({{1, 2, 3, 4, 5}, {1, 2, 3, 6, 7, 8}}));
  EXPECT_TRUE(shared.narrow(0, 0, 5).allclose(whole.narrow(0, 0, 5), 0, 1e-12));
  EXPECT_TRUE(shared.narrow(0, 5, 3).allclose(whole.narrow(0, 8, 3), 0, 1e-12));
}

}  // namespace
}  // namespace plumb
