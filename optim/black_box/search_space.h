#ifndef PLUMB_OPTIM_BLACK_BOX_SEARCH_SPACE_H_
#define PLUMB_OPTIM_BLACK_BOX_SEARCH_SPACE_H_

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/black_box/study.pb.h"

namespace plumb {

// The parameters of a study as the unit cube that methods search: logarithms and rounding are here, so that a
// method knows nothing of them.
class SearchSpace {
 public:
  // An error names the parameter: bounds that contradict each other, a log_scale that reaches zero, names
  // that are empty or come twice, categories beside bounds.
  static absl::StatusOr<SearchSpace> Create(
      const google::protobuf::RepeatedPtrField<StudyParameter>& parameters);

  int64_t dimension() const { return parameters_.size(); }
  const std::string& name(int64_t i) const { return parameters_[i].name(); }

  bool is_category(int64_t i) const { return !parameters_[i].category().empty(); }
  // How many values a parameter takes, evenly over [0, 1]; 0: more than can be counted, or not evenly.
  int64_t levels(int64_t i) const;

  // The parameters at a point of the unit cube; of a category the place of its word. An integer has equal
  // shares of [0, 1], its bounds included.
  std::vector<double> Values(absl::Span<const double> unit) const;
  // Their derivatives in the point's coordinates, integers' as if they were not rounded; of categories 0.
  std::vector<double> Slopes(absl::Span<const double> unit) const;
  // {"rate": 0.1, "layers": 3}, in the parameters' order; numbers read back as the same.
  std::string Json(absl::Span<const double> unit) const;

 private:
  std::vector<StudyParameter> parameters_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_SEARCH_SPACE_H_
