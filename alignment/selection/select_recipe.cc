#include "alignment/selection/select_recipe.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "alignment/recipe_checks.h"
#include "alignment/selection/row_spool.h"
#include "alignment/selection/selection_pass.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"
#include "common/train/threads.h"

namespace plumb {
namespace {

constexpr std::chrono::seconds kProgressInterval(5);
constexpr char kSuffix[] = ".jsonl";
constexpr size_t kBuffered = size_t{1} << 20;

// A folder that goes with this object.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  ~ScratchFolder() { RemoveFolder(path_).IgnoreError(); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Rows as lines of a file.
class LineWriter {
 public:
  LineWriter(int fd, const std::string& path) : fd_(fd), path_(path) {}

  absl::Status Add(const Row& row) {
    absl::StrAppend(&buffer_, row.record.dump(), "\n");
    return buffer_.size() < kBuffered ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    PLUMB_RETURN_IF_ERROR(WriteAll(fd_, buffer_, path_));
    buffer_.clear();
    return absl::OkStatus();
  }

 private:
  int fd_;
  const std::string& path_;
  std::string buffer_;
};

absl::StatusOr<std::unique_ptr<SelectionPass>> MakePass(const SelectionStep& step,
                                                        const PassContext& context) {
  switch (step.step_case()) {
    case SelectionStep::kChes:
      return MakeChesPass(step.ches(), context);
    case SelectionStep::kDecontaminate:
      return MakeDecontaminationPass(step.decontaminate(), context);
    case SelectionStep::kMix:
      return MakeMixturePass(step.mix(), context);
    case SelectionStep::kCurriculum:
      return MakeCurriculumPass(step.curriculum(), context);
    case SelectionStep::kRejectionSampling:
      return MakeRejectionSamplingPass(step.rejection_sampling(), context);
    case SelectionStep::kDstc:
      return MakeDstcPass(step.dstc(), context);
    case SelectionStep::kDecontaminateByEmbedding:
      return MakeEmbeddingDecontaminationPass(step.decontaminate_by_embedding(), context);
    case SelectionStep::kFollowUpLikelihood:
      return MakeFollowUpLikelihoodPass(step.follow_up_likelihood(), context);
    case SelectionStep::kSituatedFaithfulness:
      return MakeSituatedFaithfulnessPass(step.situated_faithfulness(), context);
    case SelectionStep::kQueryRewriting:
      return MakeQueryRewritingPass(step.query_rewriting(), context);
    case SelectionStep::kAttackStyles:
      return MakeAttackStylePass(step.attack_styles(), context);
    case SelectionStep::kReward:
      return MakeRewardPass(step.reward(), context);
    case SelectionStep::kAttackSuccess:
      return MakeAttackSuccessPass(step.attack_success(), context);
    case SelectionStep::kConfidencePrompts:
      return MakeConfidencePromptPass(step.confidence_prompts(), context);
    case SelectionStep::kConfidenceRule:
      return MakeConfidenceRulePass(step.confidence_rule(), context);
    case SelectionStep::kMatchDistribution:
      return MakeDistributionMatchPass(step.match_distribution(), context);
    case SelectionStep::STEP_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(context.field,
                   ": expected one of ches, decontaminate, mix, curriculum, rejection_sampling, dstc, "
                   "decontaminate_by_embedding, follow_up_likelihood, situated_faithfulness, "
                   "query_rewriting, attack_styles, reward, attack_success, confidence_prompts, "
                   "confidence_rule, match_distribution"));
}

std::string StepName(const SelectionStep& step, int index) {
  const auto* field = SelectionStep::descriptor()->FindFieldByNumber(step.step_case());
  return absl::StrCat("step[", index, "]", field == nullptr ? "" : absl::StrCat(".", field->name()));
}

class Selection {
 public:
  explicit Selection(const SelectRecipe& recipe) : recipe_(recipe) {}

  absl::StatusOr<std::vector<StepCounts>> Run() {
    if (!absl::EndsWith(recipe_.output_file(), kSuffix)) {
      return absl::InvalidArgumentError(
          absl::StrCat("output_file: ", recipe_.output_file(), ": expected a name that ends in ", kSuffix));
    }
    PLUMB_RETURN_IF_ERROR(CheckOutputFile(recipe_.output_file()));
    SetThreads(recipe_.threads());
    const ScratchFolder scratch(absl::StrCat(recipe_.output_file(), ".scratch.", getpid()));
    PLUMB_RETURN_IF_ERROR(MakeFolders(scratch.path()));
    for (int i = 0; i < recipe_.step_size(); ++i) {
      const PassContext context = {absl::StrCat("step[", i, "]"), recipe_.seed(), scratch.path()};
      PLUMB_ASSIGN_OR_RETURN(std::unique_ptr<SelectionPass> pass, MakePass(recipe_.step(i), context));
      passes_.push_back(std::move(pass));
      counts_.push_back({StepName(recipe_.step(i), i), 0, 0, ""});
    }
    PLUMB_RETURN_IF_ERROR(recipe_.has_split_by() ? WriteSplit(scratch.path())
                                                 : WriteFile(recipe_.output_file()));
    for (size_t i = 0; i < passes_.size(); ++i) counts_[i].figures = passes_[i]->Figures();
    return std::move(counts_);
  }

