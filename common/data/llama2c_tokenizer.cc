#include "common/data/llama2c_tokenizer.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/data/tokenizers/sentencepiece_model.pb.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

using Piece = SentencePieceModel::Piece;

constexpr int kFirstByte = 3;
constexpr int kFirstNormal = kFirstByte + 256;

// With legacy off, transformers 5 and this project give the same ids, also after special tokens and to a text
// that begins with a space.
constexpr char kConfig[] = R"({
  "tokenizer_class": "LlamaTokenizer",
  "bos_token": "<s>",
  "eos_token": "</s>",
  "unk_token": "<unk>",
  "add_bos_token": true,
  "add_eos_token": false,
  "legacy": false
}
)";

// Takes a little-endian number off the front.
template <typename T>
bool Take(absl::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  std::memcpy(value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return true;
}

// What llama2.c calls the piece, as far as its id says it.
std::string FixedPiece(int id) {
  if (id == 0) return "<unk>";
  if (id == 1) return "\n<s>\n";
  if (id == 2) return "\n</s>\n";
  return id < kFirstNormal ? absl::StrFormat("<0x%02X>", id - kFirstByte) : "";
}

}  // namespace

absl::StatusOr<Llama2cTokenizerFiles> ConvertLlama2cTokenizer(absl::string_view bytes,
                                                              const std::string& path) {
  SentencePieceModel model;
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a llama2.c tokenizer: piece ", model.pieces_size(), " ", what));
  };
  int32_t longest = 0;
  if (!Take(&bytes, &longest)) return error("is missing");
  while (!bytes.empty()) {
    const int id = model.pieces_size();
    float score = 0;
    int32_t length = 0;
    if (!Take(&bytes, &score) || !Take(&bytes, &length)) return error("is cut off");
    if (length <= 0 || static_cast<size_t>(length) > bytes.size()) {
      return error(absl::StrCat("has a length of ", length, ", with ", bytes.size(), " bytes left"));
    }
    const absl::string_view text = bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (!std::isfinite(score)) return error("has a score that is not finite");
    if (!IsValidUtf8(text)) return error("is not UTF-8");
    const std::string fixed = FixedPiece(id);
    if (!fixed.empty() && text != fixed) return error("is not the special token or byte that belongs there");

    Piece* piece = model.add_pieces();
    piece->set_score(score);
    piece->set_piece(absl::StrReplaceAll(text, {{" ", "▁"}}));
    if (id == 0) piece->set_type(Piece::UNKNOWN);
    if (id == 1 || id == 2) {
      piece->set_piece(id == 1 ? "<s>" : "</s>");
      piece->set_type(Piece::CONTROL);
    }
    if (id >= kFirstByte && id < kFirstNormal) piece->set_type(Piece::BYTE);
  }
  if (model.pieces_size() <= kFirstNormal) return error("is missing");
  model.mutable_trainer_spec()->set_model_type(SentencePieceModel::TrainerSpec::BPE);
  model.mutable_trainer_spec()->set_vocab_size(model.pieces_size());
  model.mutable_trainer_spec()->set_byte_fallback(true);
  model.mutable_normalizer_spec()->set_name("identity");
  model.mutable_normalizer_spec()->set_add_dummy_prefix(true);
  model.mutable_normalizer_spec()->set_remove_extra_whitespaces(false);
  return Llama2cTokenizerFiles{model.SerializeAsString(), kConfig};
}

}  // namespace plumb
