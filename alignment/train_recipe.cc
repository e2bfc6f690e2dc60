#include "alignment/train_recipe.h"

#include <ATen/Parallel.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "alignment/accelerated.h"
#include "alignment/content_hash.h"
#include "alignment/cross_domain.h"
#include "alignment/eval/likelihood_over_optimisation.h"
#include "alignment/fast_slow_task.h"
#include "alignment/mismatched_answers.h"
#include "alignment/objectives/weighted_objectives.h"
#include "alignment/on_policy_kl_task.h"
#include "alignment/on_policy_pairs.h"
#include "alignment/pair_logps.h"
#include "alignment/preference_degree_task.h"
#include "alignment/preference_task.h"
#include "alignment/recipe_checks.h"
#include "alignment/reference_cache.h"
#include "alignment/reward_task.h"
#include "alignment/stage_data.h"
#include "alignment/stored_reference.h"
#include "alignment/target_surrogate_task.h"
#include "alignment/text_model.h"
#include "alignment/unpaired_task.h"
#include "common/config/resolved.h"
#include "common/data/chat_template.h"
#include "common/files/files.h"
#include "common/nn/generation.h"
#include "common/nn/pretrained.h"
#include "common/program/interrupt.h"
#include "common/program/runfiles.h"
#include "common/report/report.h"
#include "common/report/run_folder.h"
#include "common/status/status_macros.h"
#include "common/train/checkpoint.h"
#include "common/train/folder_lock.h"
#include "common/train/progress.h"
#include "common/train/threads.h"
#include "common/train/train.h"
#include "optim/make_optimizer.h"
#include "optim/private/clipped_task.h"
#include "optim/private/dp_sgd.h"
#include "optim/private/pld_accountant.h"
#include "optim/private/rdp_accountant.h"
#include "optim/zeroth_order/zeroth_order_task.h"

namespace plumb {
namespace {

constexpr std::chrono::seconds kProgressInterval(5);  // between lines of work that is no training

// What two runs of one recipe may differ in and still be the same training.
const std::set<std::string>& FieldsThatMayDiffer() {
  static const auto& fields = *new std::set<std::string>{
      "plumb.AlignmentRecipe.description", "plumb.AlignmentRecipe.output_dir",
      "plumb.AlignmentRecipe.threads",     "plumb.Stage.samples",
      "plumb.Reference.cache_dir",         "plumb.TrainingOptions.logging_steps",
      "plumb.TrainingOptions.save_steps",  "plumb.TrainingOptions.save_total_limit",
  };
  return fields;
}

// Names become folders, TensorBoard runs and rows of metrics.jsonl.
absl::Status CheckRecipe(const AlignmentRecipe& recipe, const std::vector<std::string>& fields) {
  PLUMB_RETURN_IF_ERROR(CheckFolderName("name", recipe.name()));
  static const auto& taken =
      *new std::set<std::string>{"reference_cache", "rollouts", "tokenizer", "tensorboard"};
  std::set<std::string> names;
  for (int i = 0; i < recipe.stage_size(); ++i) {
    const std::string field = fields[i] + ".name";
    PLUMB_RETURN_IF_ERROR(CheckFolderName(field, recipe.stage(i).name()));
    if (taken.count(recipe.stage(i).name()) > 0 || !names.insert(recipe.stage(i).name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": '", recipe.stage(i).name(), "' is taken; choose another name"));
    }
  }
  return absl::OkStatus();
}

// Inputs that answers of the policy do not have.
absl::Status CheckOnPolicyPairs(const OnPolicyPairs& config, const ObjectiveTraits& traits,
                                const std::string& field) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(field, ".on_policy_pairs: ", what));
  };
  if (traits.needs_rewards) return error("a reward model gives no answers; leave it out");
  if (traits.needs_label)
    return error("an objective of this stage learns from answers with labels, not pairs");
  if (traits.needs_gold || traits.needs_token_mask) {
    return error("an objective of this stage looks at what only data has (gold answers, parts of answers)");
  }
  if (traits.score_count > 1)
    return error("answers have one score, an objective of this stage looks at more");
  if (traits.scores_are_win_probabilities && config.score() != OnPolicyPairs::WIN_RATE) {
    return error("score: an objective of this stage takes scores for win probabilities; set it to WIN_RATE");
  }
  if (config.has_direction() && (config.reward_size() != 2 || config.direction().objective_size() != 2)) {
    return error("direction: is between two rewards; name two in reward and in direction.objective");
  }
  if (config.direction().min_angle() > config.direction().max_angle()) {
    return error("direction.min_angle: is above max_angle");
  }
  if (config.part() > config.parts()) {
    return error(absl::StrCat("part: ", config.part(), " of ", config.parts(), " is none"));
  }
  if (config.num_generations() + (config.with_gold() ? 1 : 0) < 2) {
    return error("num_generations: one answer alone makes no choice");
  }
  return absl::OkStatus();
}

absl::Status CheckTargetSurrogate(const Stage& stage, const ObjectiveTraits& traits,
                                  const std::string& field) {
  if (!stage.has_target_surrogate()) return absl::OkStatus();
  const std::string option = field + ".target_surrogate: ";
  if (stage.has_fast_slow() || stage.has_preference_degree() || stage.has_on_policy_kl()) {
    return absl::InvalidArgumentError(
        option + "not with fast_slow, preference_degree or on_policy_kl, whose losses have other targets");
  }
  if (traits.needs_rewards || traits.needs_label || traits.needs_vocab_divergence) {
    return absl::InvalidArgumentError(
        option +
        "an objective of this stage has targets that are no log-probabilities of answers; leave it out");
  }
  return absl::OkStatus();
}

// Privacy is of examples: none may reach the weights but through its own clipped gradient.
absl::Status CheckPrivacy(const Stage& stage, const ObjectiveTraits& traits, const std::string& field) {
  if (!stage.has_privacy()) return absl::OkStatus();
  const std::string option = field + ".privacy: ";
  if (stage.privacy().noise_case() == DifferentialPrivacy::NOISE_NOT_SET) {
    return absl::InvalidArgumentError(option + "set target_epsilon or noise_multiplier");
  }
  if (stage.has_on_policy_kl() || stage.has_on_policy_pairs() || stage.has_preference_degree() ||
      stage.has_fast_slow() || stage.has_cross_domain() || stage.has_target_surrogate()) {
    return absl::InvalidArgumentError(option +
                                      "not with on_policy_kl, on_policy_pairs, preference_degree, fast_slow, "
                                      "cross_domain or target_surrogate, whose steps look at examples more "
                                      "than once or at several together");
  }
  if (traits.couples_examples || traits.baseline != Baseline::kNone) {
    return absl::InvalidArgumentError(
        option + "an objective of this stage compares examples with each other; choose another");
  }
  if (stage.training().max_grad_norm() != 0 && stage.training().has_max_grad_norm()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field,
                     ".training.max_grad_norm: with privacy each example's gradient is clipped, by "
                     "privacy.max_grad_norm; leave it out"));
  }
  return absl::OkStatus();
}

