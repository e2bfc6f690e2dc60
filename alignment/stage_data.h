#ifndef PLUMB_ALIGNMENT_STAGE_DATA_H_
#define PLUMB_ALIGNMENT_STAGE_DATA_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignment/objectives/objective.h"
#include "alignment/preference_data.h"
#include "alignment/preference_direction.h"
#include "common/data/data.pb.h"
#include "common/data/example_tokens.h"
#include "common/data/tokenizer.h"
#include "common/nn/model_config.h"

namespace plumb {

// What became of a stage's examples, for people.
struct StageDataCounts {
  TokenizationCounts train;
  TokenizationCounts eval;
};

// The files that a stage reads: for answers with labels data.unpaired; with rejected answers data.preference;
// without, data.text, or data.preference (its chosen answers) where there is no text.
const RecordSource& StageSource(const DataConfig& config, const ObjectiveTraits& traits);

// What is wrong with a stage's data without looking at any file. `field` ("stage[0]") begins messages.
absl::Status CheckDataConfig(const DataConfig& config, const ObjectiveTraits& traits,
                             const std::string& field);

// Refuses a data.max_length that the model cannot see.
absl::Status CheckMaxLength(const DataConfig& config, const ModelConfig& model, const std::string& field);

// Reads and tokenises what a stage learns from and what is held out. Reward models see whole answers: a pair
// that is longer than data.max_length is dropped, as by TRL's RewardTrainer. data.eval_fraction holds out the
// same records of a file in every stage of one seed. With `directions`, each prompt of data without rejected
// answers asks for one: those that are learnt by their numbers, then the held-out ones.
absl::StatusOr<PreferenceData> LoadStageData(const DataConfig& config, const ObjectiveTraits& traits,
                                             const Tokenizer& tokenizer, uint64_t seed,
                                             const std::string& field, StageDataCounts* counts,
                                             const PreferenceDirections* directions = nullptr);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_STAGE_DATA_H_
