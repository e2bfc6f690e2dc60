#include <utility>

#include "absl/strings/str_cat.h"
#include "alignment/selection/dstc.h"
#include "alignment/selection/sandbox.h"
#include "alignment/selection/selection_pass.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::StatusOr<const Record*> ReadTexts(const Row& row, absl::string_view name) {
  const Record* texts = FindColumn(row, name);
  bool all_texts = texts != nullptr && texts->is_array();
  for (size_t i = 0; all_texts && i < texts->size(); ++i) all_texts = (*texts)[i].is_string();
  if (!all_texts) return RowError(row, absl::StrCat("column '", name, "': expected a list of texts"));
  return texts;
}

absl::StatusOr<PassMatrix> ReadPasses(const Row& row, size_t codes, size_t tests) {
  const Record* column = FindColumn(row, "passes");
  const auto error = [&] {
    return RowError(row,
                    absl::StrCat("column 'passes': expected for each of the ", codes,
                                 " codes a list of true and false, one for each of the ", tests, " tests"));
  };
  if (column == nullptr || !column->is_array() || column->size() != codes) return error();
  PassMatrix passes;
  for (const Record& of_code : *column) {
    if (!of_code.is_array() || of_code.size() != tests) return error();
    passes.emplace_back();
    for (const Record& pass : of_code) {
      if (!pass.is_boolean()) return error();
      passes.back().push_back(pass.get<bool>());
    }
  }
  return passes;
}

// Runs code and tests.
class ProgramRunner {
 public:
  ProgramRunner(const CodeAndTests& config, const PassContext& context)
      : config_(config), field_(context.field + ".dstc"), folder_(context.scratch_folder + "/program") {
    limits_.seconds = config.seconds();
    limits_.memory_bytes = config.memory_mb() << 20;
  }

  absl::StatusOr<PassMatrix> Run(const Record& codes, const Record& tests) const {
    PassMatrix passes;
    for (const Record& code : codes) {
      passes.emplace_back();
      for (const Record& test : tests) {
        if (InterruptRequested())
          return absl::CancelledError("stopped while a program ran; nothing is written");
        PLUMB_ASSIGN_OR_RETURN(const bool pass,
                               Passes(absl::StrCat(code.get_ref<const std::string&>(), "\n",
                                                   test.get_ref<const std::string&>(), "\n")));
        passes.back().push_back(pass);
      }
    }
    return passes;
  }

 private:
  // In a folder of its own, so that no program finds what another one left.
  absl::StatusOr<bool> Passes(const std::string& program) const {
    PLUMB_RETURN_IF_ERROR(RemoveFolder(folder_));
    PLUMB_RETURN_IF_ERROR(MakeFolders(folder_));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder_, "/", config_.file_name()), program));
    std::vector<std::string> command(config_.command().begin(), config_.command().end());
    command.push_back(config_.file_name());
    const auto result = RunSandboxed(command, folder_, limits_);
    if (!result.ok()) {
      return absl::Status(result.status().code(),
                          absl::StrCat(field_, ".command: ", result.status().message()));
    }
    return result->exit_code == 0 && !result->timed_out;
  }

  CodeAndTests config_;
  std::string field_;
  std::string folder_;
  SandboxLimits limits_;
};

class DstcPass : public SelectionPass {
 public:
  DstcPass(const CodeAndTests& config, const PassContext& context)
      : runs_programs_(config.command_size() > 0), runner_(config, context) {}

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const Record* codes, ReadTexts(row, "codes"));
    PLUMB_ASSIGN_OR_RETURN(const Record* tests, ReadTexts(row, "tests"));
    const bool is_run = runs_programs_ && FindColumn(row, "passes") == nullptr;
    PLUMB_ASSIGN_OR_RETURN(const PassMatrix passes, is_run ? runner_.Run(*codes, *tests)
                                                           : ReadPasses(row, codes->size(), tests->size()));
    const std::optional<CodeSelection> selection = MinimaxSelection(passes);
    if (!selection.has_value()) return absl::OkStatus();
    const auto answer = [&](int64_t code, int64_t test) {
      return absl::StrCat((*codes)[code].get_ref<const std::string&>(), "\n",
                          (*tests)[test].get_ref<const std::string&>());
    };
    const std::string chosen = answer(selection->chosen_code, selection->chosen_test);
    const std::string rejected = answer(selection->rejected_code, selection->rejected_test);
    for (const char* name : {"codes", "tests", "passes"}) row.record.erase(name);
    row.record["chosen"] = chosen;
    row.record["rejected"] = rejected;
    return emit(std::move(row));
  }

 private:
  bool runs_programs_;
  ProgramRunner runner_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDstcPass(const CodeAndTests& config,
                                                            const PassContext& context) {
  return std::make_unique<DstcPass>(config, context);
}

}  // namespace plumb
