#include "common/data/tokenizers/bpe.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/data/tokenizers/byte_level.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr size_t kLongWord = 48;           // symbols, from which on a heap pays
constexpr size_t kCachedWordBytes = 64;    // longer words seldom come again
constexpr size_t kCachedWords = 1u << 16;  // per thread: a few MB

uint64_t PairKey(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << 32 | right; }

}  // namespace

struct Bpe::Workspace {
  absl::flat_hash_map<std::string, std::pair<uint32_t, uint32_t>>
      cache;  // word -> start, length in cached_ids
  std::vector<uint32_t> cached_ids;
  std::vector<uint32_t> symbols;         // of the word at hand
  std::vector<Merge> pair_merges;        // MergeShort: what joins symbols i and i + 1
  std::vector<uint32_t> next, previous;  // MergeLong: the list of symbols still there
};

Bpe::Bpe() = default;
Bpe::~Bpe() = default;

absl::StatusOr<std::unique_ptr<Bpe>> Bpe::Create(
    const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
    const BpeOptions& options) {
  std::unique_ptr<Bpe> bpe(new Bpe());
  bpe->options_ = options;
  for (const auto& [token, id] : vocabulary) {
    if (!options.byte_level && CharacterLength(token) == token.size()) bpe->characters_[token] = id;
    if (!options.ignore_merges) continue;
    if (!options.byte_level) {
      bpe->words_[token] = id;
    } else if (std::optional<std::string> bytes = BytesOfToken(token)) {
      bpe->words_[*bytes] = id;
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found =
        vocabulary.find(options.byte_level ? ByteLevelAlphabet()[byte] : absl::StrFormat("<0x%02X>", byte));
    if (found != vocabulary.end()) bpe->bytes_[byte] = found->second;
  }
  if (!options.unk_token.empty()) {
    const auto found = vocabulary.find(options.unk_token);
    if (found == vocabulary.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("unk_token: '", options.unk_token, "' is not in the vocabulary"));
    }
    bpe->unknown_ = found->second;
  }
  bpe->merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    uint32_t ids[3];
    const std::string tokens[3] = {left, right, left + right};
    for (int i = 0; i < 3; ++i) {
      const auto found = vocabulary.find(tokens[i]);
      if (found == vocabulary.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("merges[", rank, "]: '", tokens[i], "' is not in the vocabulary"));
      }
      ids[i] = found->second;
    }
    bpe->merges_[PairKey(ids[0], ids[1])] = {static_cast<uint32_t>(rank), ids[2]};
  }
  return bpe;
}

