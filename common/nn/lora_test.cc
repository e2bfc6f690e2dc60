#include "common/nn/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/tensor/safetensors.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Folder(const std::string& name) { return Runfile("common/nn/testdata/" + name); }

at::Tensor Golden(const std::string& name, const std::string& tensor) {
  return Safetensors::Open(Folder(name) + "/golden.safetensors").value().Get(tensor).value();
}

PackedTokens GoldenTokens(const std::string& name) {
  const at::Tensor ids = Golden(name, "input_ids").flatten();
  return PackSequences(
      {std::vector<int64_t>(ids.data_ptr<int64_t>(), ids.data_ptr<int64_t>() + ids.numel())});
}

std::unique_ptr<CausalLm> LoadBase(const std::string& name, at::ScalarType dtype = at::kFloat) {
  auto model = LoadCausalLm(Folder(name), dtype);
  PLUMB_EXPECT_OK(model);
  return std::move(model).value();
}

at::Tensor LogitsOf(CausalLm& model, const PackedTokens& tokens, const ForwardOptions& options = {}) {
  at::NoGradGuard no_grad;
  return Logits(model, model.Hidden(tokens, options));
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

Lora SmallLora() {
  Lora lora;
  lora.set_r(4);
  lora.add_target_modules("all-linear");
  return lora;
}

struct GoldenAdapter {
  const char* adapter;
  const char* base;
};

class GoldenAdapterTest : public testing::TestWithParam<GoldenAdapter> {};

TEST_P(GoldenAdapterTest, LogitsAgreeWithPeft) {
  const std::string name = GetParam().adapter;
  auto model = LoadBase(GetParam().base);
  PLUMB_ASSERT_OK(LoadAdapter(*model, Folder(name)));
  const PackedTokens tokens = GoldenTokens(name);
  EXPECT_LT(LargestDifference(LogitsOf(*model, tokens), Golden(name, "logits")[0]), 1e-4);
  ForwardOptions off;
  off.adapter = false;
  EXPECT_LT(LargestDifference(LogitsOf(*model, tokens, off), Golden(name, "base_logits")[0]), 1e-4);
  MergeAdapter(*model);
  EXPECT_FALSE(HasAdapter(*model));
  EXPECT_LT(LargestDifference(LogitsOf(*model, tokens), Golden(name, "logits")[0]), 1e-4);
}

TEST_P(GoldenAdapterTest, SavesWhatItLoaded) {
  auto model = LoadBase(GetParam().base);
  const auto lora = LoadAdapter(*model, Folder(GetParam().adapter));
  PLUMB_ASSERT_OK(lora);
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(SaveAdapter(*model, *lora, "base", folder));
  auto again = LoadBase(GetParam().base);
  const auto reloaded = LoadAdapter(*again, folder);
  PLUMB_ASSERT_OK(reloaded);
  EXPECT_EQ(reloaded->SerializeAsString(), lora->SerializeAsString());
  std::map<std::string, at::Tensor> tensors;
  VisitAdapter(*model, [&](const std::string& name, at::Tensor& tensor) { tensors[name] = tensor; });
  VisitAdapter(*again, [&](const std::string& name, at::Tensor& tensor) {
    EXPECT_TRUE(tensor.equal(tensors.at(name))) << name;
  });
  const auto config = nlohmann::json::parse(ReadFile(folder + "/adapter_config.json").value());
  const auto golden =
      nlohmann::json::parse(ReadFile(Folder(GetParam().adapter) + "/adapter_config.json").value());
  for (const auto& [name, value] : config.items()) {
    if (name != "base_model_name_or_path") {
      EXPECT_EQ(value, golden.at(name)) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenAdapterTest,
                         testing::Values(GoldenAdapter{"lora_llama", "llama"},
                                         GoldenAdapter{"lora_llama_rslora", "llama"},
                                         GoldenAdapter{"lora_gpt2", "gpt2"}),
                         [](const auto& info) { return std::string(info.param.adapter); });

TEST(LoraTest, AFreshAdapterChangesNothingAndStartsAsPeftDoes) {
  auto model = LoadBase("llama");
  const PackedTokens tokens = GoldenTokens("llama");
  const at::Tensor before = LogitsOf(*model, tokens);
  PLUMB_ASSERT_OK(AddAdapter(*model, SmallLora(), RandomStream(1, "lora")));
  EXPECT_TRUE(LogitsOf(*model, tokens).equal(before));
  int64_t count = 0;
  VisitAdapter(*model, [&](const std::string& name, at::Tensor& tensor) {
    ++count;
    if (name.find("lora_B") != std::string::npos) {
      EXPECT_TRUE(tensor.eq(0).all().item<bool>());
      return;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(tensor.size(1)));
    EXPECT_LE(tensor.abs().max().item<double>(), bound);
    EXPECT_NEAR(tensor.std().item<double>(), bound / std::sqrt(3), 0.15 * bound) << name;
  });
  EXPECT_EQ(count, 2 * 7 * 2);
}

TEST(LoraTest, GradientsAgreeWithFiniteDifferencesWithDropout) {
  auto model = LoadBase("llama", at::kDouble);
  Lora lora = SmallLora();
  lora.set_lora_dropout(0.3);
  PLUMB_ASSERT_OK(AddAdapter(*model, lora, RandomStream(1, "lora")));
  const PackedTokens tokens = GoldenTokens("llama");
  std::map<std::string, at::Tensor> tensors;
  VisitAdapter(*model, [&](const std::string& name, at::Tensor& tensor) {
    if (name.find("lora_B") != std::string::npos) {
      tensor = RandomStream(2, name).NormalTensor(tensor.sizes(), at::kDouble);
    }
    tensors[name] = tensor.requires_grad_();
  });
  const RandomStream dropout(3, "dropout");
  ForwardOptions options;
  options.dropout = &dropout;
  const auto loss = [&] { return Logits(*model, model->Hidden(tokens, options)).sin().sum(); };
  loss().backward();
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : tensors) {
    double& weight = tensor.data_ptr<double>()[tensor.numel() / 2];
    const double kept = weight, step = 1e-5;
    weight = kept + step;
    const double above = loss().item<double>();
    weight = kept - step;
    const double below = loss().item<double>();
    weight = kept;
    const double gradient = tensor.grad().data_ptr<double>()[tensor.numel() / 2];
    EXPECT_NEAR(gradient, (above - below) / (2 * step), 1e-5 * (1 + std::abs(gradient))) << name;
  }
}

TEST(LoraTest, DropoutRepeatsWhenALayerIsComputedAgain) {
  std::map<std::string, at::Tensor> gradients[2];
  for (const bool checkpointing : {false, true}) {
    auto model = LoadBase("llama");
    Lora lora = SmallLora();
    lora.set_lora_dropout(0.5);
    PLUMB_ASSERT_OK(AddAdapter(*model, lora, RandomStream(1, "lora")));
    VisitAdapter(*model, [](const std::string&, at::Tensor& tensor) { tensor.requires_grad_(); });
    ForwardOptions options;
    options.gradient_checkpointing = checkpointing;
    at::Tensor logits;
    {
      const RandomStream dropout(3, "dropout");  // gone before the backward pass
      options.dropout = &dropout;
      logits = Logits(*model, model->Hidden(GoldenTokens("llama"), options));
    }
    logits.sin().sum().backward();
    VisitAdapter(*model, [&](const std::string& name, at::Tensor& tensor) {
      gradients[checkpointing][name] = tensor.grad();
    });
  }
  for (const auto& [name, gradient] : gradients[0])
    EXPECT_TRUE(gradient.equal(gradients[1].at(name))) << name;
}

TEST(LoraTest, OnABf16ModelTheAdapterIsF32) {
  auto model = LoadBase("llama_bf16", at::kBFloat16);
  PLUMB_ASSERT_OK(AddAdapter(*model, SmallLora(), RandomStream(1, "lora")));
  VisitAdapter(*model, [](const std::string& name, at::Tensor& tensor) {
    EXPECT_EQ(tensor.scalar_type(), at::kFloat);
  });
  EXPECT_EQ(LogitsOf(*model, GoldenTokens("llama")).scalar_type(), at::kBFloat16);
}

TEST(LoraTest, NamesATargetThatIsNotThere) {
  auto model = LoadBase("gpt2");
  Lora lora;
  lora.add_target_modules("q_proj");
  EXPECT_EQ(AddAdapter(*model, lora, RandomStream(1, "lora")).message(),
            "lora: target_modules: no linear layer is called 'q_proj'; there are c_attn, c_fc, c_proj, or "
            "\"all-linear\"");
}

std::string MessageFor(const std::string& field, const nlohmann::json& value) {
  auto json = nlohmann::json::parse(ReadFile(Folder("lora_llama") + "/adapter_config.json").value());
  json[field] = value;
  const std::string folder = TemporaryFolder();
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/adapter_config.json", json.dump()));
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/adapter_model.safetensors",
                                      ReadFile(Folder("lora_llama") + "/adapter_model.safetensors").value()));
  auto model = LoadBase("llama");
  const std::string message(LoadAdapter(*model, folder).status().message());
  EXPECT_FALSE(HasAdapter(*model));
  const size_t name = message.find(folder);
  return name == std::string::npos ? message : message.substr(name + folder.size() + 1);
}

