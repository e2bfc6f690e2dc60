#include "common/data/tokenizers/sentencepiece_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/data/tokenizers/sentencepiece_model.pb.h"
#include "common/data/tokenizers/tokenizer_json.h"
#include "common/data/tokenizers/unicode.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using nlohmann::json;
using Piece = SentencePieceModel::Piece;

constexpr char kSpace[] = "▁";             // what stands for a space in pieces
constexpr size_t kLongestPiece = 1 << 10;  // bytes; SentencePiece makes them 16 characters long by default

absl::Status ExpectSupported(const SentencePieceModel& model, const std::string& path) {
  const auto unsupported = [&](absl::string_view what) {
    return absl::UnimplementedError(absl::StrCat(path, ": ", what,
                                                 " is not supported; add the tokenizer.json that "
                                                 "transformers' save_pretrained writes to the folder"));
  };
  if (model.trainer_spec().model_type() != SentencePieceModel::TrainerSpec::BPE) {
    const auto type = SentencePieceModel::TrainerSpec::ModelType_Name(model.trainer_spec().model_type());
    return unsupported(absl::StrCat("a SentencePiece model of type ", type));
  }
  if (model.trainer_spec().treat_whitespace_as_suffix()) return unsupported("treat_whitespace_as_suffix");
  const SentencePieceModel::NormalizerSpec& normalizer = model.normalizer_spec();
  if (!normalizer.precompiled_charsmap().empty()) return unsupported("normalizer_spec.precompiled_charsmap");
  if (normalizer.remove_extra_whitespaces()) return unsupported("normalizer_spec.remove_extra_whitespaces");
  if (!normalizer.escape_whitespaces()) return unsupported("normalizer_spec.escape_whitespaces: false");
  for (const Piece& piece : model.pieces()) {
    if (piece.type() == Piece::UNUSED) return unsupported("a piece of type UNUSED");
    if (piece.type() == Piece::USER_DEFINED && absl::StrContains(piece.piece(), kSpace)) {
      return unsupported("a user-defined piece with a space");
    }
  }
  return absl::OkStatus();
}

using Ids = absl::flat_hash_map<absl::string_view, int>;

absl::StatusOr<Ids> CheckedPieces(const SentencePieceModel& model, const std::string& path) {
  Ids ids;
  int unknown_pieces = 0;
  for (int id = 0; id < model.pieces_size(); ++id) {
    const Piece& piece = model.pieces(id);
    const auto error = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": piece ", id, " ", what));
    };
    if (piece.piece().empty()) return error("is empty");
    if (piece.piece().size() > kLongestPiece)
      return error(absl::StrCat("is longer than ", kLongestPiece, " bytes"));
    if (!IsValidUtf8(piece.piece())) return error("is not UTF-8");
    if (!std::isfinite(piece.score())) return error("has a score that is not finite");
    if (!ids.emplace(piece.piece(), id).second) {
      return error(absl::StrCat("is '", absl::Utf8SafeCHexEscape(piece.piece()), "', as another before it"));
    }
    if (piece.type() == Piece::UNKNOWN) ++unknown_pieces;
  }
  if (unknown_pieces != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected a SentencePiece model with one unknown piece, found ", unknown_pieces));
  }
  return ids;
}

// SentencePiece joins the neighbours whose union has the highest score; as merges by rank, that is every
// split of every piece in two others.
json Merges(const SentencePieceModel& model, const Ids& ids) {
  using Merge = std::tuple<float, int, size_t>;  // minus score, id, bytes of the left part
  std::vector<Merge> merges;
  const auto is_normal = [&](absl::string_view text) {
    const auto found = ids.find(text);
    return found != ids.end() && model.pieces(found->second).type() == Piece::NORMAL;
  };
  for (int id = 0; id < model.pieces_size(); ++id) {
    const absl::string_view piece = model.pieces(id).piece();
    if (!is_normal(piece)) continue;
    for (size_t left = CharacterLength(piece); left < piece.size();
         left += CharacterLength(piece.substr(left))) {
      if (is_normal(piece.substr(0, left)) && is_normal(piece.substr(left))) {
        merges.emplace_back(-model.pieces(id).score(), id, left);
      }
    }
  }
  std::sort(merges.begin(), merges.end());
  json result = json::array();
  for (const auto& [score, id, left] : merges) {
    const std::string& piece = model.pieces(id).piece();
    result.push_back({piece.substr(0, left), piece.substr(left)});
  }
  return result;
}

json AddedTokens(const SentencePieceModel& model) {
  json tokens = json::array();
  for (int id = 0; id < model.pieces_size(); ++id) {
    const Piece& piece = model.pieces(id);
    const bool special = piece.type() == Piece::CONTROL || piece.type() == Piece::UNKNOWN;
    if (!special && piece.type() != Piece::USER_DEFINED) continue;
    tokens.push_back({{"id", id}, {"content", piece.piece()}, {"special", special}, {"normalized", false}});
  }
  return tokens;
}

json ReplaceJson(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// How spaces become part of the text's pieces, and the way back.
void PutSpaces(bool legacy, bool add_prefix_space, json* document) {
  if (legacy) {
    json steps = json::array();
    if (add_prefix_space) steps.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
    steps.push_back(ReplaceJson(" ", kSpace));
    (*document)["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  } else {
    (*document)["pre_tokenizer"] = {{"type", "Metaspace"},
                                    {"replacement", kSpace},
                                    {"prepend_scheme", add_prefix_space ? "first" : "never"},
                                    {"split", false}};
  }
  json decoders = {ReplaceJson(kSpace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (add_prefix_space) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1u}, {"stop", 0u}});
  }
  (*document)["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
}

// The control piece with this id, unless the configuration names a token already.
void NameToken(const SentencePieceModel& model, int id, std::optional<std::string>* token) {
  if (*token || id < 0 || id >= model.pieces_size() || model.pieces(id).type() != Piece::CONTROL) return;
  *token = model.pieces(id).piece();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromSentencePiece(absl::string_view bytes,
                                                                      const std::string& path,
                                                                      TokenizerConfig config) {
  SentencePieceModel model;
  if (bytes.size() > INT32_MAX || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a SentencePiece model, or a damaged one"));
  }
  PLUMB_ASSIGN_OR_RETURN(const Ids ids, CheckedPieces(model, path));
  PLUMB_RETURN_IF_ERROR(ExpectSupported(model, path));

  NameToken(model, model.trainer_spec().bos_id(), &config.bos_token);
  NameToken(model, model.trainer_spec().eos_id(), &config.eos_token);
  if (!config.add_bos_token) config.add_bos_token = true;

  json document;
  PutSpaces(config.legacy.value_or(true),
            config.add_prefix_space.value_or(model.normalizer_spec().add_dummy_prefix()), &document);
  document["added_tokens"] = AddedTokens(model);
  json& bpe = document["model"];
  bpe = {{"type", "BPE"}, {"fuse_unk", true}, {"byte_fallback", model.trainer_spec().byte_fallback()}};
  bpe["merges"] = Merges(model, ids);
  for (const auto& [piece, id] : ids) {
    bpe["vocab"][std::string(piece)] = id;
    if (model.pieces(id).type() == Piece::UNKNOWN) bpe["unk_token"] = std::string(piece);
  }
  return TokenizerFromDocument(document, path, std::move(config), {{"tokenizer.model", std::string(bytes)}});
}

}  // namespace plumb
