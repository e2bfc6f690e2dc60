#ifndef PLUMB_OPTIM_BAYESIAN_MIXED_SPACE_H_
#define PLUMB_OPTIM_BAYESIAN_MIXED_SPACE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/maximize_acquisition.h"
#include "optim/bayesian/options.pb.h"

namespace plumb {

// A box some of whose coordinates take whole numbers alone, in order (integers) or as names without order
// (categories). What a model sees of a point is its features: coordinates in units of the box, and for a
// category of K levels K features of which one is 1. A model is asked for its posterior at such points alone,
// never between them, as Garrido-Merchan and Hernandez-Lobato 2020, "Dealing with Categorical and
// Integer-valued Variables in Bayesian Optimization with Gaussian Processes" (arXiv 1805.03463), section 3.
class MixedSpace {
 public:
  // lower, upper: [D] of a finite box. Error: lower >= upper, coordinates that are not there or come twice,
  // bounds of whole coordinates that are not whole, more than 1000 levels of a category.
  static absl::StatusOr<MixedSpace> Create(const at::Tensor& lower, const at::Tensor& upper,
                                           absl::Span<const int64_t> integers,
                                           absl::Span<const int64_t> categories);

  int64_t dimension() const { return coordinates_.size(); }
  int64_t feature_count() const { return feature_count_; }
  // The feature that a coordinate is, -1 for a category; and the value of it where the coordinate is `at`.
  int64_t FeatureOf(int64_t coordinate) const;
  double FeatureAt(int64_t coordinate, double at) const;
  bool continuous() const { return discrete_.empty(); }

  // Points of the unit cube [N, D], uniform there, to points of the space, all levels alike.
  at::Tensor FromUnit(const at::Tensor& unit) const;
  at::Tensor Features(const at::Tensor& points) const;  // [N, D] -> [N, F]
  at::Tensor Points(const at::Tensor& features) const;  // [N, F] -> [N, D]; the nearest of the space
  // 1 where features may move, [F].
  at::Tensor Movable() const;
  // The features [M, F] of points that differ from that of `features` [F] in one discrete coordinate: all
  // other categories; of integers up to 16 others spread over the range, and the two next to it.
  at::Tensor Neighbours(const at::Tensor& features) const;

 private:
  enum class Kind { kReal, kInteger, kCategory };
  struct Coordinate {
    Kind kind = Kind::kReal;
    double lower, upper;
    int64_t feature;  // the first
    int64_t levels() const { return static_cast<int64_t>(upper - lower) + 1; }
  };
  std::vector<Coordinate> coordinates_;
  std::vector<int64_t> discrete_;
  int64_t feature_count_ = 0;
};

// MaximizeAcquisition over the features of a space: from each restart, in turn, L-BFGS-B over what may move
// and the best change of one discrete coordinate, until none is better. As BoTorch's
// optimize_acqf_mixed_alternating. `points` of the result are features, [group_size, F].
absl::StatusOr<AcquisitionMaximum> MaximizeMixedAcquisition(const Acquisition& acquisition,
                                                            const MixedSpace& space,
                                                            const AcquisitionSearchOptions& options,
                                                            const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MIXED_SPACE_H_
