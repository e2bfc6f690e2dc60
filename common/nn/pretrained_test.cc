#include "common/nn/pretrained.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/model.pb.h"
#include "common/nn/new_model.h"
#include "common/tensor/safetensors.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Parameters = std::map<std::string, at::Tensor>;

std::string Folder(const std::string& name) { return Runfile("common/nn/testdata/" + name); }

std::unique_ptr<CausalLm> Load(const std::string& name, std::optional<at::ScalarType> dtype = std::nullopt) {
  auto model = LoadCausalLm(Folder(name), dtype);
  PLUMB_EXPECT_OK(model);
  return std::move(model).value();
}

Parameters ParametersOf(CausalLm& model) {
  Parameters parameters;
  model.VisitParameters([&](const std::string& name, at::Tensor& tensor) { parameters[name] = tensor; });
  return parameters;
}

at::Tensor Golden(const std::string& name, const std::string& tensor) {
  return Safetensors::Open(Folder(name) + "/golden.safetensors").value().Get(tensor).value();
}

std::vector<int64_t> GoldenIds(const std::string& name) {
  const at::Tensor ids = Golden(name, "input_ids").flatten();
  return {ids.data_ptr<int64_t>(), ids.data_ptr<int64_t>() + ids.numel()};
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor LogitsOf(CausalLm& model, const PackedTokens& tokens) {
  at::NoGradGuard no_grad;
  return Logits(model, model.Hidden(tokens));
}

class GoldenModelTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenModelTest, LogitsAgreeWithTransformers) {
  auto model = Load(GetParam(), at::kFloat);
  const at::Tensor logits = LogitsOf(*model, PackSequences({GoldenIds(GetParam())}));
  EXPECT_LT(LargestDifference(logits, Golden(GetParam(), "logits")[0]), 1e-4);
}

TEST_P(GoldenModelTest, ACacheGivesWhatTheWholeSequenceGives) {
  if (std::string(GetParam()).find("dynamic") != std::string::npos) {
    GTEST_SKIP() << "skipped: the dynamic scaling depends on the length so far, as in transformers";
  }
  auto model = Load(GetParam(), at::kDouble);
  const std::vector<int64_t> ids = GoldenIds(GetParam());
  const at::Tensor whole = LogitsOf(*model, PackSequences({ids}));
  KeyValueCache cache(model->config(), at::kDouble, 2);
  // Two sequences that are fed in pieces of different sizes, at times nothing.
  const std::vector<std::vector<int64_t>> pieces = {{7, 0}, {1, 9}, {16, 1}};
  int64_t fed[2] = {0, 0};
  for (const auto& piece : pieces) {
    std::vector<std::vector<int64_t>> next;
    for (int s : {0, 1}) next.emplace_back(ids.begin() + fed[s], ids.begin() + fed[s] + piece[s]);
    PackedTokens tokens = PackSequences(next);
    for (int s : {0, 1}) tokens.position_ids.narrow(0, tokens.segments[s].begin, piece[s]).add_(fed[s]);
    const at::Tensor logits = Logits(*model, model->HiddenWithCache(tokens, &cache));
    for (int s : {0, 1}) {
      const at::Tensor part = logits.narrow(0, tokens.segments[s].begin, piece[s]);
      if (piece[s] > 0) {
        EXPECT_LT(LargestDifference(part, whole.narrow(0, fed[s], piece[s])), 1e-10);
      }
      fed[s] += piece[s];
    }
  }
  EXPECT_EQ(cache.length(0), 24);
  EXPECT_EQ(cache.length(1), 10);
}

TEST_P(GoldenModelTest, PackingChangesNothing) {
  auto model = Load(GetParam(), at::kDouble);
  const std::vector<int64_t> ids = GoldenIds(GetParam());
  const std::vector<int64_t> prompt(ids.begin(), ids.begin() + 10), answer(ids.begin() + 10, ids.end());
  const at::Tensor alone = LogitsOf(*model, PackSequences({ids}));
  const at::Tensor shared = LogitsOf(*model, PackTree({{5}, prompt, {}, answer, answer}, {-1, -1, -1, 1, 1}));
  EXPECT_LT(LargestDifference(shared.narrow(0, 1, 24), alone), 1e-10);
  EXPECT_LT(LargestDifference(shared.narrow(0, 25, 14), alone.narrow(0, 10, 14)), 1e-10);
}

TEST_P(GoldenModelTest, GradientsAgreeWithFiniteDifferences) {
  auto model = Load(GetParam(), at::kDouble);
  const PackedTokens tokens = PackTree({GoldenIds(GetParam()), {3, 4, 5}, {6, 7}}, {-1, 0, 0});
  const auto loss = [&] { return Logits(*model, model->Hidden(tokens)).sin().sum(); };
  Parameters parameters = ParametersOf(*model);
  for (auto& [name, tensor] : parameters) tensor.requires_grad_();
  loss().backward();
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : parameters) {
    for (const int64_t i : {tensor.numel() / 3, tensor.numel() - 1}) {
      double& weight = tensor.data_ptr<double>()[i];
      const double kept = weight, step = 1e-5;
      weight = kept + step;
      const double above = loss().item<double>();
      weight = kept - step;
      const double below = loss().item<double>();
      weight = kept;
      const double gradient = tensor.grad().data_ptr<double>()[i];
      EXPECT_NEAR(gradient, (above - below) / (2 * step), 1e-5 * (1 + std::abs(gradient)))
          << name << " " << i;
    }
  }
}

