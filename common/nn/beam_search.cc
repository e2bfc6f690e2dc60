#include "common/nn/beam_search.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/data/tokenizer.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/text_stream.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// What a model says next after each beam. Beams are reordered by sharing what the cache has of their parents:
// the two halves of its sequences take turns.
class BeamReader {
 public:
  BeamReader(CausalLm& model, int64_t num_beams)
      : model_(model), num_beams_(num_beams), cache_(model.config(), model.dtype(), 2 * num_beams) {}

  // Log-probabilities [1, V] f32 after the prompt, which the first beam has read then.
  at::Tensor ReadPrompt(const std::vector<int64_t>& prompt_ids) { return Read({prompt_ids}); }

  // Beam i goes on from beam parents[i] with tokens[i]: log-probabilities [beams, V] f32.
  at::Tensor Continue(const std::vector<int64_t>& parents, const std::vector<int64_t>& tokens) {
    const int64_t from = first_, to = num_beams_ - first_;
    std::vector<std::vector<int64_t>> next;
    for (size_t i = 0; i < parents.size(); ++i) {
      const int64_t parent = from + parents[i];
      cache_.Share(parent, to + static_cast<int64_t>(i), cache_.length(parent));
      next.push_back({tokens[i]});
    }
    for (int64_t i = 0; i < num_beams_; ++i) cache_.Truncate(from + i, 0);
    first_ = to;
    return Read(next);
  }

 private:
  // Token lists of the beams, from the first.
  at::Tensor Read(const std::vector<std::vector<int64_t>>& ids) {
    PackedTokens tokens;
    std::vector<int64_t> token_ids, positions, last_rows;
    for (int64_t sequence = 0; sequence < 2 * num_beams_; ++sequence) {
      const int64_t beam = sequence - first_, begin = token_ids.size();
      if (beam >= 0 && beam < static_cast<int64_t>(ids.size())) {
        for (const int64_t id : ids[beam]) {
          positions.push_back(cache_.length(sequence) + static_cast<int64_t>(token_ids.size()) - begin);
          token_ids.push_back(id);
        }
        last_rows.push_back(static_cast<int64_t>(token_ids.size()) - 1);
      }
      tokens.segments.push_back({begin, static_cast<int64_t>(token_ids.size()), Segment::kNoParent});
    }
    tokens.token_ids = at::tensor(token_ids, at::kLong);
    tokens.position_ids = at::tensor(positions, at::kLong);
    const at::Tensor hidden =
        model_.HiddenWithCache(tokens, &cache_).index_select(0, at::tensor(last_rows, at::kLong));
    return at::log_softmax(Logits(model_, hidden).to(at::kFloat), 1).contiguous();
  }

  CausalLm& model_;
  const int64_t num_beams_;
  KeyValueCache cache_;
  int64_t first_ = 0;  // sequence of the first beam
};

struct Beam {
  std::vector<int64_t> ids;  // new tokens
  std::vector<float> logps;
  double sum = 0;  // of the terms
};

struct Candidate {
  int64_t parent = 0;
  int64_t token = 0;
  float logp = 0;
  double sum = 0;
};

bool IsBetter(const Candidate& a, const Candidate& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  return a.parent != b.parent ? a.parent < b.parent : a.token < b.token;
}

void KeepBest(size_t count, std::vector<Candidate>* candidates) {
  count = std::min(count, candidates->size());
  std::partial_sort(candidates->begin(), candidates->begin() + count, candidates->end(), IsBetter);
  candidates->resize(count);
}

class Search {
 public:
  Search(CausalLm& model, CausalLm* reference, const BeamSearchOptions& options)
      : options_(options),
        width_(2 * static_cast<size_t>(options.num_beams)),
        eos_(options.eos_token_ids.begin(), options.eos_token_ids.end()),
        policy_(model, options.num_beams) {
    if (reference != nullptr) reference_.emplace(*reference, options.num_beams);
  }

  absl::Status Run(const std::vector<int64_t>& prompt_ids) {
    at::Tensor logps = policy_.ReadPrompt(prompt_ids);
    at::Tensor reference_logps;
    if (reference_.has_value()) reference_logps = reference_->ReadPrompt(prompt_ids);
    beams_ = {Beam()};
    while (true) {
      if (InterruptRequested()) return absl::CancelledError("beam search stopped");
      const auto length = static_cast<int64_t>(beams_[0].ids.size()) + 1;
      PLUMB_ASSIGN_OR_RETURN(const std::vector<Candidate> candidates, Candidates(logps, reference_logps));
      std::vector<int64_t> parents, tokens;
      std::vector<Beam> next;
      for (size_t rank = 0; rank < candidates.size(); ++rank) {
        const Candidate& candidate = candidates[rank];
        Beam beam = beams_[candidate.parent];
        beam.ids.push_back(candidate.token);
        beam.logps.push_back(candidate.logp);
        beam.sum = candidate.sum;
        if (eos_.count(candidate.token) != 0) {
          // One that is beyond num_beams would have been dropped, had it gone on.
          if (rank < width_ / 2) {
            Finish(std::move(beam), GeneratedSequence::FinishReason::kEndOfSequence);
          }
        } else if (next.size() < width_ / 2) {
          parents.push_back(candidate.parent);
          tokens.push_back(candidate.token);
          next.push_back(std::move(beam));
        }
      }
      beams_ = std::move(next);
      if (beams_.empty() || IsDone(length)) break;
      if (length == options_.max_new_tokens) {
        for (Beam& beam : beams_) Finish(std::move(beam), GeneratedSequence::FinishReason::kMaxNewTokens);
        break;
      }
      logps = policy_.Continue(parents, tokens);
      if (reference_.has_value()) reference_logps = reference_->Continue(parents, tokens);
    }
    return absl::OkStatus();
  }

