#include "common/config/recipe_flags.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

struct Ended {
  int exit_code = -1;
  std::string output, errors;
};

// Runs the sample program in a folder that holds r.textproto.
Ended RunSample(const std::string& arguments) {
  const std::string folder = TemporaryFolder();
  PLUMB_EXPECT_OK(WriteFileAtomically(folder + "/r.textproto", "name: 'run' stage { name: 'a' }"));
  const std::string command =
      absl::StrCat("BUILD_WORKING_DIRECTORY=", folder, " ", Runfile("common/config/sample_recipe_program"),
                   " ", arguments, " >", folder, "/out 2>", folder, "/err");
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), ReadFile(folder + "/out").value_or(""),
          ReadFile(folder + "/err").value_or("")};
}

TEST(RecipeFlagsTest, RunsWhatTheRecipeAndTheOverridesSay) {
  EXPECT_EQ(RunSample("--recipe=r.textproto").output, "name=run\n");
  EXPECT_EQ(RunSample("--recipe r.textproto --set name=x --set='name=a b'").output, "name=a b\n");
}

TEST(RecipeFlagsTest, PrintsTheRecipe) {
  const Ended ended = RunSample("--recipe=r.textproto --print_recipe --set=seed=3");
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_EQ(ended.output,
            "name: \"run\"\nseed: 3\nthreads: 0\nstage {\n  name: \"a\"\n}\n"
            "training {\n  max_steps: -1\n  learning_rate: 1e-06\n}\n");
}

TEST(RecipeFlagsTest, RefusesWithOneLine) {
  const struct {
    const char *arguments, *error;
  } cases[] = {
      {"", "error: --recipe: must be given: --recipe=FILE.textproto\n"},
      {"--recipe=x.textproto", "error: cannot open x.textproto: No such file or directory\n"},
      {"--recipe=r.textproto --set sed=1",
       "error: --set sed=1: SampleRecipe has no field 'sed'; did you mean 'seed'?\n"},
      {"--recipe=r.textproto --set threads=-1",
       "error: --set threads=-1: threads: -1 is out of range: must be at least 0 (default: 0)\n"},
  };
  for (const auto& wrong : cases) {
    const Ended ended = RunSample(wrong.arguments);
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_EQ(ended.output, "");
    EXPECT_EQ(ended.errors, wrong.error);
  }
}

}  // namespace
}  // namespace plumb