// A loss is asked for many times at many weights: it must be the same function of them each time.
absl::Status CheckZerothOrder(const Stage& stage, const ObjectiveTraits& traits, const std::string& field) {
  if (!stage.has_zeroth_order()) return absl::OkStatus();
  const std::string option = field + ".zeroth_order: ";
  if (stage.has_on_policy_kl() || stage.has_preference_degree() || stage.has_fast_slow() ||
      stage.has_target_surrogate() || stage.has_privacy()) {
    return absl::InvalidArgumentError(option +
                                      "not with on_policy_kl, preference_degree, fast_slow, target_surrogate "
                                      "or privacy, which have gradients of "
                                      "their own");
  }
  if (stage.training().gradient_checkpointing()) {
    return absl::InvalidArgumentError(
        field +
        ".training.gradient_checkpointing: with zeroth_order nothing is kept to go back; leave it out");
  }
  if (traits.baseline != Baseline::kNone) {
    return absl::InvalidArgumentError(
        option + "an objective of this stage keeps a baseline that each batch changes; choose another");
  }
  return absl::OkStatus();
}

// Both are about adapters that learn from pairs.
absl::Status CheckModules(const Stage& stage, const ObjectiveTraits& traits, const ModelSource& model,
                          const std::string& field) {
  if (!stage.has_fast_slow() && !stage.has_cross_domain()) return absl::OkStatus();
  const std::string option = absl::StrCat(field, stage.has_fast_slow() ? ".fast_slow: " : ".cross_domain: ");
  if (!model.has_lora() && !model.has_adapter()) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, "is of adapters; give the model lora or an adapter"));
  }
  if (traits.needs_rewards || traits.needs_label || !traits.needs_rejected) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, "an objective of this stage does not learn a policy from pairs; leave it out"));
  }
  const bool more_than_sums = traits.needs_token_logps || traits.needs_vocab_divergence;
  if (stage.has_cross_domain() && traits.needs_reference && more_than_sums) {
    return absl::InvalidArgumentError(absl::StrCat(
        field,
        ".cross_domain: the memory keeps a reference's sums, an objective of this stage needs more; "
        "choose another objective"));
  }
  if (stage.has_cross_domain() && stage.merge_adapter()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field,
        ".merge_adapter: adapters of domains are combined, so that they stay apart from the model; "
        "leave this out"));
  }
  return absl::OkStatus();
}

// Each stage as often as its iterations say; `fields` gets the place of each in the recipe ("stage[0]").
AlignmentRecipe WithIterations(const AlignmentRecipe& recipe, std::vector<std::string>* fields) {
  AlignmentRecipe result = recipe;
  result.clear_stage();
  for (int i = 0; i < recipe.stage_size(); ++i) {
    const int64_t iterations = recipe.stage(i).iterations();
    for (int64_t k = 0; k < iterations; ++k) {
      fields->push_back(absl::StrCat("stage[", i, "]"));
      Stage* stage = result.add_stage();
      *stage = recipe.stage(i);
      if (k + 1 == iterations && stage->has_accelerated() && !stage->accelerated().extrapolate_last()) {
        stage->mutable_accelerated()->set_alpha(0);
      }
      if (iterations == 1) continue;
      stage->clear_iterations();
      stage->set_name(absl::StrCat(recipe.stage(i).name(), "-", k + 1));
      if (!stage->has_on_policy_pairs()) continue;
      OnPolicyPairs& pairs = *stage->mutable_on_policy_pairs();
      if (pairs.part() > pairs.parts()) continue;  // is refused
      pairs.set_part((pairs.part() - 1 + k) % pairs.parts() + 1);
    }
  }
  return result;
}

