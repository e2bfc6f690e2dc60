#include "common/data/tokenizers/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/data/tokenizers/sentencepiece_model.pb.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Ids = std::vector<int64_t>;
using Piece = SentencePieceModel::Piece;

constexpr int kSpace = 259;  // ▁; after it a, b, c, ab, ▁a, bc, <sep>

// Llama-2's layout over few letters. "bc" has the best score, then "▁a", then "ab".
SentencePieceModel SmallModel() {
  SentencePieceModel model;
  const auto add = [&](const std::string& text, float score, Piece::Type type) {
    Piece* piece = model.add_pieces();
    piece->set_piece(text);
    piece->set_score(score);
    piece->set_type(type);
  };
  add("<unk>", 0, Piece::UNKNOWN);
  add("<s>", 0, Piece::CONTROL);
  add("</s>", 0, Piece::CONTROL);
  for (int byte = 0; byte < 256; ++byte) add(absl::StrFormat("<0x%02X>", byte), 0, Piece::BYTE);
  for (const char* text : {"▁", "a", "b", "c"}) add(text, -9, Piece::NORMAL);
  add("ab", -3, Piece::NORMAL);
  add("▁a", -2, Piece::NORMAL);
  add("bc", -1, Piece::NORMAL);
  add("<sep>", 0, Piece::USER_DEFINED);
  model.mutable_trainer_spec()->set_model_type(SentencePieceModel::TrainerSpec::BPE);
  model.mutable_trainer_spec()->set_byte_fallback(true);
  model.mutable_normalizer_spec()->set_remove_extra_whitespaces(false);
  return model;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromModel(const SentencePieceModel& model,
                                                     TokenizerConfig config = {}) {
  return TokenizerFromSentencePiece(model.SerializeAsString(), "folder/tokenizer.model", std::move(config));
}

Ids Encode(absl::string_view text, TokenizerConfig config = {}) {
  const auto tokenizer = FromModel(SmallModel(), std::move(config));
  PLUMB_EXPECT_OK(tokenizer);
  return tokenizer.ok() ? (*tokenizer)->Encode(text, true) : Ids();
}

TEST(SentencePieceTokenizer, JoinsByScoreAfterASpace) {
  EXPECT_EQ(Encode("abc"), (Ids{1, kSpace + 5, kSpace + 6}));  // ▁a bc, not ▁ ab c
  EXPECT_EQ(Encode("bab"), (Ids{1, kSpace, kSpace + 2, kSpace + 4}));
  EXPECT_EQ(Encode("a a  b"), (Ids{1, kSpace + 5, kSpace + 5, kSpace, kSpace, kSpace + 2}));
  EXPECT_EQ(Encode(""), (Ids{1}));
}

TEST(SentencePieceTokenizer, BytesStandInForCharactersThatAreNotThere) {
  EXPECT_EQ(Encode("aé\n"), (Ids{1, kSpace + 5, 3 + 0xc3, 3 + 0xa9, 3 + '\n'}));
  SentencePieceModel model = SmallModel();
  model.mutable_trainer_spec()->set_byte_fallback(false);
  EXPECT_EQ(FromModel(model).value()->Encode("aéé\nb", false), (Ids{kSpace + 5, 0, kSpace + 2}));
}

TEST(SentencePieceTokenizer, BeginAndEndAsTheConfigurationSays) {
  TokenizerConfig config;
  config.add_eos_token = true;
  EXPECT_EQ(Encode("a", config), (Ids{1, kSpace + 5, 2}));
  config.add_bos_token = false;
  EXPECT_EQ(Encode("a", config), (Ids{kSpace + 5, 2}));
  const auto tokenizer = FromModel(SmallModel(), config).value();
  EXPECT_EQ(tokenizer->Encode("a", false), (Ids{kSpace + 5}));
  EXPECT_EQ(tokenizer->bos_token_id(), 1);
  EXPECT_EQ(tokenizer->eos_token_id(), 2);
}

TEST(SentencePieceTokenizer, SpecialTokensAreFoundInTextAndLegacySaysWhatSpaceFollows) {
  TokenizerConfig config;
  AddedToken extra;
  extra.content = "<extra>";
  extra.id = kSpace + 8;
  config.added_tokens = {extra};
  const auto legacy = FromModel(SmallModel(), config).value();
  EXPECT_EQ(legacy->Encode("a</s>b<sep>c<extra>", false),
            (Ids{kSpace + 5, 2, kSpace, kSpace + 2, kSpace + 7, kSpace, kSpace + 3, kSpace + 8}));
  EXPECT_EQ(legacy->Encode(" a", false), (Ids{kSpace, kSpace + 5}));
  EXPECT_EQ(legacy->vocab_size(), kSpace + 9);
  EXPECT_EQ(legacy->TokenToId("<extra>"), kSpace + 8);

  config.legacy = false;
  const auto newer = FromModel(SmallModel(), config).value();
  EXPECT_EQ(newer->Encode("a</s>b<sep>c<extra>", false),
            (Ids{kSpace + 5, 2, kSpace + 2, kSpace + 7, kSpace + 3, kSpace + 8}));
  EXPECT_EQ(newer->Encode("</s>b", false), (Ids{2, kSpace + 2}));
  EXPECT_EQ(newer->Encode(" a", false), (Ids{kSpace + 5}));
}

TEST(SentencePieceTokenizer, NoSpaceBeforeTheTextOnDemand) {
  SentencePieceModel model = SmallModel();
  model.mutable_normalizer_spec()->set_add_dummy_prefix(false);
  for (const bool legacy : {false, true}) {
    TokenizerConfig config;
    config.legacy = legacy;
    const auto tokenizer = FromModel(model, config).value();
    EXPECT_EQ(tokenizer->Encode("ab a", false), (Ids{kSpace + 4, kSpace + 5}));
    EXPECT_EQ(tokenizer->Decode({kSpace + 5}, false), " a");
    config.add_prefix_space = true;
    EXPECT_EQ(FromModel(model, config).value()->Encode("ab", false), (Ids{kSpace + 5, kSpace + 2}));
  }
}

TEST(SentencePieceTokenizer, DecodesWithoutTheFirstSpace) {
  const auto tokenizer = FromModel(SmallModel()).value();
  EXPECT_EQ(tokenizer->Decode({kSpace + 5, kSpace + 5, 3 + 0xc3, 3 + 0xa9}, false), "a aé");
  EXPECT_EQ(tokenizer->Decode({1, kSpace + 5, 2}, false), "<s> a</s>");
  EXPECT_EQ(tokenizer->Decode({1, kSpace + 5, 2}, true), "a");
  EXPECT_EQ(tokenizer->Decode({kSpace + 5, 3 + 0xc3}, false), "a\uFFFD");
}

TEST(SentencePieceTokenizer, SavesItsFilesAsTheyCame) {
  TokenizerConfig config;
  config.files = {{"tokenizer_config.json", "{}\n"}};
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(FromModel(SmallModel(), config).value()->Save(folder));
  EXPECT_EQ(ReadFile(folder + "/tokenizer.model").value(), SmallModel().SerializeAsString());
  EXPECT_EQ(ReadFile(folder + "/tokenizer_config.json").value(), "{}\n");
}

TEST(SentencePieceTokenizer, RefusesWhatItDoesNotSupportByName) {
  const auto expect_refusal = [](const char* what, const std::function<void(SentencePieceModel*)>& change) {
    SentencePieceModel model = SmallModel();
    change(&model);
    EXPECT_EQ(FromModel(model).status(), absl::UnimplementedError(absl::StrCat(
                                             "folder/tokenizer.model: ", what,
                                             " is not supported; add the tokenizer.json that transformers' "
                                             "save_pretrained writes to the folder")));
  };
  expect_refusal("a SentencePiece model of type UNIGRAM",
                 [](SentencePieceModel* model) { model->mutable_trainer_spec()->clear_model_type(); });
  expect_refusal("normalizer_spec.precompiled_charsmap", [](SentencePieceModel* model) {
    model->mutable_normalizer_spec()->set_precompiled_charsmap("x");
  });
  expect_refusal("normalizer_spec.remove_extra_whitespaces", [](SentencePieceModel* model) {
    model->mutable_normalizer_spec()->clear_remove_extra_whitespaces();
  });
  expect_refusal("a piece of type UNUSED",
                 [](SentencePieceModel* model) { model->mutable_pieces(260)->set_type(Piece::UNUSED); });
  expect_refusal("a user-defined piece with a space",
                 [](SentencePieceModel* model) { model->mutable_pieces(266)->set_piece("▁▁"); });
}

TEST(SentencePieceTokenizer, SaysWhichPieceIsWrong) {
  const auto message = [](const std::function<void(Piece*)>& change) {
    SentencePieceModel model = SmallModel();
    change(model.mutable_pieces(260));
    return std::string(FromModel(model).status().message());
  };
  EXPECT_EQ(message([](Piece* piece) { piece->set_piece(""); }),
            "folder/tokenizer.model: piece 260 is empty");
  EXPECT_EQ(message([](Piece* piece) { piece->set_piece("b"); }),
            "folder/tokenizer.model: piece 261 is 'b', as another before it");
  EXPECT_EQ(message([](Piece* piece) { piece->set_piece("\xff"); }),
            "folder/tokenizer.model: piece 260 is not UTF-8");
  EXPECT_EQ(message([](Piece* piece) { piece->set_score(std::numeric_limits<float>::quiet_NaN()); }),
            "folder/tokenizer.model: piece 260 has a score that is not finite");
  EXPECT_EQ(message([](Piece* piece) { piece->set_piece(std::string(2000, 'a')); }),
            "folder/tokenizer.model: piece 260 is longer than 1024 bytes");
  EXPECT_EQ(message([](Piece* piece) { piece->set_type(Piece::UNKNOWN); }),
            "folder/tokenizer.model: expected a SentencePiece model with one unknown piece, found 2");
  EXPECT_EQ(TokenizerFromSentencePiece("no model", "folder/tokenizer.model", {}).status().message(),
            "folder/tokenizer.model: not a SentencePiece model, or a damaged one");
  EXPECT_FALSE(TokenizerFromSentencePiece("", "folder/tokenizer.model", {}).ok());
}

TEST(SentencePieceTokenizer, DamagedFilesGiveErrorsOrTokenizers) {
  const auto check = [](const std::string& bytes) {
    const auto tokenizer = TokenizerFromSentencePiece(bytes, "folder/tokenizer.model", {});
    if (!tokenizer.ok()) {
      EXPECT_THAT(tokenizer.status().message(), HasSubstr("folder/tokenizer.model: "));
      EXPECT_EQ(tokenizer.status().message().find('\n'), absl::string_view::npos);
      return;
    }
    const Ids ids = (*tokenizer)->Encode("It's 1234 </s> naïve cafe\u0301\n\n  abcab \xff", true);
    (*tokenizer)->Decode(ids, false);
  };
  ForEachMutation(SmallModel().SerializeAsString(), 200, check);
  const std::string real = SharedData("alignment/llama2.c/tokenizer.model");
  if (!real.empty()) ForEachMutation(ReadFile(real).value(), 20, check);
}

}  // namespace
}  // namespace plumb
