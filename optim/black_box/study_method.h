#ifndef PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_
#define PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/black_box/search_space.h"
#include "optim/black_box/study.pb.h"
#include "optim/core/ask_tell.h"

namespace plumb {

// The method of a recipe over the unit cube of a space. What takes whole values is to Bayesian optimisation
// whole numbers from 0, which it searches as such; to other methods a share of [0, 1].
class StudySearch {
 public:
  static absl::StatusOr<StudySearch> Create(const StudyMethod& method, const SearchSpace& space,
                                            uint64_t seed);

  // The point that is pending, else the next one; of the unit cube.
  absl::StatusOr<std::vector<double>> Next();

  // `value` is minimised; `slopes`, its derivatives in the point's coordinates, may be empty or NaN.
  absl::Status Tell(absl::Span<const double> point, double value, absl::Span<const double> constraints,
                    absl::Span<const double> slopes);

  // AskTell::Recommend().
  absl::StatusOr<std::vector<double>> Recommend();

  AskTell& method() { return *method_; }

 private:
  StudySearch(std::unique_ptr<AskTell> method, std::vector<int64_t> levels)
      : method_(std::move(method)), levels_(std::move(levels)) {}
  std::vector<double> ToUnit(const at::Tensor& point) const;
  double FromUnit(int64_t coordinate, double unit) const;

  std::unique_ptr<AskTell> method_;
  std::vector<int64_t> levels_;  // of coordinates that the method sees as whole numbers, else 0
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_STUDY_METHOD_H_