std::string ProcessorName() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (absl::StartsWith(line, "model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string CountsText(const PreferenceData& data, const StageDataCounts& counts) {
  std::string text = absl::StrCat(data.train.size(), " examples, ", data.eval.size(), " held out");
  const auto good = std::count_if(data.train.begin(), data.train.end(),
                                  [](const TokenizedPreference& example) { return example.label == true; });
  if (data.train[0].label.has_value()) {
    absl::StrAppend(&text, ", ", good, " good and ", data.train.size() - good, " bad");
  }
  const int64_t dropped = counts.train.dropped + counts.eval.dropped;
  const int64_t truncated = counts.train.truncated + counts.eval.truncated;
  const int64_t unaligned = counts.train.unaligned + counts.eval.unaligned;
  if (truncated > 0) absl::StrAppend(&text, ", ", truncated, " cut to max_length");
  if (dropped > 0) absl::StrAppend(&text, ", ", dropped, " dropped (too long for max_length)");
  if (unaligned > 0) {
    absl::StrAppend(&text, ", ", unaligned,
                    " whose prompt ends within a token (the answer takes that token)");
  }
  return text;
}

// The recipe as it is once nothing that comes after the last stage so far counts.
AlignmentRecipe UpToStage(const AlignmentRecipe& recipe, int index) {
  AlignmentRecipe result = recipe;
  while (result.stage_size() > index + 1) result.mutable_stage()->RemoveLast();
  return result;
}

// Temporary folders of processes that were killed. Nobody else writes here while the folder is locked.
absl::Status RemoveLeftovers(const std::string& folder) {
  for (const char* pattern : {"/*.tmp.*", "/*.old.*", "/*/model.tmp.*", "/*/model.old.*"}) {
    const absl::StatusOr<std::vector<std::string>> found = ExpandGlob(folder + pattern);
    if (!found.ok()) continue;  // none
    for (const std::string& path : *found) PLUMB_RETURN_IF_ERROR(RemoveFolder(path));
  }
  return absl::OkStatus();
}

std::string DataHash(const PreferenceData& data) {
  ContentHash hash;
  for (const TokenizedPreference& pair : data.train) {
    hash.Add(pair.prompt_ids);
    hash.Add(pair.chosen_ids);
    hash.Add(pair.rejected_ids);
    if (!pair.gold_ids.empty()) hash.Add(pair.gold_ids);
    hash.Add(absl::StrCat(pair.margin.value_or(0), " ", pair.ref_chosen_logps.value_or(0), " ",
                          pair.ref_rejected_logps.value_or(0)));
    if (pair.label.has_value()) hash.Add(*pair.label ? "good" : "bad");
    if (pair.weight.has_value()) hash.Add(absl::StrCat("weight ", *pair.weight));
    if (pair.score_chosen.empty() && pair.chosen_mask.empty()) continue;  // most pairs have neither
    hash.Add(absl::StrCat(absl::StrJoin(pair.score_chosen, " "), "/", absl::StrJoin(pair.score_rejected, " "),
                          "/", absl::StrJoin(pair.chosen_mask, ""), "/",
                          absl::StrJoin(pair.rejected_mask, "")));
  }
  return hash.Hex();
}

class Run {
 public:
  Run(const AlignmentRecipe& recipe, const std::string& resume)
      : recipe_(WithIterations(recipe, &fields_)), resume_(resume), folder_(OutputFolder(recipe)) {}

  absl::Status Train();

 private:
  // What a stage is made of, in the order in which it comes about.
  struct StageRun {
    StageRun(const Stage& stage, const std::string& field, const std::string& output)
        : stage(stage), field(field), folder(absl::StrCat(output, "/", stage.name())) {}

    const Stage& stage;
    std::string field;   // "stage[0]"
    std::string folder;  // OUTPUT/NAME
    std::optional<WeightedObjectives> objectives;
    ObjectiveTraits data_traits;  // what is read of the data
    DataConfig data_config;
    EvalOptions eval;
    PreferenceData data;
    std::optional<RewardModel> reward_model;
    std::unique_ptr<TrainTask> task;
  };

  absl::Status PrepareStages();
  absl::Status CheckHeldOut() const;
  absl::Status CheckCheckpoints() const;
  absl::Status RemoveStagesFrom(size_t index) const;
  absl::Status TrainStage(int index);
  absl::Status SampleStageData(StageRun* run);
  absl::StatusOr<std::vector<WeightedReward>> LoadRewards(const StageRun& run);
  absl::Status MakeTask(StageRun* run);
  absl::StatusOr<std::unique_ptr<Optimizer>> MakeStageOptimizer(const StageRun& run) const;
  absl::StatusOr<std::unique_ptr<Optimizer>> MakePrivateOptimizer(const StageRun& run) const;
  absl::Status TellPrivacy(const StageRun& run, const DpSgd& optimizer);
  absl::Status Remember(const StageRun& run);
  absl::Status CombineDomains(const StageRun& run);
  static absl::Status CheckPrompts(const StageRun& run);
  absl::StatusOr<PreferenceReference> MakeReference(const StageRun& run);
  absl::StatusOr<std::shared_ptr<CausalLm>> ReferenceModel(const StageRun& run);
  static std::string DataHashPath(const StageRun& run) { return run.folder + "/data.sha1"; }
  static absl::Status CheckSameData(const StageRun& run);
  absl::StatusOr<std::vector<Sample>> StageSamples(const StageRun& run, const std::string& when);
  absl::Status WriteStageSamples(const StageRun& run, const std::string& when);
  absl::StatusOr<std::vector<std::pair<std::string, std::vector<int64_t>>>> SamplePrompts(
      const StageRun& run);
  absl::Status WriteRunFiles();
  absl::Status PrintComparison(const StageRun& run);
  void Say(const std::string& line) const { std::fprintf(stderr, "%s\n", line.c_str()); }

  std::vector<std::string> fields_;  // where each stage stands in the recipe as it was given
  const AlignmentRecipe recipe_;
  const std::string resume_;
  const std::string folder_;
  std::vector<StageRun> stages_;
  TextModel policy_;
  std::map<std::string, at::Tensor> masters_;  // of the stage before, for RestoreMasterWeights()
  AcceleratedIterates iterates_;
  CrossDomainModules modules_;
  std::vector<TokenizedPreference> memory_;  // of the domains so far, with their references' sums
  Facts facts_;
  int64_t metrics_position_ = 0;
};

absl::Status Run::Train() {
  PLUMB_RETURN_IF_ERROR(CheckRecipe(recipe_, fields_));
  PLUMB_RETURN_IF_ERROR(PrepareStages());
  SetThreads(recipe_.threads());
  PLUMB_RETURN_IF_ERROR(MakeFolders(folder_));
  PLUMB_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(folder_));
  PLUMB_RETURN_IF_ERROR(RemoveLeftovers(folder_));
  if (resume_ == "auto") PLUMB_RETURN_IF_ERROR(CheckCheckpoints());
  PLUMB_ASSIGN_OR_RETURN(policy_, OpenTextModel(recipe_.model(), recipe_.seed(), folder_ + "/tokenizer"));
  const int64_t trained = TrainedParameterCount(policy_);
  std::string size = absl::StrCat(ParameterCount(policy_), " parameters");
  if (policy_.lora.has_value()) absl::StrAppend(&size, ", ", trained, " trained in the adapter");
  Say(absl::StrCat(recipe_.name(), ": ", size, ", vocabulary ", policy_.tokenizer->vocab_size(), ", ",
                   at::get_num_threads(), " threads"));
  facts_ = {{"name", recipe_.name()},
            {"description", recipe_.description()},
            {"model", size},
            {"vocabulary", absl::StrCat(policy_.tokenizer->vocab_size())},
            {"seed", absl::StrCat(recipe_.seed())},
            {"threads", absl::StrCat(at::get_num_threads())},
            {"processor", ProcessorName()}};
  for (int i = 0; i < recipe_.stage_size(); ++i) {
    const absl::Status status = TrainStage(i);
    if (absl::IsCancelled(status)) PLUMB_RETURN_IF_ERROR(WriteReport(folder_));
    PLUMB_RETURN_IF_ERROR(status);
  }
  std::printf("report: %s/report.html\n", folder_.c_str());
  return absl::OkStatus();
}

absl::Status Run::WriteRunFiles() {
  PLUMB_RETURN_IF_ERROR(WriteFileAtomically(folder_ + "/recipe.textproto", PrintResolved(recipe_)));
  return WriteFacts(folder_, facts_);
}

