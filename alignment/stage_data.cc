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

// Moves a share of the records that `train` is from to `held_out`; what stays, stays in order. What came from
// one record, such as both answers of a pair, stays together.
template <typename Example>
void HoldOut(double fraction, uint64_t seed, std::vector<Example>* train, std::vector<Example>* held_out) {
  std::vector<int64_t> record_of;  // each example
  for (size_t i = 0; i < train->size(); ++i) {
    const bool is_new = i == 0 || (*train)[i].where != (*train)[i - 1].where;
    record_of.push_back(i == 0 ? 0 : record_of.back() + (is_new ? 1 : 0));
  }
  const int64_t records = record_of.empty() ? 0 : record_of.back() + 1;
  const auto count = static_cast<int64_t>(std::ceil(fraction * records));
  const std::vector<int64_t> order = RandomStream(seed, "held-out").Permutation(records);
  std::vector<bool> is_held_out(records, false);
  for (int64_t i = 0; i < count; ++i) is_held_out[order[i]] = true;
  std::vector<Example> kept;
  for (size_t i = 0; i < train->size(); ++i) {
    (is_held_out[record_of[i]] ? held_out : &kept)->push_back(std::move((*train)[i]));
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
                                                               TokenizationCounts* counts,
                                                               const PreferenceDirections* directions,
                                                               int64_t first_direction) {
  if (directions != nullptr) {
    // One by one, as some are dropped.
    std::vector<TokenizedPreference> pairs;
    for (size_t i = 0; i < examples.size(); ++i) {
      const std::vector<double> direction = directions->Direction(first_direction + static_cast<int64_t>(i));
      TextExample example = examples[i];
      PLUMB_ASSIGN_OR_RETURN(const std::vector<int64_t> undirected,
                             tokenizer.Prompt(example.prompt, example.tools));
      example.prompt = directions->WithInstruction(std::move(example.prompt), direction);
      PLUMB_ASSIGN_OR_RETURN(std::vector<TokenizedText> texts,
                             tokenizer.Texts(absl::MakeConstSpan(&example, 1), counts));
      for (TokenizedText& text : texts) {
        pairs.push_back(AsPreference(std::move(text)));
        pairs.back().reward_direction = direction;
        pairs.back().undirected_prompt_ids = undirected;
      }
    }
    return pairs;
  }
  PLUMB_ASSIGN_OR_RETURN(std::vector<TokenizedText> texts, tokenizer.Texts(examples, counts));
  std::vector<TokenizedPreference> pairs;
  for (TokenizedText& text : texts) pairs.push_back(AsPreference(std::move(text)));
  return pairs;
}

absl::StatusOr<std::vector<TokenizedPreference>> TokenizeUnpaired(
    const ExampleTokenizer& tokenizer, const std::vector<UnpairedExample>& examples,
    TokenizationCounts* counts) {
  PLUMB_ASSIGN_OR_RETURN(auto answers, tokenizer.Unpaired(examples, counts));
  std::vector<TokenizedPreference> rows;
  for (TokenizedAnswer& answer : answers) {
    rows.push_back(AsPreference(std::move(answer.text), answer.label));
    rows.back().weight = answer.weight;
  }
  return rows;
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

// Every pair has what the objectives look at beside its tokens.
absl::Status CheckColumns(const PreferenceData& data, const ObjectiveTraits& traits,
                          const std::string& field) {
  size_t count = traits.score_count;
  int64_t pairs = 0, scored = 0, masked = 0, golden = 0;
  for (const auto* part : {&data.train, &data.eval}) {
    for (const TokenizedPreference& pair : *part) {
      if (count == 0) count = pair.score_chosen.size();
      ++pairs;
      scored += count > 0 && pair.score_chosen.size() == count && pair.score_rejected.size() == count;
      golden += !pair.gold_ids.empty();
      masked += !pair.chosen_mask.empty() && !pair.rejected_mask.empty();
    }
  }
  if (traits.needs_scores && scored < pairs) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": an objective of this stage looks at scores: ", scored, " of ", pairs,
                     " pairs have ", std::max<size_t>(1, count), " in score_chosen and in score_rejected"));
  }
  if (traits.needs_scores && traits.scores_are_win_probabilities) {
    for (const auto* part : {&data.train, &data.eval}) {
      for (const TokenizedPreference& pair : *part) {
        for (const double score : {pair.score_chosen[0], pair.score_rejected[0]}) {
          if (score >= 0 && score <= 1) continue;
          return absl::InvalidArgumentError(absl::StrCat(
              field, ": an objective of this stage takes scores for win probabilities, from 0 to 1; found ",
              score));
        }
      }
    }
  }
  if (traits.needs_gold && golden < pairs) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": an objective of this stage learns gold answers: ", golden, " of ", pairs,
                     " pairs have a reference"));
  }
  if (traits.needs_token_mask && masked < pairs) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": an objective of this stage looks at parts of answers: ", masked, " of ", pairs,
                     " pairs have chosen_sentences, chosen_mask, rejected_sentences and rejected_mask"));
  }
  return absl::OkStatus();
}

}  // namespace

