#include "common/nn/llama2c.h"

#include <gmock/gmock.h>

#include <cstring>

#include "absl/strings/match.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

// A checkpoint of tiny sizes whose weights count up from 0.
std::string Checkpoint(std::vector<int32_t> header) {
  std::string bytes(header.size() * sizeof(int32_t), '\0');
  std::memcpy(bytes.data(), header.data(), bytes.size());
  const int64_t dim = header[0], hidden = header[1], layers = header[2], heads = header[3], kv = header[4];
  const int64_t vocab = std::abs(header[5]), length = header[6], kv_dim = dim / heads * kv;
  const int64_t per_layer = 2 * dim + 2 * dim * dim + 2 * kv_dim * dim + 3 * hidden * dim;
  const int64_t count =
      vocab * dim * (header[5] < 0 ? 2 : 1) + layers * per_layer + dim + length * dim / heads;
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

TEST(Llama2c, PutsRotatedRowsInTheOrderOfHuggingFace) {
  // Embedding 3 x 8, a norm of 8; the query projection begins at 32.
  auto model = ReadLlama2c(Checkpoint({8, 4, 1, 2, 1, 3, 16}), "m.bin");
  PLUMB_ASSERT_OK(model);
  EXPECT_EQ((*model)->config().num_key_value_heads, 1);
  (*model)->VisitParameters([](const std::string& name, at::Tensor& weight) {
    if (name != "model.layers.0.self_attn.q_proj.weight") return;
    std::vector<float> first_column;
    for (int64_t row = 0; row < 8; ++row) first_column.push_back((weight[row][0].item<float>() - 32) / 8);
    EXPECT_THAT(first_column, testing::ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
  });
}

TEST(Llama2c, ReadsAClassifierOfItsOwn) {
  auto model = ReadLlama2c(Checkpoint({8, 4, 2, 2, 2, -3, 16}), "m.bin");
  PLUMB_ASSERT_OK(model);
  EXPECT_FALSE((*model)->config().tie_word_embeddings);
  EXPECT_EQ((*model)->HeadWeight().size(0), 3);
}

TEST(Llama2c, RefusesWhatIsNoCheckpoint) {
  const std::string good = Checkpoint({8, 4, 1, 2, 1, 3, 16});
  EXPECT_THAT(ReadLlama2c("abc", "m.bin").status().message(), HasSubstr("m.bin: too short"));
  EXPECT_THAT(ReadLlama2c(good.substr(0, good.size() - 4), "m.bin").status().message(),
              HasSubstr("but its header says"));
  EXPECT_THAT(ReadLlama2c(Checkpoint({8, 4, 1, 2, 1, 3, 16}) + "x", "m.bin").status().message(),
              HasSubstr("but its header says"));
  ForEachMutation(
      good, 200,
      [](const std::string& bytes) {
        const auto model = ReadLlama2c(bytes, "m.bin");
        EXPECT_TRUE(model.ok() || absl::StrContains(model.status().message(), "m.bin"));
      },
      28);
}

}  // namespace
}  // namespace plumb
