#include "alignment/preference_degree_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "alignment/key_phrases.h"
#include "alignment/objectives/weighted_objectives.h"
#include "alignment/pair_batch.h"
#include "common/nn/text_stream.h"
#include "common/status/status_macros.h"
#include "common/train/gradients.h"

namespace plumb {

at::Tensor PreferenceDegreeLosses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& bias,
                                  const at::Tensor& labels) {
  const at::Tensor scores = at::linear(states.to(weight.scalar_type()), weight, bias);
  return -at::log_softmax(scores, 1).gather(1, labels.unsqueeze(1)).squeeze(1);
}

std::vector<std::vector<int64_t>> DegradedAnswers(const Tokenizer& tokenizer,
                                                  const std::vector<int64_t>& prompt_ids,
                                                  const std::vector<int64_t>& answer_ids, int64_t classes) {
  TextStream stream(tokenizer, prompt_ids);
  std::string text;
  std::vector<size_t> begins;  // of each token's first character
  for (const int64_t id : answer_ids) {
    begins.push_back(text.size());
    std::string piece = stream.Push(id);
    // A space that belongs to a token is before its first character.
    if (piece.size() > 1 && piece[0] == ' ') ++begins.back();
    text += piece;
  }
  const std::vector<KeyPhrase> phrases = KeyPhrases(text);
  const auto count = static_cast<int64_t>(phrases.size());
  std::vector<std::vector<int64_t>> degrees;
  if (count < classes - 1) return degrees;
  for (int64_t degree = 0; degree < classes; ++degree) {
    std::vector<bool> removed(answer_ids.size(), false);
    const int64_t share =
        std::llround(static_cast<double>(degree * count) / static_cast<double>(classes - 1));
    for (int64_t i = 0; i < share; ++i) {
      for (const auto& [begin, end] : phrases[i].places) {
        const auto first = std::lower_bound(begins.begin(), begins.end(), begin);
        const auto last = std::lower_bound(begins.begin(), begins.end(), end);
        std::fill(removed.begin() + (first - begins.begin()), removed.begin() + (last - begins.begin()),
                  true);
      }
    }
    std::vector<int64_t> kept;
    for (size_t i = 0; i < answer_ids.size(); ++i) {
      if (!removed[i]) kept.push_back(answer_ids[i]);
    }
    degrees.push_back(std::move(kept));
  }
  return degrees;
}

PreferenceDegreeTask::PreferenceDegreeTask(std::unique_ptr<TrainTask> inner, TextModel* policy,
                                           const PreferenceData* data, const PreferenceDegree& config,
                                           const RandomStream& random, bool gradient_checkpointing)
    : DelegatingTask(std::move(inner)),
      policy_(*policy),
      data_(*data),
      config_(config),
      gradient_checkpointing_(gradient_checkpointing),
      train_(DegreesOf(data->train)),
      eval_(DegreesOf(data->eval)) {
  const ModelConfig& model = policy_.model->config();
  const at::ScalarType dtype = policy_.model->dtype() == at::kDouble ? at::kDouble : at::kFloat;
  weight_ = random.Child("preference_degree.weight")
                .NormalTensor({config_.classes(), model.hidden_size}, dtype)
                .mul_(model.initializer_range);
  bias_ = at::zeros({config_.classes()}, dtype);
}

PreferenceDegreeTask::Degrees PreferenceDegreeTask::DegreesOf(
    const std::vector<TokenizedPreference>& examples) const {
  Degrees degrees;
  for (const TokenizedPreference& example : examples) {
    degrees.push_back(
        DegradedAnswers(*policy_.tokenizer, example.prompt_ids, example.chosen_ids, config_.classes()));
  }
  return degrees;
}

at::Tensor PreferenceDegreeTask::Loss(const std::vector<TokenizedPreference>& examples,
                                      const Degrees& degrees, absl::Span<const int64_t> some,
                                      const ForwardOptions& options, MetricSums* metrics) {
  std::vector<TokenizedPreference> rows;
  std::vector<int64_t> labels;
  for (const int64_t example : some) {
    for (size_t degree = 0; degree < degrees[example].size(); ++degree) {
      TokenizedPreference row;
      row.prompt_ids = examples[example].prompt_ids;
      row.chosen_ids = degrees[example][degree];
      rows.push_back(std::move(row));
      labels.push_back(static_cast<int64_t>(degree));
    }
  }
  if (rows.empty()) return at::Tensor();
  Pairs pairs;
  for (const TokenizedPreference& row : rows) pairs.push_back(&row);
  const PairBatch batch = PackPairs(pairs, /*with_rejected=*/false);
  const at::Tensor states = policy_.model->Hidden(batch.tokens, options).index_select(0, batch.chosen_last);
  const at::Tensor label = at::tensor(labels, at::kLong);
  const at::Tensor losses = PreferenceDegreeLosses(states, weight_, bias_, label);
  const at::Tensor scores =
      at::linear(states.detach().to(weight_.scalar_type()), weight_.detach(), bias_.detach());
  AddMean("preference_degree/loss", losses.detach(), metrics);
  AddMean("preference_degree/accuracies", (scores.argmax(1) == label).to(at::kDouble), metrics);
  return losses.sum() / config_.classes();
}

absl::Status PreferenceDegreeTask::AccumulateGradients(const TrainStep& step,
                                                       absl::Span<const int64_t> micro_batch,
                                                       MetricSums* metrics) {
  PLUMB_RETURN_IF_ERROR(DelegatingTask::AccumulateGradients(step, micro_batch, metrics));
  const RandomStream dropout = step.random.Child("preference degree dropout").Child(micro_batch.front());
  ForwardOptions options;
  options.gradient_checkpointing = gradient_checkpointing_;
  options.dropout = &dropout;
  const at::Tensor sum = Loss(data_.train, train_, micro_batch, options, metrics);
  if (!sum.defined()) return absl::OkStatus();
  const at::Tensor loss = sum * (config_.gamma() / static_cast<double>(step.examples.size()));
  Backward(loss);
  // The inner task has counted these examples.
  metrics->Add("loss", loss.item<double>(), 0);
  return absl::OkStatus();
}

absl::StatusOr<MetricSums> PreferenceDegreeTask::Evaluate(int64_t batch_size) {
  PLUMB_ASSIGN_OR_RETURN(MetricSums metrics, DelegatingTask::Evaluate(batch_size));
  const at::NoGradGuard no_grad;
  std::vector<int64_t> examples(data_.eval.size());
  std::iota(examples.begin(), examples.end(), 0);
  for (size_t begin = 0; begin < examples.size(); begin += batch_size) {
    Loss(data_.eval, eval_, absl::MakeConstSpan(examples).subspan(begin, batch_size), {}, &metrics);
  }
  return metrics;
}

std::vector<NamedParameter> PreferenceDegreeTask::TrainableParameters() {
  std::vector<NamedParameter> parameters = DelegatingTask::TrainableParameters();
  weight_.set_requires_grad(true);
  bias_.set_requires_grad(true);
  parameters.push_back({"preference_degree.weight", weight_});
  parameters.push_back({"preference_degree.bias", bias_});
  return parameters;
}

}  // namespace plumb