// What can be known to be wrong before anything is trained is told then.
absl::Status Run::PrepareStages() {
  for (int i = 0; i < recipe_.stage_size(); ++i) {
    const Stage& stage = recipe_.stage(i);
    StageRun run(stage, fields_[i], folder_);
    absl::StatusOr<WeightedObjectives> objectives = WeightedObjectives::Create(stage.objective());
    if (!objectives.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(run.field, ".", objectives.status().message()));
    }
    run.objectives = *std::move(objectives);
    const ObjectiveTraits& traits = run.objectives->traits();
    if (!traits.needs_reference && !stage.has_on_policy_kl() && stage.has_reference()) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field, ".reference: no objective of this stage has a reference"));
    }
    if (traits.needs_vocab_divergence && stage.reference().precompute()) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field,
                       ".reference.precompute: an objective of this stage needs the reference's whole "
                       "distribution at each step; set it to false"));
    }
    if (traits.couples_examples && stage.training().max_tokens_per_micro_batch() > 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          run.field,
          ".training.max_tokens_per_micro_batch: an objective of this stage compares the answers of a whole "
          "batch, which this cuts; set it to 0"));
    }
    if (traits.baseline == Baseline::kMismatchedKl && ExamplesPerStep(stage.training()) < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field,
                       ".training.per_device_train_batch_size: an objective of this stage estimates a KL "
                       "divergence from each step's examples; give a step at least 2"));
    }
    if (traits.needs_rewards && (recipe_.model().has_lora() || recipe_.model().has_adapter())) {
      return absl::InvalidArgumentError(absl::StrCat(
          run.field, ": a reward model is trained as a whole: leave out the adapter of the model"));
    }
    if (stage.has_on_policy_kl() && traits.needs_rewards) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field, ".on_policy_kl: a reward model gives no answers; leave it out"));
    }
    run.data_traits = traits;
    if (stage.has_on_policy_pairs()) {
      PLUMB_RETURN_IF_ERROR(CheckOnPolicyPairs(stage.on_policy_pairs(), traits, run.field));
      run.data_traits.needs_rejected = run.data_traits.needs_scores = false;
    }
    if (stage.has_accelerated() && (recipe_.model().has_lora() || recipe_.model().has_adapter())) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field,
                       ".accelerated: goes on in the weights themselves, which an adapter's product is not; "
                       "leave out the adapter of the model"));
    }
    if (stage.merge_adapter() && !recipe_.model().has_lora() && !recipe_.model().has_adapter()) {
      return absl::InvalidArgumentError(absl::StrCat(
          run.field, ".merge_adapter: the model has no adapter; give it lora, or leave this out"));
    }
    if (stage.has_preference_degree() && traits.needs_rewards) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field, ".preference_degree: goes beside objectives on a policy; leave it out"));
    }
    if (stage.has_accelerated() && traits.needs_rewards) {
      return absl::InvalidArgumentError(
          absl::StrCat(run.field, ".accelerated: a reward model is no iterate of the policy; leave it out"));
    }
    PLUMB_RETURN_IF_ERROR(CheckModules(stage, traits, recipe_.model(), run.field));
    PLUMB_RETURN_IF_ERROR(CheckTargetSurrogate(stage, traits, run.field));
    PLUMB_RETURN_IF_ERROR(CheckPrivacy(stage, traits, run.field));
    PLUMB_RETURN_IF_ERROR(CheckZerothOrder(stage, traits, run.field));
    run.data_config = recipe_.data();
    MergeOver(stage.data(), &run.data_config);
    PLUMB_RETURN_IF_ERROR(CheckDataConfig(run.data_config, run.data_traits, run.field));
    run.eval = recipe_.eval();
    MergeOver(stage.eval(), &run.eval);
    stages_.push_back(std::move(run));
  }
  return CheckHeldOut();
}

// Two stages that hold out different examples of the same files would learn each other's.
absl::Status Run::CheckHeldOut() const {
  for (size_t i = 0; i < stages_.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const DataConfig &a = stages_[j].data_config, &b = stages_[i].data_config;
      const RecordSource& files = StageSource(b, stages_[i].data_traits);
      const RecordSource& others = StageSource(a, stages_[j].data_traits);
      if (!std::equal(files.path().begin(), files.path().end(), others.path().begin(), others.path().end())) {
        continue;
      }
      // Of a pair's record one stage may count one example and the other two.
      const bool counts_alike = !files.has_max_examples() || stages_[i].objectives->traits().needs_label ==
                                                                 stages_[j].objectives->traits().needs_label;
      if (a.eval_fraction() == b.eval_fraction() && files.max_examples() == others.max_examples() &&
          counts_alike) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          stages_[i].field, ".data: reads the files of ", stages_[j].field,
          " with another eval_fraction or max_examples, so that what one stage holds out the other "
          "would learn; make them the same"));
    }
  }
  return absl::OkStatus();
}

// Stages that were trained by another recipe are told before the first one starts.
absl::Status Run::CheckCheckpoints() const {
  for (size_t i = 0; i < stages_.size(); ++i) {
    const std::vector<int64_t> steps = ListCheckpoints(stages_[i].folder);
    if (steps.empty()) continue;
    const std::string path = CheckpointPath(stages_[i].folder, steps.front());
    const absl::StatusOr<std::string> text = ReadRecipeText(path);
    AlignmentRecipe saved;
    // A damaged checkpoint is the train loop's to judge.
    if (!text.ok() || !google::protobuf::TextFormat::ParseFromString(*text, &saved)) continue;
    PLUMB_RETURN_IF_ERROR(
        CheckSameRecipe(path, saved, UpToStage(recipe_, static_cast<int>(i)), FieldsThatMayDiffer()));
  }
  return absl::OkStatus();
}

// What a stage left rests on the stages before it: when one of them starts afresh, it goes.
absl::Status Run::RemoveStagesFrom(size_t index) const {
  for (size_t i = index; i < stages_.size(); ++i) PLUMB_RETURN_IF_ERROR(RemoveFolder(stages_[i].folder));
  return absl::OkStatus();
}

