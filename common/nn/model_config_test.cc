#include "common/nn/model_config.h"

#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Type = RopeParameters::Type;

ModelConfig Golden(const std::string& name) {
  const std::string path = "common/nn/testdata/" + name + "/config.json";
  auto config = ParseModelConfig(ReadFile(Runfile(path)).value(), path);
  PLUMB_EXPECT_OK(config);
  return std::move(config).value();
}

// The message for a Llama config.json with one field changed.
std::string MessageFor(const std::string& family, const std::string& field, const nlohmann::json& value) {
  const std::string text = ReadFile(Runfile("common/nn/testdata/" + family + "/config.json")).value();
  nlohmann::json json = nlohmann::json::parse(text);
  json[nlohmann::json::json_pointer("/" + field)] = value;
  return std::string(ParseModelConfig(json.dump(), "config.json").status().message());
}

TEST(ModelConfigTest, ReadsEachFamily) {
  const ModelConfig llama = Golden("llama_bias");
  EXPECT_EQ(llama.family, ModelConfig::Family::kLlama);
  EXPECT_EQ(llama.num_key_value_heads, 2);
  EXPECT_TRUE(llama.query_key_value_bias && llama.attention_output_bias && llama.mlp_bias);
  EXPECT_EQ(llama.eos_token_ids, std::vector<int64_t>{2});
  const ModelConfig mistral = Golden("mistral");
  EXPECT_EQ(mistral.sliding_windows, (std::vector<int64_t>{8, 8}));
  const ModelConfig qwen2 = Golden("qwen2");
  EXPECT_TRUE(qwen2.query_key_value_bias && !qwen2.attention_output_bias);
  EXPECT_EQ(qwen2.sliding_windows, (std::vector<int64_t>{0, 0}));
  const ModelConfig gpt2 = Golden("gpt2");
  EXPECT_EQ(gpt2.intermediate_size, 128);
  EXPECT_TRUE(gpt2.tie_word_embeddings && !gpt2.exact_gelu);
  EXPECT_EQ(Golden("llama_head_dim").head_dim, 12);
}

TEST(ModelConfigTest, ReadsBothSpellingsOfRope) {
  for (const std::string suffix : {"", "_old_config"}) {
    const RopeParameters yarn = Golden("llama_rope_yarn_mscale" + suffix).rope;
    EXPECT_EQ(yarn.type, Type::kYarn);
    EXPECT_EQ(yarn.theta, 100);
    EXPECT_EQ(yarn.original_max_position_embeddings, 32);
    EXPECT_FALSE(yarn.truncate);
    EXPECT_NEAR(yarn.attention_factor, (0.07 * std::log(4.0) + 1) / (0.04 * std::log(4.0) + 1), 1e-12);
    EXPECT_EQ(Golden("llama_rope_llama3" + suffix).rope.high_freq_factor, 4);
    EXPECT_EQ(Golden("llama_rope_dynamic" + suffix).rope.type, Type::kDynamic);
    EXPECT_EQ(Golden("llama_rope_linear" + suffix).rope.factor, 2.5);
  }
  EXPECT_EQ(Golden("llama").rope.type, Type::kDefault);
}

TEST(ModelConfigTest, QwenWindowsByLayer) {
  const std::string text = ReadFile(Runfile("common/nn/testdata/qwen2/config.json")).value();
  nlohmann::json json = nlohmann::json::parse(text);
  json["use_sliding_window"] = true;
  json["sliding_window"] = 5;
  json["layer_types"] = {"full_attention", "sliding_attention"};
  EXPECT_EQ(ParseModelConfig(json.dump(), "x").value().sliding_windows, (std::vector<int64_t>{0, 5}));
  json.erase("layer_types");
  json["max_window_layers"] = 1;
  EXPECT_EQ(ParseModelConfig(json.dump(), "x").value().sliding_windows, (std::vector<int64_t>{0, 5}));
}

TEST(ModelConfigTest, AMistralWithoutTheFieldHasTransformersWindow) {
  const std::string text = ReadFile(Runfile("common/nn/testdata/mistral/config.json")).value();
  nlohmann::json json = nlohmann::json::parse(text);
  json["sliding_window"] = nullptr;
  EXPECT_EQ(ParseModelConfig(json.dump(), "x").value().sliding_windows[0], 0);
  json.erase("sliding_window");
  EXPECT_EQ(ParseModelConfig(json.dump(), "x").value().sliding_windows[0], 4096);
}

TEST(ModelConfigTest, RefusesByTheNameOfTheField) {
  EXPECT_EQ(MessageFor("llama", "model_type", "gemma"),
            "config.json: field 'model_type': 'gemma' is not supported; supported are llama, mistral, qwen2 "
            "and gpt2");
  EXPECT_EQ(MessageFor("llama", "architectures", {"LlamaForTokenClassification"}),
            "config.json: field 'architectures': expected [\"LlamaForCausalLM\"] or "
            "[\"LlamaForSequenceClassification\"], found "
            "[\"LlamaForTokenClassification\"]");
  EXPECT_EQ(
      MessageFor("llama", "quantization_config", {{"quant_method", "gptq"}}),
      "config.json: field 'quantization_config': quantised weights are not supported; load an unquantised "
      "folder");
  EXPECT_EQ(
      MessageFor("llama", "rope_parameters/rope_type", "longrope"),
      "config.json: field 'rope_parameters.rope_type': 'longrope' is not supported; supported are default, "
      "linear, dynamic, yarn and llama3");
  EXPECT_EQ(MessageFor("llama_rope_llama3", "rope_parameters/factor", nullptr),
            "config.json: field 'rope_parameters.factor': is missing");
  EXPECT_EQ(MessageFor("llama", "hidden_act", "gelu"),
            "config.json: field 'hidden_act': 'gelu' is not supported; supported is silu");
  EXPECT_EQ(MessageFor("llama", "num_key_value_heads", 3),
            "config.json: field 'num_key_value_heads': does not divide num_attention_heads (4)");
  EXPECT_EQ(MessageFor("llama", "hidden_size", "32"),
            "config.json: field 'hidden_size': expected an integer, found \"32\"");
  EXPECT_EQ(MessageFor("llama", "num_hidden_layers", 1e9),
            "config.json: field 'num_hidden_layers': expected 1 to 4096, found 1000000000");
  EXPECT_EQ(
      MessageFor("gpt2", "add_cross_attention", true),
      "config.json: field 'add_cross_attention': is not supported: only decoders that see nothing but their "
      "own text");
}

TEST(ModelConfigTest, NotJson) {
  EXPECT_EQ(
      ParseModelConfig("{\"a\":", "config.json").status().message(),
      "config.json: not valid JSON: parse error at line 1, column 6: syntax error while parsing value - "
      "unexpected end of input; expected '[', '{', or a literal");
  EXPECT_EQ(ParseModelConfig("[]", "config.json").status().message(), "config.json: expected a JSON object");
}

TEST(ModelConfigTest, WritesBackWhatItDoesNotKnow) {
  const std::string text = R"({"model_type": "gpt2", "summary_type": "cls_index"})";
  const nlohmann::json json =
      nlohmann::json::parse(ModelConfigToJson(ParseModelConfig(text, "x").value(), "bfloat16"));
  EXPECT_EQ(json["summary_type"], "cls_index");
  EXPECT_EQ(json["dtype"], "bfloat16");
}

}  // namespace
}  // namespace plumb