TEST_P(GoldenModelTest, SavesWhatItLoaded) {
  auto model = Load(GetParam());
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(SaveCausalLm(*model, folder));
  auto again = LoadCausalLm(folder);
  PLUMB_ASSERT_OK(again);
  const Parameters saved = ParametersOf(**again);
  for (const auto& [name, tensor] : ParametersOf(*model)) EXPECT_TRUE(tensor.equal(saved.at(name))) << name;
  EXPECT_EQ(ReadFile(folder + "/generation_config.json").value(),
            ReadFile(Folder(GetParam()) + "/generation_config.json").value());
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenModelTest,
                         testing::Values("llama", "llama_old_config", "llama_tied", "llama_sharded",
                                         "llama_bias", "llama_head_dim", "llama_rope_linear",
                                         "llama_rope_dynamic", "llama_rope_yarn", "llama_rope_yarn_mscale",
                                         "llama_rope_llama3", "llama_rope_linear_old_config",
                                         "llama_rope_dynamic_old_config", "llama_rope_yarn_old_config",
                                         "llama_rope_yarn_mscale_old_config", "llama_rope_llama3_old_config",
                                         "mistral", "qwen2", "gpt2", "gpt2_hub_names"),
                         [](const auto& info) { return std::string(info.param); });

TEST(PretrainedTest, Bf16StaysBf16AndComesClose) {
  auto model = Load("llama_bf16");
  EXPECT_EQ(model->dtype(), at::kBFloat16);
  const at::Tensor logits = LogitsOf(*model, PackSequences({GoldenIds("llama_bf16")}));
  const at::Tensor exact = Golden("llama_bf16", "logits")[0];
  // As far from f32 as transformers' own bf16 is, give or take.
  const double theirs = LargestDifference(Golden("llama_bf16", "logits_bf16")[0], exact);
  EXPECT_LT(LargestDifference(logits, exact), 2 * theirs);
  auto wide = Load("llama_bf16", at::kFloat);
  EXPECT_LT(LargestDifference(LogitsOf(*wide, PackSequences({GoldenIds("llama_bf16")})), exact), 1e-4);
}

TEST(PretrainedTest, WeightsOfTheSameDtypeAreNotCopied) {
  auto first = Load("llama"), second = Load("llama");
  Parameters a = ParametersOf(*first), b = ParametersOf(*second);
  at::Tensor& weight = a.at("model.norm.weight");
  const at::Tensor before = b.at("model.norm.weight").clone();
  weight.fill_(3);  // private to this model
  EXPECT_TRUE(b.at("model.norm.weight").equal(before));
  EXPECT_FALSE(weight.storage().resizable());
}

// A copy of the golden Llama whose model.safetensors has other tensors.
std::string FolderWith(const std::vector<NamedTensor>& tensors) {
  const std::string folder = TemporaryFolder();
  PLUMB_EXPECT_OK(
      WriteFileAtomically(folder + "/config.json", ReadFile(Folder("llama") + "/config.json").value()));
  PLUMB_EXPECT_OK(WriteSafetensors(folder + "/model.safetensors", tensors));
  return folder;
}

TEST(PretrainedTest, NamesWhatDoesNotFit) {
  auto model = Load("llama");
  std::vector<NamedTensor> tensors;
  for (auto& [name, tensor] : ParametersOf(*model)) {
    if (name == "model.norm.weight") {
      tensors.push_back({"model.norm.scale", tensor});
    } else if (name == "lm_head.weight") {
      tensors.push_back({name, tensor.narrow(0, 0, 95).contiguous()});
    } else {
      tensors.push_back({name, tensor});
    }
  }
  const std::string folder = FolderWith(tensors);
  EXPECT_EQ(LoadCausalLm(folder).status().message(),
            folder +
                "/model.safetensors: the tensors do not fit the configuration; missing: model.norm.weight; "
                "unexpected: model.norm.scale; wrong: lm_head.weight is [95, 32], expected [96, 32]");
}

TEST(PretrainedTest, NamesAFileThatIsNotThere) {
  EXPECT_EQ(LoadCausalLm("/no/such").status().message(),
            "cannot open /no/such/config.json: No such file or directory");
}

TEST(PretrainedTest, ANewModelIsSavedWithItsConfiguration) {
  NewModel description;
  description.set_hidden_size(16);
  VocabularyInfo vocabulary;
  vocabulary.vocab_size = 20;
  vocabulary.eos_token_id = 3;
  auto model = NewCausalLm(description, vocabulary, RandomStream(1, "model"), at::kBFloat16);
  PLUMB_ASSERT_OK(model);
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(SaveCausalLm(**model, folder));
  auto again = LoadCausalLm(folder);
  PLUMB_ASSERT_OK(again);
  EXPECT_EQ((*again)->dtype(), at::kBFloat16);
  EXPECT_EQ((*again)->config().eos_token_ids, std::vector<int64_t>{3});
}

}  // namespace
}  // namespace plumb