absl::Status Run::TrainStage(int index) {
  StageRun& run = stages_[index];
  const Stage& stage = run.stage;
  PLUMB_RETURN_IF_ERROR(CheckMaxLength(run.data_config, policy_.model->config(), run.field));
  if (stage.has_cross_domain()) {
    modules_.StartDomain(TrainedParameters(policy_));
  } else {
    modules_.Clear();
    memory_.clear();
  }
  StageDataCounts counts;
  std::optional<PreferenceDirections> directions;
  if (stage.on_policy_pairs().has_direction()) {
    directions.emplace(stage.on_policy_pairs().direction(),
                       RandomStream(recipe_.seed(), "preference directions").Child(stage.name()));
  }
  PLUMB_ASSIGN_OR_RETURN(
      run.data, LoadStageData(run.data_config, run.data_traits, *policy_.tokenizer, recipe_.seed(), run.field,
                              &counts, directions.has_value() ? &*directions : nullptr));
  if (stage.has_on_policy_pairs()) PLUMB_RETURN_IF_ERROR(SampleStageData(&run));
  if (run.objectives->traits().baseline == Baseline::kMismatchedKl) {
    for (auto* part : {&run.data.train, &run.data.eval}) {
      AddMismatchedAnswers(ExamplesPerStep(stage.training()), run.data_config.max_length(), part);
    }
  }
  const std::string counts_text = CountsText(run.data, counts);
  Say(absl::StrCat(stage.name(), ": ", counts_text));
  facts_.push_back({absl::StrCat("data of ", stage.name()), counts_text});

  if (stage.has_cross_domain()) PLUMB_RETURN_IF_ERROR(Remember(run));
  PLUMB_RETURN_IF_ERROR(MakeTask(&run));
  if (stage.has_privacy()) {
    run.task = std::make_unique<ClippedTask>(std::move(run.task), stage.privacy().max_grad_norm());
  }
  if (stage.has_zeroth_order()) {
    for (const NamedParameter& parameter : run.task->TrainableParameters()) {
      if (parameter.tensor.element_size() >= 4) continue;
      return absl::InvalidArgumentError(absl::StrCat(run.field, ".zeroth_order: ", parameter.name,
                                                     " is of 16 bits, whose roundings hide such differences: "
                                                     "set model.dtype to FLOAT32, or train an adapter"));
    }
    run.task =
        std::make_unique<ZerothOrderTask>(std::move(run.task), stage.zeroth_order(),
                                          RandomStream(recipe_.seed(), "zeroth order").Child(stage.name()));
  }
  PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> optimizer, MakeStageOptimizer(run));
  // A reward stage trains a copy: the policy keeps its own.
  const bool trains_policy = !run.objectives->traits().needs_rewards;
  if (stage.has_accelerated()) {
    iterates_.Start(TrainedParameters(policy_));
  } else {
    iterates_.Clear();
  }
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<StageMetrics> metrics,
                         StageMetrics::Open(folder_, stage.name()));
  const AlignmentRecipe decisive = UpToStage(recipe_, index);
  TrainContext context;
  context.name = stage.name();
  context.folder = run.folder;
  context.seed = RandomStream(recipe_.seed(), "stage").Child(stage.name()).Bits(0);
  context.shuffle = run.data_config.shuffle();
  context.resume = resume_;
  context.recipe = &decisive;
  context.fields_that_may_differ = FieldsThatMayDiffer();
  context.metrics = metrics.get();
  context.metrics_start = metrics_position_;
  context.on_start = [&](int64_t resumed_at_step) -> absl::Status {
    // A checkpoint has them.
    if (resumed_at_step == 0) {
      PLUMB_RETURN_IF_ERROR(RestoreMasterWeights(policy_, masters_, optimizer->State()));
    }
    if (trains_policy) masters_.clear();
    PLUMB_RETURN_IF_ERROR(WriteRunFiles());
    if (resumed_at_step > 0) return CheckSameData(run);
    PLUMB_RETURN_IF_ERROR(RemoveStagesFrom(index + 1));
    PLUMB_RETURN_IF_ERROR(RemoveFolder(run.folder + "/model"));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(DataHashPath(run), DataHash(run.data)));
    return WriteStageSamples(run, "before");
  };
  context.evaluation_warning = LikelihoodOverOptimisation;
  TrainingOptions training = stage.training();
  if (stage.has_privacy()) {
    context.poisson_sampling = true;
    training.set_max_grad_norm(0);
  }
  PLUMB_ASSIGN_OR_RETURN(
      const TrainResult result,
      plumb::Train(run.task.get(), optimizer.get(), stage.schedule(), training, run.eval, context));
  metrics_position_ = result.metrics_position;
  for (const auto& [name, tensor] : optimizer->State()) {
    const bool is_kept = trains_policy && index + 1 < recipe_.stage_size();
    if (is_kept && absl::StartsWith(name, "master.")) masters_[name] = tensor;
  }
  if (stage.has_privacy()) {
    PLUMB_RETURN_IF_ERROR(TellPrivacy(run, static_cast<const DpSgd&>(*optimizer)));
  }
  if (stage.has_accelerated()) iterates_.Extrapolate(stage.accelerated().alpha(), TrainedParameters(policy_));
  if (stage.has_cross_domain()) PLUMB_RETURN_IF_ERROR(CombineDomains(run));

  const std::string model_folder = run.folder + "/model";
  const std::optional<Lora> lora = policy_.lora;
  if (stage.merge_adapter()) MergeAdapter(policy_);
  PLUMB_RETURN_IF_ERROR(WriteFolderAtomically(
      model_folder, [&](const std::string& temporary) { return run.task->SaveModel(temporary); }));
  PLUMB_RETURN_IF_ERROR(WriteStageSamples(run, "after"));
  PLUMB_RETURN_IF_ERROR(WriteReport(folder_));
  run.task.reset();
  run.reward_model.reset();
  run.data = PreferenceData();
  if (stage.merge_adapter() && index + 1 < recipe_.stage_size()) {
    PLUMB_RETURN_IF_ERROR(StartAdapter(
        *lora, model_folder, RandomStream(recipe_.seed(), "adapter").Child(stage.name()), &policy_));
  }
  return PrintComparison(run);
}

absl::StatusOr<std::unique_ptr<Optimizer>> Run::MakeStageOptimizer(const StageRun& run) const {
  const Stage& stage = run.stage;
  if (stage.has_target_surrogate()) {
    PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> inner,
                           MakeOptimizer(stage.optimizer(), run.task->TrainableParameters()));
    // CheckTargetSurrogate() lets nothing stand around this task.
    auto* task = static_cast<TargetSurrogateTask*>(run.task.get());
    return std::make_unique<TargetSurrogateOptimizer>(
        std::move(inner), task, stage.target_surrogate().inner_steps(), stage.training().max_grad_norm());
  }
  if (stage.has_privacy()) return MakePrivateOptimizer(run);
  if (!stage.has_fast_slow()) return MakeOptimizer(stage.optimizer(), run.task->TrainableParameters());
  return MakeFastSlowOptimizer(stage.optimizer(), stage.fast_slow().slow_learning_rate_ratio(),
                               run.task->TrainableParameters());
}

