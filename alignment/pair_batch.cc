#include "alignment/pair_batch.h"

#include <ATen/ops/tensor.h>

namespace plumb {
namespace {

// Which tokens of a batch are predicted, answer after answer.
class Predictions {
 public:
  explicit Predictions(const PackedTokens& tokens) : segments_(tokens.segments) {}

  // `answer` is segment `index`; its parent is the prompt.
  Segment Add(int64_t index, const std::vector<int64_t>& answer) {
    Segment segment;
    segment.begin = static_cast<int64_t>(rows_.size());
    const Segment& place = segments_[index];
    const Segment& prompt = segments_[place.parent];
    for (int64_t t = prompt.length() > 0 ? 0 : 1; t < place.length(); ++t) {
      rows_.push_back(t > 0 ? place.begin + t - 1 : prompt.end - 1);
      targets_.push_back(answer[t]);
    }
    segment.end = static_cast<int64_t>(rows_.size());
    return segment;
  }

  int64_t LastRow(int64_t index) const {
    const Segment& place = segments_[index];
    return (place.length() > 0 ? place.end : segments_[place.parent].end) - 1;
  }

  at::Tensor rows() const { return at::tensor(rows_, at::kLong); }
  at::Tensor targets() const { return at::tensor(targets_, at::kLong); }

 private:
  const std::vector<Segment>& segments_;
  std::vector<int64_t> rows_;
  std::vector<int64_t> targets_;
};

}  // namespace

PairBatch PackPairs(const Pairs& pairs, bool with_rejected, bool share_prompts, bool with_gold) {
  std::vector<std::vector<int64_t>> sequences;
  std::vector<int> parents;
  std::vector<int64_t> chosen_index, rejected_index, gold_index;  // of segments
  const auto add = [&](const std::vector<int64_t>& tokens, int parent) {
    sequences.push_back(tokens);
    parents.push_back(parent);
    return static_cast<int>(sequences.size()) - 1;
  };
  for (const TokenizedPreference* pair : pairs) {
    int prompt = add(pair->prompt_ids, Segment::kNoParent);
    chosen_index.push_back(add(pair->chosen_ids, prompt));
    if (with_rejected) {
      if (!share_prompts) prompt = add(pair->prompt_ids, Segment::kNoParent);
      rejected_index.push_back(add(pair->rejected_ids, prompt));
    }
    if (with_gold) {
      if (!share_prompts) prompt = add(pair->prompt_ids, Segment::kNoParent);
      gold_index.push_back(add(pair->gold_ids, prompt));
    }
  }
  PairBatch batch;
  batch.tokens = PackTree(sequences, parents);

  Predictions predictions(batch.tokens);
  std::vector<int64_t> chosen_last, rejected_last;
  for (size_t i = 0; i < pairs.size(); ++i) {
    batch.chosen.push_back(predictions.Add(chosen_index[i], pairs[i]->chosen_ids));
    chosen_last.push_back(predictions.LastRow(chosen_index[i]));
  }
  for (size_t i = 0; with_rejected && i < pairs.size(); ++i) {
    batch.rejected.push_back(predictions.Add(rejected_index[i], pairs[i]->rejected_ids));
    rejected_last.push_back(predictions.LastRow(rejected_index[i]));
  }
  for (size_t i = 0; with_gold && i < pairs.size(); ++i) {
    batch.gold.push_back(predictions.Add(gold_index[i], pairs[i]->gold_ids));
  }
  batch.rows = predictions.rows();
  batch.targets = predictions.targets();
  batch.chosen_last = at::tensor(chosen_last, at::kLong);
  batch.rejected_last = at::tensor(rejected_last, at::kLong);
  return batch;
}

}  // namespace plumb