const Bpe::Merge* Bpe::FindMerge(uint32_t left, uint32_t right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

// The order of unknown tokens among fallback bytes is that of the peer.
void Bpe::StartCharacters(absl::string_view word, std::vector<uint32_t>* symbols) const {
  bool unknown_pending = false;
  const auto put_unknown = [&] {
    if (unknown_pending) symbols->push_back(*unknown_);
    unknown_pending = false;
  };
  while (!word.empty()) {
    const absl::string_view character = word.substr(0, CharacterLength(word));
    word.remove_prefix(character.size());
    if (const auto found = characters_.find(character); found != characters_.end()) {
      put_unknown();
      symbols->push_back(found->second);
      continue;
    }
    const auto has_token = [&](char c) { return bytes_[static_cast<uint8_t>(c)].has_value(); };
    if (options_.byte_fallback && std::all_of(character.begin(), character.end(), has_token)) {
      for (const char c : character) symbols->push_back(*bytes_[static_cast<uint8_t>(c)]);
      continue;
    }
    if (!unknown_) continue;
    if (!options_.fuse_unk) put_unknown();
    unknown_pending = true;
  }
  put_unknown();
}

void Bpe::StartWord(absl::string_view word, Workspace* workspace) const {
  std::vector<uint32_t>& symbols = workspace->symbols;
  symbols.clear();
  if (!options_.byte_level) return StartCharacters(word, &symbols);
  for (const char c : word) {
    if (const std::optional<uint32_t>& id = bytes_[static_cast<uint8_t>(c)]) {
      symbols.push_back(*id);
    } else if (unknown_ && !(options_.fuse_unk && !symbols.empty() && symbols.back() == *unknown_)) {
      symbols.push_back(*unknown_);
    }
  }
}

void Bpe::MergeShort(Workspace* workspace) const {
  std::vector<uint32_t>& symbols = workspace->symbols;
  std::vector<Merge>& pairs = workspace->pair_merges;
  const auto merge_at = [&](size_t i) {
    const Merge* merge = FindMerge(symbols[i], symbols[i + 1]);
    return merge == nullptr ? Merge{kNone, 0} : *merge;
  };
  pairs.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(merge_at(i));
  while (!pairs.empty()) {
    const auto best = std::min_element(pairs.begin(), pairs.end(),
                                       [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    if (best->rank == kNone) return;
    const size_t i = best - pairs.begin();
    symbols[i] = best->id;
    symbols.erase(symbols.begin() + i + 1);
    pairs.erase(best);
    if (i > 0) pairs[i - 1] = merge_at(i - 1);
    if (i < pairs.size()) pairs[i] = merge_at(i);
  }
}

void Bpe::MergeLong(Workspace* workspace) const {
  std::vector<uint32_t>& symbols = workspace->symbols;
  std::vector<uint32_t>& next = workspace->next;
  std::vector<uint32_t>& previous = workspace->previous;
  const uint32_t size = static_cast<uint32_t>(symbols.size());
  next.resize(size);
  previous.resize(size);
  for (uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
  }
  // Rank, position of the left symbol, and the joined token. Entries whose symbols have changed are passed
  // over.
  using Candidate = std::tuple<uint32_t, uint32_t, uint32_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<Candidate>> queue;
  const auto push = [&](uint32_t i) {
    if (i == kNone || next[i] == kNone) return;
    if (const Merge* merge = FindMerge(symbols[i], symbols[next[i]]))
      queue.emplace(merge->rank, i, merge->id);
  };
  for (uint32_t i = 0; i + 1 < size; ++i) push(i);
  while (!queue.empty()) {
    const auto [rank, i, id] = queue.top();
    queue.pop();
    if (symbols[i] == kNone || next[i] == kNone) continue;
    const Merge* merge = FindMerge(symbols[i], symbols[next[i]]);
    if (merge == nullptr || merge->rank != rank) continue;
    const uint32_t joined = next[i];
    symbols[i] = id;
    symbols[joined] = kNone;
    next[i] = next[joined];
    if (next[i] != kNone) previous[next[i]] = i;
    push(i);
    push(previous[i]);
  }
  symbols.erase(std::remove(symbols.begin(), symbols.end(), kNone), symbols.end());
}

void Bpe::EncodeWord(absl::string_view word, Workspace* workspace) const {
  if (options_.ignore_merges) {
    if (const auto found = words_.find(word); found != words_.end()) {
      workspace->symbols.assign(1, found->second);
      return;
    }
  }
  StartWord(word, workspace);
  if (workspace->symbols.size() < kLongWord) {
    MergeShort(workspace);
  } else {
    MergeLong(workspace);
  }
}

std::unique_ptr<Bpe::Workspace> Bpe::TakeWorkspace() const {
  absl::MutexLock lock(&mutex_);
  if (free_workspaces_.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> workspace = std::move(free_workspaces_.back());
  free_workspaces_.pop_back();
  return workspace;
}

void Bpe::Encode(absl::Span<const absl::string_view> words, std::vector<int64_t>* ids) const {
  std::unique_ptr<Workspace> workspace = TakeWorkspace();
  auto& cache = workspace->cache;
  auto& cached_ids = workspace->cached_ids;
  for (const absl::string_view word : words) {
    if (word.size() > kCachedWordBytes) {
      EncodeWord(word, workspace.get());
      ids->insert(ids->end(), workspace->symbols.begin(), workspace->symbols.end());
      continue;
    }
    auto found = cache.find(word);
    if (found == cache.end()) {
      EncodeWord(word, workspace.get());
      if (cache.size() >= kCachedWords) {
        cache.clear();
        cached_ids.clear();
      }
      const auto place = std::make_pair(static_cast<uint32_t>(cached_ids.size()),
                                        static_cast<uint32_t>(workspace->symbols.size()));
      cached_ids.insert(cached_ids.end(), workspace->symbols.begin(), workspace->symbols.end());
      found = cache.emplace(word, place).first;
    }
    const auto [start, length] = found->second;
    ids->insert(ids->end(), cached_ids.begin() + start, cached_ids.begin() + start + length);
  }
  absl::MutexLock lock(&mutex_);
  free_workspaces_.push_back(std::move(workspace));
}

}  // namespace plumb