 private:
  absl::Status WriteFile(const std::string& path) {
    return WriteFileAtomically(path, [&](int fd) -> absl::Status {
      LineWriter writer(fd, path);
      PLUMB_RETURN_IF_ERROR(RunPasses([&](Row row) { return writer.Add(row); }));
      return writer.Flush();
    });
  }

  // pairs.jsonl becomes pairs.1.jsonl, pairs.2.jsonl ...
  absl::Status WriteSplit(const std::string& scratch) {
    PLUMB_ASSIGN_OR_RETURN(RowSpool spool, RowSpool::Make(scratch));
    std::map<std::string, std::vector<int64_t>> rows_of_value;
    PLUMB_RETURN_IF_ERROR(RunPasses([&](Row row) -> absl::Status {
      const Record* value = FindColumn(row, recipe_.split_by());
      const bool is_name = value != nullptr && (value->is_string() || value->is_number_integer());
      std::string name = !is_name ? "" : value->is_string() ? value->get<std::string>() : value->dump();
      if (name.empty() || absl::StrContains(name, '/') || name.size() > 100) {
        return RowError(row, absl::StrCat("split_by: expected a column '", recipe_.split_by(),
                                          "' of short texts without '/', or of whole numbers"));
      }
      rows_of_value[name].push_back(spool.size());
      return spool.Append(row);
    }));
    for (const auto& [value, rows] : rows_of_value) {
      const std::string path =
          absl::StrCat(absl::StripSuffix(recipe_.output_file(), kSuffix), ".", value, kSuffix);
      PLUMB_RETURN_IF_ERROR(WriteFileAtomically(path, [&](int fd) -> absl::Status {
        LineWriter writer(fd, path);
        for (const int64_t index : rows) {
          PLUMB_ASSIGN_OR_RETURN(const Row row, spool.Read(index));
          PLUMB_RETURN_IF_ERROR(writer.Add(row));
        }
        return writer.Flush();
      }));
    }
    return absl::OkStatus();
  }

  absl::Status RunPasses(RowSink sink) {
    int64_t read = 0, left = 0;
    auto last_line = std::chrono::steady_clock::now();
    const auto count_left = [&](Row row) {
      ++left;
      return sink(std::move(row));
    };
    PLUMB_RETURN_IF_ERROR(ForEachRow(recipe_.data(), [&](Row row) -> absl::Status {
      PLUMB_RETURN_IF_ERROR(CheckNotStopped(read));
      if (const auto now = std::chrono::steady_clock::now(); now - last_line >= kProgressInterval) {
        last_line = now;
        std::fprintf(stderr, "select: %lld rows read\n", static_cast<long long>(read));
      }
      ++read;
      return Feed(0, std::move(row), count_left);
    }));
    for (size_t i = 0; i < passes_.size(); ++i) {
      PLUMB_RETURN_IF_ERROR(CheckNotStopped(read));
      PLUMB_RETURN_IF_ERROR(passes_[i]->Finish([&](Row row) -> absl::Status {
        PLUMB_RETURN_IF_ERROR(CheckNotStopped(read));
        ++counts_[i].rows_out;
        return Feed(i + 1, std::move(row), count_left);
      }));
    }
    if (left > 0) return absl::OkStatus();
    std::string counts;
    for (const StepCounts& step : counts_) {
      absl::StrAppend(&counts, "; ", step.step, ": ", step.rows_out, " of ", step.rows_in);
    }
    return absl::InvalidArgumentError(absl::StrCat("no row is left", counts, "; nothing is written"));
  }

  absl::Status Feed(size_t index, Row row, RowSink sink) {
    if (index == passes_.size()) return sink(std::move(row));
    ++counts_[index].rows_in;
    return passes_[index]->Take(std::move(row), [&, index](Row left) {
      ++counts_[index].rows_out;
      return Feed(index + 1, std::move(left), sink);
    });
  }

  absl::Status CheckNotStopped(int64_t rows_read) const {
    if (!InterruptRequested()) return absl::OkStatus();
    return absl::CancelledError(
        absl::StrCat("stopped after ", rows_read, " rows; ", recipe_.output_file(), " is not written"));
  }

  const SelectRecipe& recipe_;
  std::vector<std::unique_ptr<SelectionPass>> passes_;
  std::vector<StepCounts> counts_;
};

}  // namespace

absl::StatusOr<std::vector<StepCounts>> SelectFromRecipe(const SelectRecipe& recipe) {
  return Selection(recipe).Run();
}

}  // namespace plumb