absl::StatusOr<std::unique_ptr<Optimizer>> Run::MakePrivateOptimizer(const StageRun& run) const {
  const Stage& stage = run.stage;
  const DifferentialPrivacy& privacy = stage.privacy();
  const int64_t examples = run.task->TrainExampleCount();
  DpSgdOptions options;
  options.examples = examples;
  options.sampling_rate = SamplingRate(stage.training(), examples);
  options.max_grad_norm = privacy.max_grad_norm();
  options.noise_multiplier = privacy.noise_multiplier();
  if (privacy.has_target_epsilon()) {
    PLUMB_ASSIGN_OR_RETURN(
        options.noise_multiplier,
        PldNoiseMultiplier(privacy.target_epsilon(), privacy.target_delta(), options.sampling_rate,
                           PlannedSteps(stage.training(), examples)));
  }
  PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> inner,
                         MakeOptimizer(stage.optimizer(), run.task->TrainableParameters()));
  return DpSgd::Create(options, run.task->TrainableParameters(), std::move(inner),
                       RandomStream(recipe_.seed(), "privacy").Child(stage.name()));
}

absl::Status Run::TellPrivacy(const StageRun& run, const DpSgd& optimizer) {
  const SampledGaussian spent = optimizer.Spent();
  const double delta = run.stage.privacy().target_delta();
  // With next to no noise losses have too wide a range to be tight about.
  const auto loss = PrivacyLossDistribution::Compose({spent});
  PLUMB_ASSIGN_OR_RETURN(const double epsilon, loss.ok() ? loss->Epsilon(delta) : RdpEpsilon({spent}, delta));
  const std::string text =
      absl::StrFormat("epsilon %.4g at delta %g (%d steps, sampling rate %.4g, noise multiplier %.4g)",
                      epsilon, delta, spent.steps, spent.sampling_rate, spent.noise_multiplier);
  Say(absl::StrCat(run.stage.name(), ": privacy: ", text));
  facts_.push_back({absl::StrCat("privacy of ", run.stage.name()), text});
  return WriteRunFiles();
}

// Some of the stage's pairs, with what its reference says of them.
absl::Status Run::Remember(const StageRun& run) {
  std::vector<int64_t> places =
      RandomStream(recipe_.seed(), "memory").Child(run.stage.name()).Permutation(run.data.train.size());
  places.resize(std::min<size_t>(places.size(), run.stage.cross_domain().memory()));
  std::vector<TokenizedPreference> pairs;
  for (const int64_t place : places) pairs.push_back(run.data.train[place]);
  if (run.objectives->traits().needs_reference && CountReferenceColumns(run.data).some == 0) {
    PLUMB_ASSIGN_OR_RETURN(const std::shared_ptr<CausalLm> model, ReferenceModel(run));
    PLUMB_ASSIGN_OR_RETURN(const ReferenceLogps logps,
                           ComputeReferenceLogps(*model, pairs, /*with_rejected=*/true,
                                                 run.stage.training().per_device_eval_batch_size()));
    const StoredReference reference(pairs, logps);
    for (int64_t i = 0; i < static_cast<int64_t>(pairs.size()); ++i) {
      pairs[i].ref_chosen_logps = reference.Chosen({i}).sum(at::kDouble).item<double>();
      pairs[i].ref_rejected_logps = reference.Rejected({i}).sum(at::kDouble).item<double>();
    }
  }
  memory_.insert(memory_.end(), pairs.begin(), pairs.end());
  return absl::OkStatus();
}

absl::Status Run::CombineDomains(const StageRun& run) {
  PreferenceData memory;
  memory.eval = memory_;
  PreferenceReference reference;
  reference.in_data = run.objectives->traits().needs_reference;
  PreferenceTask task(&policy_, &memory, &*run.objectives, std::move(reference),
                      /*gradient_checkpointing=*/false);
  const auto loss = [&]() -> absl::StatusOr<double> {
    PLUMB_ASSIGN_OR_RETURN(const MetricSums sums,
                           task.Evaluate(run.stage.training().per_device_eval_batch_size()));
    return sums.Means().at("loss");
  };
  PLUMB_ASSIGN_OR_RETURN(
      const CombinationWeights weights,
      modules_.EndDomain(run.stage.cross_domain().grid_steps(), loss, TrainedParameters(policy_)));
  Say(absl::StrCat(run.stage.name(), ": combined ", weights.before, " of the domains before and ",
                   weights.now, " of this one"));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<WeightedReward>> Run::LoadRewards(const StageRun& run) {
  std::vector<WeightedReward> rewards;
  for (int i = 0; i < run.stage.on_policy_pairs().reward_size(); ++i) {
    const AnswerReward& config = run.stage.on_policy_pairs().reward(i);
    std::string folder = ResolveUserFile(config.reward_model());
    for (const StageRun& earlier : stages_) {
      if (&earlier == &run) break;
      if (earlier.stage.name() == config.reward_model() && earlier.objectives->traits().needs_rewards) {
        folder = earlier.folder + "/model";
      }
    }
    PLUMB_ASSIGN_OR_RETURN(RewardModel model, LoadRewardModel(folder));
    PLUMB_RETURN_IF_ERROR(
        CheckSameVocabulary(model.body->config(), policy_.model->config(),
                            absl::StrCat(run.field, ".on_policy_pairs.reward[", i, "].reward_model")));
    rewards.push_back({std::move(model), config.weight()});
  }
  return rewards;
}

// Puts pairs of the policy's own answers in the place of the data's. A run that goes on finds them as they
// were.
absl::Status Run::SampleStageData(StageRun* run) {
  const OnPolicyPairs& config = run->stage.on_policy_pairs();
  PLUMB_RETURN_IF_ERROR(CheckPrompts(*run));
  const auto prompts = static_cast<int64_t>(run->data.train.size());
  const std::vector<int64_t> own =
      PromptsOfPart(prompts, config.part(), config.parts(), RandomStream(recipe_.seed(), "parts of prompts"));
  std::vector<TokenizedPreference> part;
  for (const int64_t i : own) part.push_back(std::move(run->data.train[i]));
  run->data.train = std::move(part);
  PLUMB_ASSIGN_OR_RETURN(std::vector<WeightedReward> rewards, LoadRewards(*run));
  const bool with_rejected = run->objectives->traits().needs_rejected;

  ContentHash hash;
  hash.Add(absl::StrCat("on-policy pairs 1 ", recipe_.seed(), " ", run->stage.name(), " ", with_rejected, " ",
                        run->data_config.max_length(), " ", PrintResolved(config)));
  hash.Add(ModelHash(policy_));
  for (WeightedReward& reward : rewards) {
    reward.model.VisitParameters([&](const std::string&, at::Tensor& weight) { hash.Add(weight); });
  }
  for (const auto* examples : {&run->data.train, &run->data.eval}) {
    for (const TokenizedPreference& example : *examples) {
      hash.Add(example.prompt_ids);
      hash.Add(example.chosen_ids);
    }
  }
  PLUMB_RETURN_IF_ERROR(MakeFolders(folder_ + "/rollouts"));
  const RandomStream random = RandomStream(recipe_.seed(), "on-policy pairs").Child(run->stage.name());
  for (const bool held_out : {false, true}) {
    std::vector<TokenizedPreference>& examples = held_out ? run->data.eval : run->data.train;
    if (examples.empty()) continue;
    const std::string path =
        absl::StrCat(folder_, "/rollouts/", hash.Hex(), held_out ? ".eval.jsonl" : ".train.jsonl");
    if (const auto text = ReadFile(path); text.ok()) {
      if (auto known = ReadSampledPairs(*text); known.ok()) {
        examples = *std::move(known);
        continue;
      }
    }
    OnPolicyCounts sampled;
    const absl::Status status = MakeOnPolicyPairs(
        config, policy_, absl::MakeSpan(rewards), with_rejected, run->data_config.max_length(),
        random.Child(held_out ? "eval" : "train"), &examples, &sampled);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(run->stage.name(), ": ", status.message()));
    }
    Say(absl::StrCat(run->stage.name(), ": ", sampled.pairs, with_rejected ? " pairs of " : " of ",
                     sampled.answers, " answers to ", sampled.prompts,
                     held_out ? " held-out prompts" : " prompts"));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(path, WriteSampledPairs(examples)));
  }
  if (!run->data.train.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      run->field, ".on_policy_pairs: no two answers to a prompt have win rates more than min_margin (",
      config.min_margin(), ") apart; lower it, or sample more answers"));
}

