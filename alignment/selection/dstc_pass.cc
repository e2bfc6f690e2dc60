#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/selection/dstc.h"
#include "alignment/selection/sandbox.h"
#include "alignment/selection/selection_pass.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// The code in each of a list of answers.
absl::StatusOr<std::vector<std::string>> ReadPrograms(const Row& row, const std::string& column) {
  PLUMB_ASSIGN_OR_RETURN(const Record* answers, ReadAnswers(row, column));
  std::vector<std::string> programs;
  for (const Record& said : *answers) {
    if (!said.is_string() && !said.is_array()) {
      return RowError(row, absl::StrCat("column '", column, "': expected texts or conversations, found ",
                                        said.type_name()));
    }
    PLUMB_ASSIGN_OR_RETURN(const std::string text, RowText({{{column, said}}, row.where}, {column}));
    programs.push_back(CodeIn(text));
  }
  return programs;
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

  absl::StatusOr<PassMatrix> Run(const std::vector<std::string>& codes,
                                 const std::vector<std::string>& tests) const {
    PassMatrix passes;
    for (const std::string& code : codes) {
      passes.emplace_back();
      for (const std::string& test : tests) {
        if (InterruptRequested())
          return absl::CancelledError("stopped while a program ran; nothing is written");
        PLUMB_ASSIGN_OR_RETURN(const bool pass, Passes(absl::StrCat(code, "\n", test, "\n")));
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

// What a row asks for: its prompt, of a conversation the last message; empty where it has none. What stands
// before, as a system message, may differ where code is asked for and where tests are.
std::string TaskOf(const Row& row) {
  const Record* prompt = FindColumn(row, "prompt");
  if (prompt == nullptr) return "";
  return prompt->is_array() && !prompt->empty() ? prompt->back().dump() : prompt->dump();
}

// Of rows of their own, in their order.
struct Tests {
  std::string where, task;
  std::vector<std::string> programs;
};

class DstcPass : public SelectionPass {
 public:
  DstcPass(const CodeAndTests& config, const PassContext& context, std::optional<std::vector<Tests>> tests)
      : config_(config),
        field_(context.field + ".dstc"),
        runner_(config, context),
        tests_(std::move(tests)) {}

  absl::Status Take(Row row, RowSink emit) override {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<std::string> codes, ReadPrograms(row, config_.codes_column()));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<std::string> tests, TestsOf(row));
    const bool is_run = config_.command_size() > 0 && FindColumn(row, "passes") == nullptr;
    PLUMB_ASSIGN_OR_RETURN(const PassMatrix passes,
                           is_run ? runner_.Run(codes, tests) : ReadPasses(row, codes.size(), tests.size()));
    ++rows_;
    const std::optional<CodeSelection> selection = MinimaxSelection(passes);
    if (!selection.has_value()) return absl::OkStatus();
    const Record* prompt = FindColumn(row, "prompt");
    const auto answer = [&](int64_t code, int64_t test) -> Record {
      const std::string text = absl::StrCat(codes[code], "\n", tests[test]);
      if (prompt == nullptr || !prompt->is_array()) return text;
      return Record::array({Record{{"role", "assistant"}, {"content", text}}});
    };
    Record chosen = answer(selection->chosen_code, selection->chosen_test);
    Record rejected = answer(selection->rejected_code, selection->rejected_test);
    for (const std::string& name : {config_.codes_column(), config_.tests_column(), std::string("passes")}) {
      row.record.erase(name);
    }
    row.record["chosen"] = std::move(chosen);
    row.record["rejected"] = std::move(rejected);
    return emit(std::move(row));
  }

  absl::Status Finish(RowSink) override {
    if (!tests_.has_value() || rows_ == tests_->size()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(field_, ".tests: expected one for each of the ", rows_,
                                                   " rows, found ", tests_->size(), " rows of tests"));
  }

 private:
  absl::StatusOr<std::vector<std::string>> TestsOf(const Row& row) const {
    if (!tests_.has_value()) return ReadPrograms(row, config_.tests_column());
    if (rows_ >= tests_->size()) {
      return RowError(row, absl::StrCat("has no tests: there are ", tests_->size(), " rows in ", field_,
                                        ".tests, which are of the rows of codes in their order"));
    }
    const Tests& tests = (*tests_)[rows_];
    const std::string task = TaskOf(row);
    if (task != tests.task && !task.empty() && !tests.task.empty()) {
      return RowError(row,
                      absl::StrCat("its prompt is not that of ", tests.where, ", which has the tests of row ",
                                   rows_ + 1, ": expected both files in the same order"));
    }
    return tests.programs;
  }

  CodeAndTests config_;
  std::string field_;
  ProgramRunner runner_;
  std::optional<std::vector<Tests>> tests_;
  size_t rows_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeDstcPass(const CodeAndTests& config,
                                                            const PassContext& context) {
  std::optional<std::vector<Tests>> tests;
  if (config.has_tests()) {
    tests.emplace();
    PLUMB_RETURN_IF_ERROR(ForEachRow(config.tests(), [&](Row row) -> absl::Status {
      PLUMB_ASSIGN_OR_RETURN(std::vector<std::string> programs, ReadPrograms(row, config.tests_column()));
      tests->push_back({row.where, TaskOf(row), std::move(programs)});
      return absl::OkStatus();
    }));
  }
  return std::make_unique<DstcPass>(config, context, std::move(tests));
}

}  // namespace plumb
