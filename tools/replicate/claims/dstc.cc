// Liu et al. 2024: minimax selection among codes and tests of which none is known to be right.

#include "alignment/selection/dstc.h"

#include <optional>
#include <vector>

#include "common/tensor/random.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kTasks = 1000, kCodes = 10, kTests = 10;
constexpr double kRightTest = 0.7;
// That a code passes a test: a right code a wrong test, a wrong code a right test, a wrong code a wrong test.
constexpr double kRightPassesWrong = 0.1, kWrongPassesRight = 0.3, kWrongPassesWrong = 0.2;

struct Task {
  explicit Task(const RandomStream& random) : right_code(kCodes), passes(kCodes, std::vector<bool>(kTests)) {
    const RandomStream code = random.Child("code"), test = random.Child("test"), pass = random.Child("pass");
    const double ease = 0.1 + 0.8 * random.Uniform(0);
    for (int64_t j = 0; j < kCodes; ++j) {
      right_code[j] = code.Uniform(j) < ease;
      for (int64_t k = 0; k < kTests; ++k) {
        const bool right_test = test.Uniform(k) < kRightTest;
        const double probability = right_code[j] ? (right_test ? 1 : kRightPassesWrong)
                                                 : (right_test ? kWrongPassesRight : kWrongPassesWrong);
        passes[j][k] = pass.Uniform(j * kTests + k) < probability;
      }
    }
  }
  std::vector<bool> right_code;
  PassMatrix passes;
};

// A code that passes some test against a code that fails one: any two such results.
std::optional<CodeSelection> AnySelection(const PassMatrix& passes, const RandomStream& random) {
  std::optional<CodeSelection> passed, failed;
  for (const int64_t cell : random.Permutation(kCodes * kTests)) {
    const int64_t j = cell / kTests, k = cell % kTests;
    std::optional<CodeSelection>& found = passes[j][k] ? passed : failed;
    if (!found.has_value()) found = CodeSelection{j, k, j, k};
  }
  if (!passed.has_value() || !failed.has_value()) return std::nullopt;
  return CodeSelection{passed->chosen_code, passed->chosen_test, failed->rejected_code,
                       failed->rejected_test};
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  int64_t right[2] = {}, pairs[2] = {};
  const auto count = [&](int method, const Task& task, const std::optional<CodeSelection>& selection) {
    if (!selection.has_value()) return;
    ++pairs[method];
    if (task.right_code[selection->chosen_code] && !task.right_code[selection->rejected_code]) {
      ++right[method];
    }
  };
  for (int64_t i = 0; i < kTasks; ++i) {
    const RandomStream random = RandomStream(seed, "dstc").Child(static_cast<uint64_t>(i));
    const Task task(random);
    count(0, task, MinimaxSelection(task.passes));
    count(1, task, AnySelection(task.passes, random.Child("any")));
  }
  return Comparison{static_cast<double>(right[0]) / pairs[0], static_cast<double>(right[1]) / pairs[1]};
}

const bool kRegistered =
    RegisterClaim({"dstc",
                   "Liu et al. 2024, DSTC: Direct Preference Learning with Only Self-Generated Tests and "
                   "Code (arXiv 2411.13611)",
                   "The minimax selection makes a larger share of right pairs than a code that passes some "
                   "test against one that fails some.",
                   "DSTC", "any pass against any fail",
                   "share of pairs whose chosen code is right and whose rejected code is wrong",
                   /*lower_is_better=*/false, /*seeds=*/10,
                   "simulated results of 1,000 tasks with 10 codes and 10 tests, of which 70 % are right; "
                   "errors are independent, where those of "
                   "one model's codes and tests go together. No code model is trained.",
                   Run});

}  // namespace
}  // namespace plumb