absl::Status Run::CheckSameData(const StageRun& run) {
  PLUMB_ASSIGN_OR_RETURN(const std::string known, ReadFile(DataHashPath(run)));
  if (known == DataHash(run.data)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(run.stage.name(), ": the training data is not what it was when ", run.folder,
                   " was begun; bring it back, choose another output folder, or train from the start with "
                   "--resume=never"));
}

absl::Status Run::MakeTask(StageRun* run) {
  const Stage& stage = run->stage;
  const ObjectiveTraits& traits = run->objectives->traits();
  const bool checkpointing = stage.training().gradient_checkpointing();
  if (!traits.needs_rewards) {
    PreferenceReference reference;
    if (traits.needs_reference) {
      PLUMB_ASSIGN_OR_RETURN(reference, MakeReference(*run));
    }
    std::shared_ptr<CausalLm> reference_model = reference.model;
    if (traits.needs_label) {
      run->task = std::make_unique<UnpairedTask>(&policy_, &run->data, &*run->objectives,
                                                 std::move(reference), checkpointing);
    } else if (stage.has_target_surrogate()) {
      run->task =
          std::make_unique<TargetSurrogateTask>(&policy_, &run->data, &*run->objectives, std::move(reference),
                                                stage.target_surrogate().eta(), checkpointing);
    } else if (stage.has_fast_slow()) {
      run->task = std::make_unique<FastSlowTask>(&policy_, &run->data, &*run->objectives,
                                                 std::move(reference), stage.fast_slow(), checkpointing);
    } else {
      run->task = std::make_unique<PreferenceTask>(&policy_, &run->data, &*run->objectives,
                                                   std::move(reference), checkpointing);
    }
    if (stage.has_preference_degree()) {
      run->task = std::make_unique<PreferenceDegreeTask>(
          std::move(run->task), &policy_, &run->data, stage.preference_degree(),
          RandomStream(recipe_.seed(), "preference degree").Child(stage.name()), checkpointing);
    }
    if (!stage.has_on_policy_kl()) return absl::OkStatus();
    PLUMB_RETURN_IF_ERROR(CheckPrompts(*run));
    if (reference_model == nullptr) {
      PLUMB_ASSIGN_OR_RETURN(reference_model, ReferenceModel(*run));
    }
    run->task = std::make_unique<OnPolicyKlTask>(std::move(run->task), &policy_, std::move(reference_model),
                                                 &run->data, stage.on_policy_kl(), checkpointing);
    return absl::OkStatus();
  }
  PLUMB_ASSIGN_OR_RETURN(
      run->reward_model,
      NewRewardModel(*FrozenCopy(policy_), RandomStream(recipe_.seed(), "reward").Child(stage.name())));
  run->task = std::make_unique<RewardTask>(&*run->reward_model, policy_.tokenizer.get(), &run->data,
                                           &*run->objectives, checkpointing);
  return absl::OkStatus();
}

// An answer is asked for by a prompt.
absl::Status Run::CheckPrompts(const StageRun& run) {
  int64_t without = 0, all = 0;
  for (const auto* part : {&run.data.train, &run.data.eval}) {
    all += static_cast<int64_t>(part->size());
    for (const TokenizedPreference& example : *part) without += example.prompt_ids.empty() ? 1 : 0;
  }
  if (without == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(run.field, ": the policy is to answer prompts: ", without,
                                                 " of ", all, " examples have none"));
}

// The model that the stage is compared with, by itself.
absl::StatusOr<std::shared_ptr<CausalLm>> Run::ReferenceModel(const StageRun& run) {
  if (!run.stage.reference().has_pretrained()) return FrozenCopy(policy_);
  PLUMB_ASSIGN_OR_RETURN(std::shared_ptr<CausalLm> model,
                         LoadCausalLm(ResolveUserFile(run.stage.reference().pretrained())));
  PLUMB_RETURN_IF_ERROR(
      CheckSameVocabulary(model->config(), policy_.model->config(), run.field + ".reference.pretrained"));
  return model;
}

