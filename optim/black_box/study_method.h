#ifndef PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_
#define PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "optim/black_box/study.pb.h"
#include "optim/core/ask_tell.h"

namespace plumb {

// The method of a recipe, over the unit cube of that dimension.
absl::StatusOr<std::unique_ptr<AskTell>> MakeStudyMethod(const StudyMethod& method, int64_t dimension,
                                                         uint64_t seed);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_
