#include "optim/black_box/study_method.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "optim/bayesian/bayesian_optimizer.h"

namespace plumb {

absl::StatusOr<std::unique_ptr<AskTell>> MakeStudyMethod(const StudyMethod& method, int64_t dimension,
                                                         uint64_t seed) {
  const at::Tensor lower = at::zeros({dimension}, at::kDouble), upper = at::ones({dimension}, at::kDouble);
  switch (method.kind_case()) {
    case StudyMethod::kRandomSearch:
      return MakeRandomSearch(lower, upper, seed);
    case StudyMethod::kBayesian:
      return BayesianOptimizer::Create(lower, upper, method.bayesian(), seed);
    case StudyMethod::kSobolSearch:
    case StudyMethod::KIND_NOT_SET:
      return MakeSobolSearch(lower, upper, seed);
  }
  return absl::InternalError("no such StudyMethod");
}

}  // namespace plumb