const RecordSource& StageSource(const DataConfig& config, const ObjectiveTraits& traits) {
  if (traits.needs_label) return config.unpaired();
  return !traits.needs_rejected && config.has_text() ? config.text() : config.preference();
}

absl::Status CheckDataConfig(const DataConfig& config, const ObjectiveTraits& traits,
                             const std::string& field) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
  };
  const RecordSource& source = StageSource(config, traits);
  if (source.path().empty()) {
    return error(traits.needs_label      ? "no data: data.unpaired names it"
                 : traits.needs_rejected ? "no data: data.preference names it"
                                         : "no data: data.text or data.preference names it");
  }
  const bool has_eval = &source == &config.unpaired() ? config.has_eval_unpaired()
                        : &source == &config.text()   ? config.has_eval_text()
                                                      : config.has_eval_preference();
  if (config.eval_fraction() > 0 && has_eval) {
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
                                             const std::string& field, StageDataCounts* counts,
                                             const PreferenceDirections* directions) {
  PLUMB_RETURN_IF_ERROR(CheckDataConfig(config, traits, field));
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer, MakeChatRenderer(config.chat_template(), tokenizer));
  DataConfig tokenization = config;
  if (traits.needs_rewards) tokenization.set_max_length(std::numeric_limits<int64_t>::max());
  const ExampleTokenizer example_tokenizer(tokenizer, std::move(renderer), tokenization);
  PreferenceData data;
  if (traits.needs_label) {
    PLUMB_ASSIGN_OR_RETURN(
        const auto split,
        ReadSplit<UnpairedExample>(config.unpaired(),
                                   config.has_eval_unpaired() ? &config.eval_unpaired() : nullptr, config,
                                   seed, ReadUnpaired));
    PLUMB_ASSIGN_OR_RETURN(data.train, TokenizeUnpaired(example_tokenizer, split.train, &counts->train));
    PLUMB_ASSIGN_OR_RETURN(data.eval, TokenizeUnpaired(example_tokenizer, split.eval, &counts->eval));
  } else if (&StageSource(config, traits) == &config.text()) {
    PLUMB_ASSIGN_OR_RETURN(
        const auto split,
        ReadSplit<TextExample>(config.text(), config.has_eval_text() ? &config.eval_text() : nullptr, config,
                               seed, ReadTexts));
    const auto learnt = static_cast<int64_t>(split.train.size());
    PLUMB_ASSIGN_OR_RETURN(data.train,
                           TokenizeTexts(example_tokenizer, split.train, &counts->train, directions, 0));
    PLUMB_ASSIGN_OR_RETURN(data.eval,
                           TokenizeTexts(example_tokenizer, split.eval, &counts->eval, directions, learnt));
  } else {
    PLUMB_ASSIGN_OR_RETURN(auto split, ReadSplit<PreferenceExample>(
                                           config.preference(),
                                           config.has_eval_preference() ? &config.eval_preference() : nullptr,
                                           config, seed, ReadPreferences));
    if (!traits.needs_gold) {
      for (auto* part : {&split.train, &split.eval}) {
        for (PreferenceExample& example : *part) example.reference_answer.clear();
      }
    }
    if (traits.needs_rejected) {
      PLUMB_ASSIGN_OR_RETURN(data.train, example_tokenizer.Preferences(split.train, &counts->train));
      PLUMB_ASSIGN_OR_RETURN(data.eval, example_tokenizer.Preferences(split.eval, &counts->eval));
    } else {
      const auto learnt = static_cast<int64_t>(split.train.size());
      PLUMB_ASSIGN_OR_RETURN(
          data.train, TokenizeTexts(example_tokenizer, ChosenAnswers(std::move(split.train)), &counts->train,
                                    directions, 0));
      PLUMB_ASSIGN_OR_RETURN(data.eval, TokenizeTexts(example_tokenizer, ChosenAnswers(std::move(split.eval)),
                                                      &counts->eval, directions, learnt));
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
  PLUMB_RETURN_IF_ERROR(CheckColumns(data, traits, field));
  return data;
}

}  // namespace plumb
