#include "common/data/llama2c_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/sentencepiece_model.pb.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

std::string Bytes(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  PLUMB_EXPECT_OK(bytes);
  return bytes.value_or("");
}

std::unique_ptr<Tokenizer> Load(const Llama2cTokenizerFiles& files) {
  const std::string folder = TemporaryFolder();
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/tokenizer.model", files.model));
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/tokenizer_config.json", files.config_json));
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  PLUMB_EXPECT_OK(tokenizer);
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

void AppendPiece(float score, const std::string& text, std::string* bytes) {
  const int32_t length = static_cast<int32_t>(text.size());
  bytes->append(reinterpret_cast<const char*>(&score), 4);
  bytes->append(reinterpret_cast<const char*>(&length), 4);
  *bytes += text;
}

// The pieces that every file begins with, and those of "the cat".
std::string SmallBin() {
  std::string bytes("\x04\0\0\0", 4);
  for (const char* text : {"<unk>", "\n<s>\n", "\n</s>\n"}) AppendPiece(0, text, &bytes);
  for (int byte = 0; byte < 256; ++byte) AppendPiece(0, absl::StrFormat("<0x%02X>", byte), &bytes);
  float score = 0;
  for (const char* text : {" t", "he", " the", " ", "t", "h", "e", "c", "a", "at"}) {
    AppendPiece(score--, text, &bytes);
  }
  return bytes;
}

TEST(Llama2cTokenizer, ScoresDecideWhatIsJoined) {
  const absl::StatusOr<Llama2cTokenizerFiles> files = ConvertLlama2cTokenizer(SmallBin(), "tok.bin");
  PLUMB_ASSERT_OK(files);
  const std::unique_ptr<Tokenizer> tokenizer = Load(*files);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 269);
  EXPECT_EQ(tokenizer->bos_token_id(), 1);
  EXPECT_EQ(tokenizer->eos_token_id(), 2);
  // <s> " the" " " c at, then "é" byte by byte.
  const std::vector<int64_t> ids = {1, 261, 262, 266, 268, 3 + 0xc3, 3 + 0xa9};
  EXPECT_EQ(tokenizer->Encode("the caté", true), ids);
  EXPECT_EQ(tokenizer->Decode(ids, true), "the caté");
  EXPECT_EQ(tokenizer->Encode("at</s>", false), (std::vector<int64_t>{262, 268, 2}));
}

// The tokenizer of Llama-2 is there in both forms.
TEST(Llama2cTokenizer, GivesTheModelThatLlama2cWasExportedFrom) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/llama2.c/tokenizer.bin");
  SentencePieceModel original, converted;
  ASSERT_TRUE(original.ParseFromString(Bytes(SharedData("alignment/llama2.c/tokenizer.model"))));
  const auto files =
      ConvertLlama2cTokenizer(Bytes(SharedData("alignment/llama2.c/tokenizer.bin")), "tokenizer.bin");
  PLUMB_ASSERT_OK(files);
  ASSERT_TRUE(converted.ParseFromString(files->model));
  ASSERT_EQ(converted.pieces_size(), original.pieces_size());
  for (int id = 0; id < original.pieces_size(); ++id) {
    ASSERT_EQ(converted.pieces(id).piece(), original.pieces(id).piece());
    ASSERT_EQ(converted.pieces(id).score(), original.pieces(id).score());
    ASSERT_EQ(converted.pieces(id).type(), original.pieces(id).type());
  }
}

TEST(Llama2cTokenizer, ReadsThatOfStories260K) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/stories260K/tok512.bin");
  const auto files =
      ConvertLlama2cTokenizer(Bytes(SharedData("alignment/stories260K/tok512.bin")), "tok512.bin");
  PLUMB_ASSERT_OK(files);
  const std::unique_ptr<Tokenizer> tokenizer = Load(*files);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 512);
  const std::string text =
      "Once upon a time, there was a little girl named Lily.\n\"Ünïcödé\" 日本 \t🦙";
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, true), true), text);
  EXPECT_EQ(tokenizer->Encode("Once upon a time", true), (std::vector<int64_t>{1, 403, 407, 261, 378}));
}

TEST(Llama2cTokenizer, NamesWhatIsWrong) {
  const auto message = [](const std::string& bytes) {
    return std::string(ConvertLlama2cTokenizer(bytes, "tok.bin").status().message());
  };
  const std::string whole = SmallBin();
  EXPECT_EQ(message(""), "tok.bin: not a llama2.c tokenizer: piece 0 is missing");
  EXPECT_EQ(message(whole.substr(0, 4)), "tok.bin: not a llama2.c tokenizer: piece 0 is missing");
  EXPECT_EQ(message(whole.substr(0, 10)), "tok.bin: not a llama2.c tokenizer: piece 0 is cut off");
  EXPECT_EQ(message(whole.substr(0, 14)),
            "tok.bin: not a llama2.c tokenizer: piece 0 has a length of 5, with 2 bytes left");
  EXPECT_THAT(message(std::string(100, 'x')), HasSubstr("piece 0 has a length of"));
  std::string other = whole;
  other.replace(other.find("<0x41>"), 6, "<0x42>");
  EXPECT_THAT(message(other), HasSubstr("piece 68 is not the special token or byte that belongs there"));
}

TEST(Llama2cTokenizer, DamageGivesErrorsOrFiles) {
  ForEachMutation(SmallBin(), 200, [](const std::string& bytes) {
    const auto files = ConvertLlama2cTokenizer(bytes, "tok.bin");
    if (!files.ok()) {
      EXPECT_THAT(files.status().message(), HasSubstr("tok.bin: "));
    }
  });
}

}  // namespace
}  // namespace plumb
