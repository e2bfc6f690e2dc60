#ifndef PLUMB_ALIGNMENT_SELECTION_SELECTION_PASS_H_
#define PLUMB_ALIGNMENT_SELECTION_SELECTION_PASS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignment/selection/row.h"
#include "alignment/selection/select.pb.h"
#include "alignment/text_model.h"
#include "common/nn/model_config.h"

namespace plumb {

// Takes what a pass leaves.
using RowSink = absl::FunctionRef<absl::Status(Row row)>;

// A step of //alignment:select over a stream of rows. Errors of a row begin with its place.
class SelectionPass {
 public:
  virtual ~SelectionPass() = default;

  // The next row; what is known to stay goes on at once.
  virtual absl::Status Take(Row row, RowSink emit) = 0;
  // After the last row.
  virtual absl::Status Finish(RowSink) { return absl::OkStatus(); }

  // What else there is to tell of the rows, after Finish(): "3 of 10 test rows are in them". May be empty.
  virtual std::string Figures() const { return ""; }
};

struct PassContext {
  std::string field;           // "step[1]"; begins messages about the recipe
  uint64_t seed = 0;           // of the recipe
  std::string scratch_folder;  // exists; is removed afterwards
};

// The pretrained model that a step asks for, which has positions for texts of max_length. `field`:
// "step[1].ches".
absl::StatusOr<TextModel> OpenSelectionModel(const ModelSource& source, int64_t max_length,
                                             const PassContext& context, const std::string& field);

// That a model has positions for texts of max_length.
absl::Status CheckPositions(int64_t max_length, const ModelConfig& model, const std::string& field);

// One function a step; they open models and read what a step compares with.
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeChesPass(const ChesFilter& config,
                                                            const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDecontaminationPass(const Decontamination& config,
                                                                       const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeMixturePass(const PreferenceMix& config,
                                                               const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeCurriculumPass(const Curriculum& config,
                                                                  const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeRejectionSamplingPass(const RejectionSampling& config,
                                                                         const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDstcPass(const CodeAndTests& config,
                                                            const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeEmbeddingDecontaminationPass(
    const EmbeddingDecontamination& config, const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeFollowUpLikelihoodPass(const FollowUpLikelihood& config,
                                                                          const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeSituatedFaithfulnessPass(
    const ConfidenceReasoningPairs& config, const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeAttackStylePass(const AttackStyles& config,
                                                                   const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeAttackSuccessPass(const AttackSuccess& config,
                                                                     const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeConfidencePromptPass(const ConfidencePrompts& config,
                                                                        const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeConfidenceRulePass(const ConfidenceRule& config,
                                                                      const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDistributionMatchPass(const DistributionMatch& config,
                                                                         const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeRewardPass(const RewardScores& config,
                                                              const PassContext& context);
absl::StatusOr<std::unique_ptr<SelectionPass>> MakeQueryRewritingPass(const QueryRewriting& config,
                                                                      const PassContext& context);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_SELECTION_PASS_H_
