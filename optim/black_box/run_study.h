#ifndef PLUMB_OPTIM_BLACK_BOX_RUN_STUDY_H_
#define PLUMB_OPTIM_BLACK_BOX_RUN_STUDY_H_

#include <string>

#include "absl/status/status.h"
#include "optim/black_box/study.pb.h"

namespace plumb {

// Does what a recipe says: asks the method for points, evaluates them, and leaves in the output folder
//   evaluations.jsonl   what was found (journal.h), the truth of the study
//   method.safetensors  the method's state before the evaluation that runs
//   best.json           parameters and value of the best evaluation, and, of Bayesian optimisation without
//                       constraints, the parameters that its model believes best, evaluated or not
//   report.html         convergence, the importance of the parameters, failures
// with the figures behind it (common/report/run_folder.h). A study that was stopped or killed goes on where
// it was: `resume` "auto"; "never" begins anew. Errors: the recipe, another recipe's folder, a damaged
// journal, max_failures_in_a_row. A CancelledError: interrupted.
absl::Status RunStudy(const StudyRecipe& recipe, const std::string& resume);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_RUN_STUDY_H_