  std::vector<BeamHypothesis> TakeFinished() { return std::move(finished_); }

 private:
  double Score(double sum, int64_t length) const {
    return sum / std::pow(static_cast<double>(length), options_.length_penalty);
  }

  // The best continuations of all beams.
  absl::StatusOr<std::vector<Candidate>> Candidates(const at::Tensor& logps,
                                                    const at::Tensor& reference_logps) const {
    std::vector<Candidate> all;
    const int64_t vocabulary = logps.size(1);
    for (size_t parent = 0; parent < beams_.size(); ++parent) {
      const float* row = logps.const_data_ptr<float>() + parent * vocabulary;
      if (!std::isfinite(*std::max_element(row, row + vocabulary))) {
        return absl::InvalidArgumentError(
            "the model's logits are not finite: its weights are damaged or have diverged");
      }
      std::vector<Candidate> own;
      for (int64_t token = 0; token < vocabulary; ++token) {
        own.push_back({static_cast<int64_t>(parent), token, row[token], beams_[parent].sum + row[token]});
      }
      KeepBest(width_, &own);
      if (reference_logps.defined()) {
        const float* other = reference_logps.const_data_ptr<float>() + parent * vocabulary;
        for (Candidate& candidate : own) candidate.sum -= other[candidate.token];
      }
      all.insert(all.end(), own.begin(), own.end());
    }
    KeepBest(width_, &all);
    return all;
  }

  void Finish(Beam beam, GeneratedSequence::FinishReason reason) {
    BeamHypothesis hypothesis;
    hypothesis.score = Score(beam.sum, static_cast<int64_t>(beam.ids.size()));
    hypothesis.sequence.token_ids = std::move(beam.ids);
    hypothesis.sequence.logps = std::move(beam.logps);
    hypothesis.sequence.finish_reason = reason;
    const auto place = std::find_if(finished_.begin(), finished_.end(), [&](const BeamHypothesis& other) {
      return other.score < hypothesis.score;
    });
    finished_.insert(place, std::move(hypothesis));
    if (finished_.size() > width_ / 2) finished_.pop_back();
  }

  // Whether the best beam, were it to end as it is, would not be kept.
  bool IsDone(int64_t length) const {
    return finished_.size() == width_ / 2 && finished_.back().score >= Score(beams_[0].sum, length);
  }

  const BeamSearchOptions& options_;
  const size_t width_;  // continuations that are looked at
  const std::set<int64_t> eos_;
  BeamReader policy_;
  std::optional<BeamReader> reference_;
  std::vector<Beam> beams_;               // best first
  std::vector<BeamHypothesis> finished_;  // best first
};

}  // namespace

absl::StatusOr<std::vector<BeamHypothesis>> BeamSearch(CausalLm& model, CausalLm* reference,
                                                       const std::vector<int64_t>& prompt_ids,
                                                       const BeamSearchOptions& options,
                                                       const Tokenizer* tokenizer) {
  GenerationOptions limits;
  limits.set_max_new_tokens(options.max_new_tokens);
  const std::vector<GenerationRequest> requests = {{prompt_ids, RandomStream(0, "beam search")}};
  for (CausalLm* const asked : {&model, reference}) {
    if (asked != nullptr) PLUMB_RETURN_IF_ERROR(CheckRequests(requests, limits, asked->config()));
  }
  if (reference != nullptr && reference->config().vocab_size != model.config().vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat("the reference's vocabulary has ",
                                                   reference->config().vocab_size, " tokens, the model's ",
                                                   model.config().vocab_size));
  }
  c10::InferenceMode inference;
  Search search(model, reference, options);
  PLUMB_RETURN_IF_ERROR(search.Run(prompt_ids));
  std::vector<BeamHypothesis> hypotheses = search.TakeFinished();
  if (tokenizer == nullptr) return hypotheses;
  for (BeamHypothesis& hypothesis : hypotheses) {
    TextStream stream(*tokenizer, prompt_ids);
    for (const int64_t id : hypothesis.sequence.token_ids) hypothesis.sequence.text += stream.Push(id);
    hypothesis.sequence.text += stream.Finish();
  }
  return hypotheses;
}

}  // namespace plumb