TEST(LoraTest, RefusesByTheNameOfTheField) {
  EXPECT_EQ(MessageFor("use_dora", true), "adapter_config.json: field 'use_dora': is not supported");
  EXPECT_EQ(MessageFor("modules_to_save", {"lm_head"}),
            "adapter_config.json: field 'modules_to_save': is not supported");
  EXPECT_EQ(MessageFor("rank_pattern", {{"q_proj", 2}}),
            "adapter_config.json: field 'rank_pattern': is not supported");
  EXPECT_EQ(MessageFor("layers_to_transform", {0}),
            "adapter_config.json: field 'layers_to_transform': is not supported");
  EXPECT_EQ(MessageFor("bias", "all"),
            "adapter_config.json: field 'bias': 'all' is not supported; supported is none");
  EXPECT_EQ(MessageFor("peft_type", "IA3"),
            "adapter_config.json: field 'peft_type': 'IA3' is not supported; supported is LORA");
  EXPECT_EQ(MessageFor("init_lora_weights", "pissa"),
            "adapter_config.json: field 'init_lora_weights': \"pissa\" is not supported: it changes the base "
            "weights");
  EXPECT_EQ(
      MessageFor("target_modules", ".*q_proj"),
      "adapter_config.json: field 'target_modules': expected a list of names (regular expressions are not "
      "supported)");
  EXPECT_EQ(MessageFor("r", 8),
            "adapter_model.safetensors: the tensors do not fit the configuration; wrong: "
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight is [4, 32], expected [8, 32], "
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight is [32, 4], expected [32, 8], "
            "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight is [4, 32], expected [8, 32], "
            "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight is [16, 4], expected [16, 8], "
            "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight is [4, 32], expected [8, 32] and "
            "3 more");
}

}  // namespace
}  // namespace plumb
