#include "optim/black_box/run_study.h"

#include <ATen/ops/tensor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/config/resolved.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/report/report.h"
#include "common/report/run_folder.h"
#include "common/status/status_macros.h"
#include "common/train/folder_lock.h"
#include "common/train/progress.h"
#include "optim/black_box/external_command.h"
#include "optim/black_box/journal.h"
#include "optim/black_box/parameter_importance.h"
#include "optim/black_box/search_space.h"
#include "optim/black_box/study_method.h"
#include "optim/black_box/test_functions.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLineInterval(5);     // between lines that tell of no better value
constexpr std::chrono::seconds kReportInterval(30);  // between reports of a study that runs

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What two runs of one study may differ in.
const std::set<std::string>& FieldsThatMayDiffer() {
  static const auto& fields = *new std::set<std::string>{
      "plumb.StudyRecipe.description",           "plumb.StudyRecipe.output_dir",
      "plumb.StudyRecipe.max_evaluations",       "plumb.StudyRecipe.target_value",
      "plumb.StudyRecipe.max_failures_in_a_row", "plumb.StudyCommand.time_limit_seconds",
  };
  return fields;
}

class Study {
 public:
  Study(const StudyRecipe& recipe, SearchSpace space, StudySearch search)
      : recipe_(recipe),
        space_(std::move(space)),
        search_(std::move(search)),
        folder_(recipe.output_dir().empty() ? absl::StrCat("runs/", recipe.name()) : recipe.output_dir()),
        sign_(recipe.direction() == StudyRecipe::MAXIMIZE ? -1 : 1) {}