absl::StatusOr<PreferenceReference> Run::MakeReference(const StageRun& run) {
  const Reference& config = run.stage.reference();
  PreferenceReference reference;
  const ObjectiveTraits& traits = run.objectives->traits();
  const bool divergence = traits.needs_vocab_divergence;
  const ReferenceColumns columns = CountReferenceColumns(run.data);
  if (columns.some > 0) {
    const auto error = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(run.field, ": ", columns.both, " of ", columns.pairs,
                                                     " pairs have ref_chosen_logps and ref_rejected_logps; ",
                                                     what));
    };
    if (columns.both < columns.pairs) return error("give both to all pairs, or none to any");
    if (run.stage.has_reference()) return error("leave out these columns, or the stage's reference");
    if (divergence || traits.needs_token_logps) {
      return error("an objective of this stage needs more than sums: leave out these columns");
    }
    reference.in_data = true;
    return reference;
  }
  if (divergence || (config.has_precompute() && !config.precompute())) {
    PLUMB_ASSIGN_OR_RETURN(reference.model, ReferenceModel(run));
    return reference;
  }
  TextModel other;  // the reference, when it is not the policy as it is now
  if (config.has_pretrained()) {
    PLUMB_ASSIGN_OR_RETURN(other.model, ReferenceModel(run));
  }
  TextModel& source = config.has_pretrained() ? other : policy_;
  const std::string hash = ModelHash(source);
  const std::string cache = config.has_cache_dir() ? config.cache_dir() : folder_ + "/reference_cache";
  const bool with_rejected = traits.needs_rejected || traits.baseline == Baseline::kMismatchedKl;
  const auto logps_of = [&](const std::vector<TokenizedPreference>& pairs) -> absl::StatusOr<ReferenceLogps> {
    return CachedReferenceLogps(cache, hash, pairs, with_rejected, [&]() -> absl::StatusOr<ReferenceLogps> {
      const auto begin = std::chrono::steady_clock::now();
      auto last_line = begin - kProgressInterval;
      PLUMB_ASSIGN_OR_RETURN(
          ReferenceLogps logps,
          ComputeReferenceLogps(
              *source.model, pairs, with_rejected, run.stage.training().per_device_eval_batch_size(),
              [&](int64_t done) -> absl::Status {
                if (InterruptRequested()) {
                  return absl::CancelledError(
                      absl::StrCat(run.stage.name(), ": stopped before the first step"));
                }
                if (const auto now = std::chrono::steady_clock::now(); now - last_line >= kProgressInterval) {
                  last_line = now;
                  Say(absl::StrCat(run.stage.name(), ": reference log-probabilities ", done, "/",
                                   pairs.size()));
                }
                return absl::OkStatus();
              }));
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      if (!pairs.empty()) {
        Say(absl::StrFormat("%s: reference log-probabilities of %d pairs in %.3g s", run.stage.name(),
                            pairs.size(), seconds.count()));
      }
      return logps;
    });
  };
  PLUMB_ASSIGN_OR_RETURN(reference.train, logps_of(run.data.train));
  PLUMB_ASSIGN_OR_RETURN(reference.eval, logps_of(run.data.eval));
  return reference;
}

// Text that stands for a prompt in the report, and its tokens.
absl::StatusOr<std::vector<std::pair<std::string, std::vector<int64_t>>>> Run::SamplePrompts(
    const StageRun& run) {
  PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer,
                         MakeChatRenderer(run.data_config.chat_template(), *policy_.tokenizer));
  const bool chat = renderer != nullptr;
  const ExampleTokenizer tokenizer(*policy_.tokenizer, std::move(renderer), run.data_config);
  std::vector<std::pair<std::string, std::vector<int64_t>>> prompts;
  for (const std::string& text : run.stage.samples().prompt()) {
    const Content prompt = chat ? Content(std::vector<ChatMessage>{{"user", text, "", ""}}) : Content(text);
    PLUMB_ASSIGN_OR_RETURN(std::vector<int64_t> ids, tokenizer.Prompt(prompt));
    prompts.emplace_back(text, std::move(ids));
  }
  for (const TokenizedPreference& pair : run.data.eval) {
    if (prompts.size() >= run.stage.samples().prompt_size() + run.stage.samples().from_eval()) break;
    const int64_t length = pair.prompt_ids.size() + run.stage.samples().max_new_tokens();
    if (pair.prompt_ids.empty() || length > MaxPositions(policy_.model->config())) continue;
    prompts.emplace_back(policy_.tokenizer->Decode(pair.prompt_ids, false), pair.prompt_ids);
  }
  return prompts;
}

absl::StatusOr<std::vector<Sample>> Run::StageSamples(const StageRun& run, const std::string& when) {
  PLUMB_ASSIGN_OR_RETURN(const auto prompts, SamplePrompts(run));
  std::vector<Sample> samples;
  if (prompts.empty()) return samples;
  std::vector<GenerationRequest> requests;
  const RandomStream random = RandomStream(recipe_.seed(), "samples");
  for (size_t i = 0; i < prompts.size(); ++i) requests.push_back({prompts[i].second, random.Child(i)});
  GenerationOptions options;
  options.set_max_new_tokens(run.stage.samples().max_new_tokens());
  options.set_do_sample(run.stage.samples().temperature() > 0);
  if (options.do_sample()) options.set_temperature(run.stage.samples().temperature());
  PLUMB_ASSIGN_OR_RETURN(const std::vector<GeneratedSequence> generated,
                         Generate(*policy_.model, requests, options, policy_.tokenizer.get()));
  for (size_t i = 0; i < prompts.size(); ++i) {
    samples.push_back({run.stage.name(), when, prompts[i].first, generated[i].text});
  }
  return samples;
}

absl::Status Run::WriteStageSamples(const StageRun& run, const std::string& when) {
  if (run.reward_model.has_value()) return absl::OkStatus();
  const absl::StatusOr<std::vector<Sample>> samples = StageSamples(run, when);
  if (samples.ok()) return WriteSamples(folder_, run.stage.name(), when, *samples);
  // A model that cannot be asked can still be trained.
  Say(absl::StrCat(run.stage.name(), ": no generations in the report: ", samples.status().message()));
  return absl::OkStatus();
}

absl::Status Run::PrintComparison(const StageRun& run) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<MetricsRow> rows, ReadMetrics(folder_));
  const std::vector<Comparison> comparisons = CompareEvaluations(rows, run.stage.name());
  if (!comparisons.empty()) {
    std::printf("\n%-24s %12s %12s\n", (run.stage.name() + ", held out").c_str(), "before", "after");
    for (const Comparison& row : comparisons) {
      std::printf("%-24s %12s %12s\n", row.name.c_str(), FormatMetric(row.before).c_str(),
                  FormatMetric(row.after).c_str());
    }
  }
  std::printf("model: %s/model\n\n", run.folder.c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

std::string OutputFolder(const AlignmentRecipe& recipe) {
  return recipe.output_dir().empty() ? absl::StrCat("runs/", recipe.name()) : recipe.output_dir();
}

absl::Status TrainRecipe(const AlignmentRecipe& recipe, const std::string& resume) {
  if (resume != "auto" && resume != "never") {
    return absl::InvalidArgumentError(absl::StrCat("--resume: '", resume, "': expected auto or never"));
  }
  return Run(recipe, resume).Train();
}

}  // namespace plumb
