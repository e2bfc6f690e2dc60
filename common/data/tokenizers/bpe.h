#ifndef PLUMB_COMMON_DATA_TOKENIZERS_BPE_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_BPE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace plumb {

using Vocabulary = absl::flat_hash_map<std::string, int64_t>;

struct BpeOptions {
  bool byte_level = false;  // words are bytes, written in the vocabulary in GPT-2's alphabet; else characters
  bool ignore_merges = false;  // a word that is itself in the vocabulary is that token
  bool byte_fallback =
      false;              // of a character that is not in the vocabulary: <0x0A>-like tokens of its bytes
  bool fuse_unk = false;  // unknown characters in a row are one unk_token
  std::string unk_token;  // empty: unknown characters are left out
};

// Byte-pair encoding of words (Sennrich et al. 2016), as the model "BPE" of Hugging Face's tokenizers: the
// neighbouring pair whose merge has the lowest rank is joined first, the leftmost of equals, until no merge
// applies. Thread-safe; words seen before come from a cache.
class Bpe {
 public:
  // `merges` in order of rank. An error names the merge or token that is not in the vocabulary. Ids fit
  // uint32.
  static absl::StatusOr<std::unique_ptr<Bpe>> Create(
      const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
      const BpeOptions& options);

  ~Bpe();

  // Appends the tokens of each word.
  void Encode(absl::Span<const absl::string_view> words, std::vector<int64_t>* ids) const;

 private:
  struct Merge {
    uint32_t rank;
    uint32_t id;
  };
  struct Workspace;

  Bpe();
  const Merge* FindMerge(uint32_t left, uint32_t right) const;
  void StartWord(absl::string_view word, Workspace* workspace) const;
  void StartCharacters(absl::string_view word, std::vector<uint32_t>* symbols) const;
  void MergeShort(Workspace* workspace) const;
  void MergeLong(Workspace* workspace) const;
  void EncodeWord(absl::string_view word, Workspace* workspace) const;
  std::unique_ptr<Workspace> TakeWorkspace() const;

  BpeOptions options_;
  absl::flat_hash_map<uint64_t, Merge> merges_;            // by left << 32 | right
  absl::flat_hash_map<std::string, uint32_t> words_;       // with ignore_merges: whole words
  absl::flat_hash_map<std::string, uint32_t> characters_;  // tokens of one character
  std::array<std::optional<uint32_t>, 256> bytes_;         // tokens of one byte
  std::optional<uint32_t> unknown_;

  // What a thread encodes with; handed out one each, so that no word takes a lock.
  mutable absl::Mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> free_workspaces_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_BPE_H_
