// Runs a study: looks for the parameters at which a command, or a known function, gives the least value.

#include <gflags/gflags.h>

#include "common/config/recipe_flags.h"
#include "optim/black_box/run_study.h"
#include "optim/black_box/study.pb.h"

DEFINE_string(resume, "auto",
              "auto: go on where an earlier run of this study stopped; never: from the start");

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::StudyRecipe>(
      argc, argv,
      "study --recipe=FILE [--set=path.to.field=value ...]\n"
      "Looks for the parameters at which a command gives the least (or greatest) value; writes what it "
      "found, and\n"
      "report.html, to its output folder.",
      [](const plumb::StudyRecipe& recipe) { return plumb::RunStudy(recipe, FLAGS_resume); });
}
