#include "alignment/stage_data.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/data/chat_template.h"
#include "common/data/read_examples.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

// Moves a share of `train` to `held_out`; what stays, stays in order.
template <typename Example>
void HoldOut(double fraction, uint64_t seed, std::vector<Example>* train, std::vector<Example>* held_out) {
  const int64_t size = train->size();
  const auto count = static_cast<int64_t>(std::ceil(fraction * size));
  const std::vector<int64_t> order = RandomStream(seed, "held-out").Permutation(size);
  std::vector<bool> is_held_out(size, false);
  for (int64_t i = 0; i < count; ++i) is_held_out[order[i]] = true;
  std::vector<Example> kept;
  for (int64_t i = 0; i < size; ++i) {
    (is_held_out[i] ? held_out : &kept)->push_back(std::move((*train)[i]));
  }
  *train = std::move(kept);
}

// The files of one kind of example, split.
template <typename Example>
struct Split {
  std::vector<Example> train, eval;
};

template <typename Example, typename Read>
absl::StatusOr<Split<Example>> ReadSplit(const RecordSource& source, const RecordSource* eval_source,
                                         const DataConfig& config, uint64_t seed, Read read) {
  Split<Example> split;
  PLUMB_ASSIGN_OR_RETURN(split.train, read(source));
  if (eval_source != nullptr) {
    PLUMB_ASSIGN_OR_RETURN(split.eval, read(*eval_source));
  } else if (config.eval_fraction() > 0) {
    HoldOut(config.eval_fraction(), seed, &split.train, &split.eval);
  }
  return split;
}

absl::StatusOr<std::vector<TokenizedPreference>> TokenizeTexts(const ExampleTokenizer& tokenizer,
                                                               const std::vector<TextExample>& examples,
                                                               TokenizationCounts* counts) {
  PLUMB_ASSIGN_OR_RETURN(std::vector<TokenizedText> texts, tokenizer.Texts(examples, counts));
  std::vector<TokenizedPreference> pairs;
  for (TokenizedText& text : texts) pairs.push_back(AsPreference(std::move(text)));
  return pairs;
}

std::vector<TextExample> ChosenAnswers(std::vector<PreferenceExample> examples) {
  std::vector<TextExample> texts;
  for (PreferenceExample& example : examples) {
    texts.push_back({std::move(example.prompt), std::move(example.chosen), std::move(example.tools),
                     std::move(example.where)});
  }
  return texts;
}

void DropLong(int64_t max_length, std::vector<TokenizedPreference>* pairs, TokenizationCounts* counts) {
  const auto is_long = [max_length](const TokenizedPreference& pair) {
    return static_cast<int64_t>(pair.prompt_ids.size() +
                                std::max(pair.chosen_ids.size(), pair.rejected_ids.size())) > max_length;
  };
  const auto end = std::remove_if(pairs->begin(), pairs->end(), is_long);
  counts->dropped += pairs->end() - end;
  pairs->erase(end, pairs->end());
}

}  // namespace

const RecordSource& StageSource(const DataConfig& config, const ObjectiveTraits& traits) {
  return !traits.needs_rejected && config.has_text() ? config.text() : config.preference();
}

absl::Status CheckDataConfig(const DataConfig& config, const ObjectiveTraits& traits,
                             const std::string& field) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
  };
  if (config.has_unpaired()) {
    return error("data.unpaired: nothing here learns from answers without a pair; leave it out");
  }
  if (StageSource(config, traits).path().empty()) {
    return error(traits.needs_rejected ? "no data: data.preference names it"
                                       : "no data: data.text or data.preference names it");
  }
  const bool reads_text = &StageSource(config, traits) == &config.text();
  if (config.eval_fraction() > 0 && (reads_text ? config.has_eval_text() : config.has_eval_preference())) {
    return error(
        "data.eval_fraction: the held-out examples have files of their own; leave out one of the two");
  }
  return absl::OkStatus();
}

absl::Status CheckMaxLength(const DataConfig& config, const ModelConfig& model, const std::string& field) {
  if (config.max_length() <= MaxPositions(model)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": data.max_length: ", config.max_length(),
                                                 " is more than the model's ", MaxPositions(model),
                                                 " positions"));
}

absl::StatusOr<PreferenceData> LoadStageData(const DataConfig& config, const ObjectiveTraits& traits,
                                             const Tokenizer& tokenizer, uint64_t seed,
                                             const std::string& field, StageDataCounts* counts) {
  PLUMB_RETURN_IF_ERROR(CheckDataConfig(config, traits, field));
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer, MakeChatRenderer(config.chat_template(), tokenizer));
  DataConfig tokenization = config;
  if (traits.needs_rewards) tokenization.set_max_length(std::numeric_limits<int64_t>::max());
  const ExampleTokenizer example_tokenizer(tokenizer, std::move(renderer), tokenization);
  PreferenceData data;
  if (&StageSource(config, traits) == &config.text()) {
    PLUMB_ASSIGN_OR_RETURN(
        const auto split,
        ReadSplit<TextExample>(config.text(), config.has_eval_text() ? &config.eval_text() : nullptr, config,
                               seed, ReadTexts));
    PLUMB_ASSIGN_OR_RETURN(data.train, TokenizeTexts(example_tokenizer, split.train, &counts->train));
    PLUMB_ASSIGN_OR_RETURN(data.eval, TokenizeTexts(example_tokenizer, split.eval, &counts->eval));
  } else {
    PLUMB_ASSIGN_OR_RETURN(auto split, ReadSplit<PreferenceExample>(
                                           config.preference(),
                                           config.has_eval_preference() ? &config.eval_preference() : nullptr,
                                           config, seed, ReadPreferences));
    if (traits.needs_rejected) {
      PLUMB_ASSIGN_OR_RETURN(data.train, example_tokenizer.Preferences(split.train, &counts->train));
      PLUMB_ASSIGN_OR_RETURN(data.eval, example_tokenizer.Preferences(split.eval, &counts->eval));
    } else {
      PLUMB_ASSIGN_OR_RETURN(
          data.train,
          TokenizeTexts(example_tokenizer, ChosenAnswers(std::move(split.train)), &counts->train));
      PLUMB_ASSIGN_OR_RETURN(
          data.eval, TokenizeTexts(example_tokenizer, ChosenAnswers(std::move(split.eval)), &counts->eval));
    }
  }
  if (traits.needs_rewards) {
    DropLong(config.max_length(), &data.train, &counts->train);
    DropLong(config.max_length(), &data.eval, &counts->eval);
  }
  if (data.train.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": no example is left to train on: ", counts->train.dropped,
                     " dropped, as they do not fit data.max_length ", config.max_length(), "; ",
                     data.eval.size(), " held out"));
  }
  return data;
}

}  // namespace plumb
