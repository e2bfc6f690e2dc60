#include "common/nn/llama2c.h"

#include <ATen/ops/empty.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// What the file begins with.
struct Sizes {
  int64_t dim = 0, hidden_dim = 0, layers = 0, heads = 0, kv_heads = 0, vocab = 0, seq_len = 0;
  bool shared_classifier = true;

  int64_t head_dim() const { return dim / heads; }
  int64_t kv_dim() const { return head_dim() * kv_heads; }
};

constexpr size_t kHeaderBytes = 7 * sizeof(int32_t);
constexpr int64_t kLargestSize = int64_t{1} << 24;

absl::StatusOr<Sizes> ReadSizes(absl::string_view bytes, const std::string& where) {
  std::array<int32_t, 7> header;
  if (bytes.size() < kHeaderBytes) {
    return absl::DataLossError(absl::StrCat(where, ": too short for a llama2.c checkpoint"));
  }
  std::memcpy(header.data(), bytes.data(), kHeaderBytes);
  Sizes sizes{header[0], header[1], header[2], header[3], header[4], header[5], header[6]};
  // A classifier of its own is told by a negative vocabulary.
  sizes.shared_classifier = sizes.vocab > 0;
  sizes.vocab = std::abs(sizes.vocab);
  for (const int64_t size :
       {sizes.dim, sizes.hidden_dim, sizes.layers, sizes.heads, sizes.kv_heads, sizes.vocab, sizes.seq_len}) {
    if (size < 1 || size > kLargestSize) {
      return absl::DataLossError(
          absl::StrCat(where, ": not a llama2.c checkpoint of version 0: its header holds the size ", size));
    }
  }
  if (sizes.dim % sizes.heads != 0 || sizes.head_dim() % 2 != 0 || sizes.heads % sizes.kv_heads != 0) {
    return absl::DataLossError(absl::StrCat(where, ": not a llama2.c checkpoint: ", sizes.heads,
                                            " heads and ", sizes.kv_heads, " key heads do not fit ",
                                            sizes.dim));
  }
  return sizes;
}

// A kind of weight: [layers, ...] in the file, one tensor a layer in the model.
struct Block {
  std::string name;  // of the model's parameter; with '*' for the number of the layer; empty: passed over
  int64_t layers;
  std::vector<int64_t> shape;
  int64_t rotated_heads = 0;  // of query and key projections
};

std::vector<Block> Blocks(const Sizes& s) {
  const auto layer = [&](const std::string& name, std::vector<int64_t> shape, int64_t rotated_heads = 0) {
    return Block{"model.layers.*." + name + ".weight", s.layers, std::move(shape), rotated_heads};
  };
  std::vector<Block> blocks = {
      {"model.embed_tokens.weight", 1, {s.vocab, s.dim}},
      layer("input_layernorm", {s.dim}),
      layer("self_attn.q_proj", {s.dim, s.dim}, s.heads),
      layer("self_attn.k_proj", {s.kv_dim(), s.dim}, s.kv_heads),
      layer("self_attn.v_proj", {s.kv_dim(), s.dim}),
      layer("self_attn.o_proj", {s.dim, s.dim}),
      layer("post_attention_layernorm", {s.dim}),
      layer("mlp.gate_proj", {s.hidden_dim, s.dim}),
      layer("mlp.down_proj", {s.dim, s.hidden_dim}),
      layer("mlp.up_proj", {s.hidden_dim, s.dim}),
      {"model.norm.weight", 1, {s.dim}},
      {"", 1, {2, s.seq_len, s.head_dim() / 2}},  // cosines and sines, which are computed
  };
  if (!s.shared_classifier) blocks.push_back({"lm_head.weight", 1, {s.vocab, s.dim}});
  return blocks;
}

int64_t Count(const Block& block) {
  int64_t count = 1;
  for (const int64_t size : block.shape) count *= size;
  return count;
}

std::string ConfigJson(const Sizes& s) {
  const nlohmann::json config = {
      {"architectures", {"LlamaForCausalLM"}},
      {"bos_token_id", 1},
      {"eos_token_id", 2},
      {"hidden_act", "silu"},
      {"hidden_size", s.dim},
      {"intermediate_size", s.hidden_dim},
      {"max_position_embeddings", s.seq_len},
      {"model_type", "llama"},
      {"num_attention_heads", s.heads},
      {"num_hidden_layers", s.layers},
      {"num_key_value_heads", s.kv_heads},
      {"pad_token_id", 0},
      {"rms_norm_eps", 1e-5},
      {"rope_theta", 10000.0},
      {"tie_word_embeddings", s.shared_classifier},
      {"vocab_size", s.vocab},
  };
  return config.dump();
}

// Pairs (0, 1), (2, 3) ... of each head to (0, D/2), (1, D/2 + 1) ...
at::Tensor HalvesFirst(const at::Tensor& weight, int64_t heads) {
  const int64_t rows = weight.size(0), columns = weight.size(1);
  return weight.view({heads, rows / heads / 2, 2, columns}).transpose(1, 2).reshape({rows, columns});
}

}  // namespace

absl::StatusOr<std::unique_ptr<CausalLm>> ReadLlama2c(absl::string_view bytes, const std::string& where) {
  PLUMB_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(bytes, where));
  const std::vector<Block> blocks = Blocks(sizes);
  double expected = kHeaderBytes;  // double: a hostile header's product would not fit an integer
  for (const Block& block : blocks) {
    double count = static_cast<double>(block.layers) * sizeof(float);
    for (const int64_t size : block.shape) count *= static_cast<double>(size);
    expected += count;
  }
  if (expected != static_cast<double>(bytes.size())) {
    return absl::DataLossError(absl::StrCat(where, ": has ", bytes.size(), " bytes, but its header says ",
                                            static_cast<uint64_t>(expected)));
  }
  std::map<std::string, at::Tensor> weights;
  const char* position = bytes.data() + kHeaderBytes;
  for (const Block& block : blocks) {
    const size_t size = Count(block) * sizeof(float);
    for (int64_t layer = 0; layer < block.layers; ++layer, position += size) {
      if (block.name.empty()) continue;
      at::Tensor weight = at::empty(block.shape, at::kFloat);
      std::memcpy(weight.mutable_data_ptr(), position, size);
      if (block.rotated_heads > 0) weight = HalvesFirst(weight, block.rotated_heads);
      std::string name = block.name;
      if (const size_t star = name.find('*'); star != std::string::npos) {
        name.replace(star, 1, absl::StrCat(layer));
      }
      weights[name] = weight;
    }
  }
  PLUMB_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(ConfigJson(sizes), where));
  // A text ends where the next one would begin.
  config.generation_config_json = R"({"bos_token_id": 1, "eos_token_id": [1, 2]})";
  std::unique_ptr<CausalLm> model = MakeCausalLm(config, at::kFloat);
  model->VisitParameters([&](const std::string& name, at::Tensor& weight) { weight = weights.at(name); });
  return model;
}

}  // namespace plumb
