#ifndef PLUMB_ALIGNMENT_PREFERENCE_DEGREE_TASK_H_
#define PLUMB_ALIGNMENT_PREFERENCE_DEGREE_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "alignment/preference_data.h"
#include "alignment/recipe.pb.h"
#include "alignment/text_model.h"
#include "common/train/delegating_task.h"

namespace plumb {

// Cross-entropy [N] of the classes `labels` [N] int64 under a linear head, weight [K, H] and bias [K], on
// hidden states [N, H], in the head's dtype.
at::Tensor PreferenceDegreeLosses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& bias,
                                  const at::Tensor& labels);

// Tokens of an answer with growing shares of its key content taken out, one for each of `classes` degrees:
// degree c lacks the first round(c n / (classes - 1)) of its n key phrases (KeyPhrases()), so that degree 0
// is the answer and the last has none of them. A token goes when its first character is within a phrase; all
// else stays, the end-of-sequence token too. Empty where the answer has fewer than classes - 1 phrases.
std::vector<std::vector<int64_t>> DegradedAnswers(const Tokenizer& tokenizer,
                                                  const std::vector<int64_t>& prompt_ids,
                                                  const std::vector<int64_t>& answer_ids, int64_t classes);

// Self-supervised preference optimisation, SPO (Li et al. 2024, arXiv 2409.17791; neither SPPO nor Swamy et
// al.'s SPO): beside a preference objective the policy learns to tell how much of an answer's key content is
// missing,
//
//   loss = loss_PO + gamma L_SPD,   L_SPD = mean over degrees c of -log softmax(W h(x, y_c) + b)_c
//
// for each example, where y_c is its chosen answer at degree c and h the hidden state after the last norm at
// its last token. The sum, the removal of key content and the classification are the abstract's; RAKE, the
// shares, that chosen answers are the ones cut, the place of h, and the defaults of gamma and of the number
// of classes could not be confirmed: the authors' repository has no program in it.
//
// The head is trained at the stage's learning rate, kept in its checkpoints, and left out of the model that
// is saved. Metrics: preference_degree/loss and preference_degree/accuracies, of held-out answers too; `loss`
// has gamma times the first in it, but for `eval_loss`, which is the preference objective's.
class PreferenceDegreeTask : public DelegatingTask {
 public:
  // `policy` and `data` are those of `inner`; they must outlive this.
  PreferenceDegreeTask(std::unique_ptr<TrainTask> inner, TextModel* policy, const PreferenceData* data,
                       const PreferenceDegree& config, const RandomStream& random,
                       bool gradient_checkpointing);

  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override;
  std::vector<NamedParameter> TrainableParameters() override;

 private:
  using Degrees = std::vector<std::vector<std::vector<int64_t>>>;  // of each example's answer

  Degrees DegreesOf(const std::vector<TokenizedPreference>& examples) const;
  // Sum over the examples that have degrees of their mean losses; undefined where none has.
  at::Tensor Loss(const std::vector<TokenizedPreference>& examples, const Degrees& degrees,
                  absl::Span<const int64_t> some, const ForwardOptions& options, MetricSums* metrics);

  TextModel& policy_;
  const PreferenceData& data_;
  PreferenceDegree config_;
  bool gradient_checkpointing_;
  at::Tensor weight_, bias_;  // [classes, H], [classes]
  Degrees train_, eval_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PREFERENCE_DEGREE_TASK_H_