  absl::Status Run(const std::string& resume) {
    PLUMB_RETURN_IF_ERROR(MakeFolders(folder_));
    PLUMB_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(folder_));
    PLUMB_RETURN_IF_ERROR(resume == "never" ? Begin() : GoOn());
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(folder_ + "/recipe.textproto", PrintResolved(recipe_)));
    PLUMB_ASSIGN_OR_RETURN(metrics_, StageMetrics::Open(folder_, "study"));
    PLUMB_RETURN_IF_ERROR(metrics_->Rewind(0));
    for (size_t i = 0; i < journal_.size(); ++i) PLUMB_RETURN_IF_ERROR(Learn(i));
    const absl::Status status = Loop();
    PLUMB_RETURN_IF_ERROR(WriteResults());
    PLUMB_RETURN_IF_ERROR(status);
    if (best_ >= 0) {
      std::printf("best: %.10g at %s\n", journal_[best_].value, journal_[best_].parameters.c_str());
    }
    std::printf("report: %s/report.html\n", folder_.c_str());
    return absl::OkStatus();
  }

 private:
  std::string JournalPath() const { return folder_ + "/evaluations.jsonl"; }
  std::string MethodPath() const { return folder_ + "/method.safetensors"; }
  void Say(const std::string& line) const {
    std::fprintf(stderr, "%s: %s\n", recipe_.name().c_str(), line.c_str());
  }

  absl::Status Begin() {
    PLUMB_RETURN_IF_ERROR(RemoveFolder(MethodPath()));
    return WriteJournal(JournalPath(), {});
  }

  absl::Status GoOn() {
    const std::string recipe_path = folder_ + "/recipe.textproto";
    if (!FileExists(JournalPath())) return Begin();
    if (StudyRecipe saved; FileExists(recipe_path)) {
      PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(recipe_path));
      const bool parsed = google::protobuf::TextFormat::ParseFromString(text, &saved);
      if (!parsed) {
        return DifferentRecipeError(folder_, "its recipe.textproto is no recipe of this program");
      }
      PLUMB_RETURN_IF_ERROR(CheckSameRecipe(folder_, saved, recipe_, FieldsThatMayDiffer()));
    }
    PLUMB_ASSIGN_OR_RETURN(Journal journal,
                           ReadJournal(JournalPath(), space_.dimension(), ConstraintCount()));
    journal_ = std::move(journal.entries);
    if (journal.cut_off) {
      Say("the last line of evaluations.jsonl is cut off; that evaluation is done again");
      PLUMB_RETURN_IF_ERROR(WriteJournal(JournalPath(), journal_));
    }
    if (FileExists(MethodPath())) {
      const absl::Status loaded = search_.method().Load(MethodPath());
      // The state may be one evaluation behind; what is ahead of the journal is of another study.
      if (loaded.ok() && search_.method().told() <= static_cast<int64_t>(journal_.size())) return Retell();
      Say(absl::StrCat("the method's state is made anew from evaluations.jsonl: ",
                       loaded.ok() ? "method.safetensors is of another study" : loaded.message()));
      PLUMB_ASSIGN_OR_RETURN(search_, StudySearch::Create(recipe_.method(), space_, recipe_.seed()));
    }
    return Retell();
  }

  // What the method was not told before. It is asked for each point first, as it was then.
  absl::Status Retell() {
    for (size_t i = search_.method().told(); i < journal_.size(); ++i) {
      PLUMB_RETURN_IF_ERROR(search_.Next().status());
      search_.method().Abandon();
      PLUMB_RETURN_IF_ERROR(Tell(journal_[i]));
    }
    return absl::OkStatus();
  }

  int64_t ConstraintCount() const {
    return recipe_.objective().has_command() ? recipe_.objective().command().constraints() : 0;
  }

  absl::Status Tell(const JournalEntry& entry) {
    std::vector<double> slopes;
    if (!entry.gradient.empty()) {
      slopes = space_.Slopes(entry.point);
      for (int64_t i = 0; i < space_.dimension(); ++i) {
        const auto found = entry.gradient.find(space_.name(i));
        slopes[i] *= found != entry.gradient.end() && !space_.is_category(i)
                         ? sign_ * found->second
                         : std::numeric_limits<double>::quiet_NaN();
      }
    }
    return search_.Tell(entry.point, sign_ * entry.value, entry.constraints, slopes);
  }

  absl::Status Loop() {
    const Clock::time_point start = Clock::now();
    Clock::time_point last_line = start, last_report = start;
    const int64_t before = journal_.size();
    while (!Done()) {
      if (InterruptRequested()) return Stopped();
      JournalEntry entry;
      PLUMB_ASSIGN_OR_RETURN(entry.point, search_.Next());
      PLUMB_RETURN_IF_ERROR(search_.method().Save(MethodPath()));
      const absl::Status evaluated = Evaluate(&entry);
      if (absl::IsCancelled(evaluated)) return Stopped();
      PLUMB_RETURN_IF_ERROR(evaluated);
      journal_.push_back(std::move(entry));
      const int64_t index = static_cast<int64_t>(journal_.size()) - 1;
      PLUMB_RETURN_IF_ERROR(AppendToJournal(JournalPath(), index, journal_[index]));
      PLUMB_RETURN_IF_ERROR(Tell(journal_[index]));
      PLUMB_RETURN_IF_ERROR(Learn(index));
      const Clock::time_point now = Clock::now();
      if (best_ == index || now - last_line >= kLineInterval) {
        last_line = now;
        SayPosition(SecondsSince(start) / static_cast<double>(index + 1 - before));
      }
      if (now - last_report >= kReportInterval) {
        last_report = now;
        PLUMB_RETURN_IF_ERROR(WriteResults());
      }
      if (failures_in_a_row_ >= recipe_.max_failures_in_a_row()) {
        return absl::FailedPreconditionError(
            absl::StrCat(failures_in_a_row_, " evaluations in a row failed, the last one at ",
                         journal_[index].parameters, ": ", journal_[index].failure, "; see ", JournalPath()));
      }
    }
    return absl::OkStatus();
  }

  bool Done() const {
    if (static_cast<int64_t>(journal_.size()) >= recipe_.max_evaluations()) return true;
    return recipe_.has_target_value() && best_ >= 0 &&
           sign_ * journal_[best_].value <= sign_ * recipe_.target_value();
  }

  absl::Status Stopped() const {
    return absl::CancelledError(absl::StrCat("stopped after ", journal_.size(), " of ",
                                             recipe_.max_evaluations(),
                                             " evaluations; the same command goes on"));
  }

  // Fills in the rest of an entry that has its point. A failure of the objective is part of the entry.
  absl::Status Evaluate(JournalEntry* entry) const {
    entry->parameters = space_.Json(entry->point);
    const Clock::time_point start = Clock::now();
    const StudyObjective& objective = recipe_.objective();
    if (objective.has_command()) {
      const absl::StatusOr<CommandResult> result = RunCommand(
          objective.command().run(), entry->parameters + "\n", objective.command().time_limit_seconds());
      if (!result.ok() && !absl::IsDataLoss(result.status())) return result.status();
      entry->failure = result.ok() ? WhatDoesNotFit(*result) : std::string(result.status().message());
      if (entry->failure.empty()) {
        entry->value = result->value;
        entry->constraints = result->constraints;
        entry->gradient = result->gradient;
      } else {
        entry->value = std::numeric_limits<double>::quiet_NaN();
        entry->constraints.assign(ConstraintCount(), entry->value);
      }
    } else {
      entry->value = EvaluateTestFunction(objective.test_function(), space_.Values(entry->point));
    }
    entry->seconds = SecondsSince(start);
    return absl::OkStatus();
  }

  // What a command printed that is not of this study; empty when all is.
  std::string WhatDoesNotFit(const CommandResult& result) const {
    if (static_cast<int64_t>(result.constraints.size()) != ConstraintCount()) {
      return absl::StrCat("printed ", result.constraints.size(), " constraints, expected ",
                          ConstraintCount());
    }
    for (const auto& [name, derivative] : result.gradient) {
      bool known = false;
      for (int64_t i = 0; i < space_.dimension(); ++i) known = known || space_.name(i) == name;
      if (!known) return "printed a derivative in '" + name + "', which is no parameter";
    }
    return "";
  }

  bool IsFeasible(const JournalEntry& entry) const {
    return std::all_of(entry.constraints.begin(), entry.constraints.end(),
                       [](double constraint) { return constraint >= 0; });
  }

  // What this study knows from an evaluation.
  absl::Status Learn(int64_t index) {
    const double value = journal_[index].value;
    if (std::isnan(value)) {
      ++failures_;
      ++failures_in_a_row_;
    } else {
      failures_in_a_row_ = 0;
      const bool better = best_ < 0 || sign_ * value < sign_ * journal_[best_].value;
      if (better && IsFeasible(journal_[index])) best_ = index;
    }
    const double best = best_ < 0 ? std::numeric_limits<double>::quiet_NaN() : journal_[best_].value;
    return metrics_->Write(index + 1, {{"value", value}, {"best", best}});
  }

  void SayPosition(double seconds_each) const {
    const JournalEntry& last = journal_.back();
    Say(absl::StrCat(
        "evaluation ", journal_.size(), "/", recipe_.max_evaluations(), "  ",
        last.failure.empty() ? absl::StrCat("value ", FormatMetric(last.value)) : "failed: " + last.failure,
        best_ < 0 ? "" : absl::StrCat("  best ", FormatMetric(journal_[best_].value)), "  ",
        FormatDuration(seconds_each * static_cast<double>(recipe_.max_evaluations() - journal_.size())),
        " left"));
  }

  std::string ImportanceText() const {
    if (journal_.empty()) return "no evaluation yet";
    std::vector<double> points, values;
    for (const JournalEntry& entry : journal_) {
      points.insert(points.end(), entry.point.begin(), entry.point.end());
      values.push_back(entry.value);
    }
    const std::optional<ParameterImportance> importance = MainEffects(
        at::tensor(points, at::kDouble).reshape({-1, space_.dimension()}), at::tensor(values, at::kDouble));
    if (!importance.has_value()) return "cannot be told: no parameter by itself predicts the value";
    std::vector<std::pair<double, std::string>> parts;
    for (int64_t i = 0; i < space_.dimension(); ++i) parts.push_back({importance->shares[i], space_.name(i)});
    std::sort(parts.rbegin(), parts.rend());
    return absl::StrCat(absl::StrJoin(parts, ", ",
                                      [](std::string* out, const std::pair<double, std::string>& part) {
                                        absl::StrAppendFormat(out, "%s %.0f %%", part.second,
                                                              100 * part.first);
                                      }),
                        absl::StrFormat(" (of what parameters explain by themselves, which is %.0f %% of the "
                                        "variance)",
                                        100 * importance->explained));
  }

  // What the method believes to be best, where that is no point evaluated; else empty.
  std::string Recommended() {
    const absl::StatusOr<std::vector<double>> point = search_.Recommend();
    if (!point.ok() || best_ < 0 || ConstraintCount() > 0) return "";
    const std::string parameters = space_.Json(*point);
    return parameters == journal_[best_].parameters ? "" : parameters;
  }

  absl::Status WriteResults() {
    Facts facts = {{"name", recipe_.name()},
                   {"description", recipe_.description()},
                   {"method", search_.method().name()},
                   {"evaluations", absl::StrCat(journal_.size(), ", ", failures_, " of them failed")}};
    if (best_ >= 0) {
      const JournalEntry& best = journal_[best_];
      facts.push_back({"best value", absl::StrFormat("%.10g (evaluation %d)", best.value, best_ + 1)});
      facts.push_back({"best parameters", best.parameters});
      const std::string recommended = Recommended();
      if (!recommended.empty()) facts.push_back({"parameters that the model recommends", recommended});
      PLUMB_RETURN_IF_ERROR(WriteFileAtomically(
          folder_ + "/best.json",
          absl::StrFormat("{\"evaluation\": %d, \"value\": %.17g, \"parameters\": %s%s}\n", best_ + 1,
                          best.value, best.parameters,
                          recommended.empty() ? "" : ", \"recommended_parameters\": " + recommended)));
    } else {
      PLUMB_RETURN_IF_ERROR(RemoveFolder(folder_ + "/best.json"));
    }
    facts.push_back({"importance of the parameters", ImportanceText()});
    for (auto entry = journal_.rbegin(); failures_ > 0 && entry != journal_.rend(); ++entry) {
      if (entry->failure.empty()) continue;
      facts.push_back({"last failure", absl::StrCat(entry->failure, ", at ", entry->parameters)});
      break;
    }
    PLUMB_RETURN_IF_ERROR(WriteFacts(folder_, facts));
    return WriteReport(folder_);
  }

  const StudyRecipe& recipe_;
  const SearchSpace space_;
  StudySearch search_;
  const std::string folder_;
  const double sign_;
  std::unique_ptr<StageMetrics> metrics_;
  std::vector<JournalEntry> journal_;
  int64_t best_ = -1;  // index in journal_
  int64_t failures_ = 0;
  int64_t failures_in_a_row_ = 0;
};

absl::StatusOr<SearchSpace> MakeSpace(const StudyRecipe& recipe) {
  if (recipe.objective().kind_case() == StudyObjective::KIND_NOT_SET) {
    return absl::InvalidArgumentError("objective: expected a command or a test_function");
  }
  if (!recipe.objective().has_test_function()) {
    if (recipe.parameter().empty()) {
      return absl::InvalidArgumentError("parameter: a command needs at least one");
    }
    return SearchSpace::Create(recipe.parameter());
  }
  if (!recipe.parameter().empty()) {
    return absl::InvalidArgumentError("parameter: a test_function has its own; leave it out");
  }
  return SearchSpace::Create(TestFunctionParameters(recipe.objective().test_function()));
}

}  // namespace

absl::Status RunStudy(const StudyRecipe& recipe, const std::string& resume) {
  if (resume != "auto" && resume != "never") {
    return absl::InvalidArgumentError(absl::StrCat("--resume: '", resume, "': expected auto or never"));
  }
  PLUMB_RETURN_IF_ERROR(CheckFolderName("name", recipe.name()));
  PLUMB_ASSIGN_OR_RETURN(SearchSpace space, MakeSpace(recipe));
  PLUMB_ASSIGN_OR_RETURN(StudySearch search, StudySearch::Create(recipe.method(), space, recipe.seed()));
  return Study(recipe, std::move(space), std::move(search)).Run(resume);
}

}  // namespace plumb
