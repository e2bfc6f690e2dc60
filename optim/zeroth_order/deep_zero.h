#ifndef PLUMB_OPTIM_ZEROTH_ORDER_DEEP_ZERO_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_DEEP_ZERO_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"

namespace plumb {

// DeepZero: Chen et al. 2024, "DeepZero: Scaling up Zeroth-Order Optimization for Deep Model Training" (arXiv
// 2310.02025): a network trained on coordinate-wise gradient estimates (CGE) of a sparse set
// of weights that is drawn anew from time to time.
//
// Not verified: the paper's accuracies; how its code orders layers within residual blocks (here a layer is
// whatever the caller makes one).

// A network as layers one after the other. Parameters are handed in, so that several evaluations with
// different ones can run at once; both functions are called from many threads.
class LayeredModel {
 public:
  virtual ~LayeredModel() = default;
  virtual int64_t LayerCount() const = 0;
  virtual at::Tensor Forward(int64_t layer, absl::Span<const at::Tensor> parameters,
                             const at::Tensor& input) const = 0;
  virtual double Loss(const at::Tensor& output) const = 0;
};

// parameters[layer][i]: contiguous f32 or f64. A mask (bool, of the same shapes) says which coordinates
// count.
using LayerTensors = std::vector<std::vector<at::Tensor>>;

struct CoordinateOptions {
  double mu = 5e-3;
  // Each evaluation starts at the layer of its coordinate, from that layer's input as it is ("feature
  // reuse"): the same numbers by the same operations, so the gradient has the same bits.
  bool reuse_features = true;
};

struct CoordinateEstimate {
  LayerTensors gradient;       // zero outside the mask
  double loss = 0;             // at the parameters themselves
  int64_t evaluations = 0;     // losses, this one among them
  int64_t layer_forwards = 0;  // layers computed in all
};

// (l(theta + mu e_i) - l(theta)) / mu for each coordinate i of the mask. Coordinates are shared out among the
// threads ("forward parallelism"); within a thread everything is serial, so that the number of threads
// changes no bit. The parameters themselves are not touched.
CoordinateEstimate LayeredCoordinateGradient(const LayeredModel& model, const LayerTensors& parameters,
                                             const LayerTensors& mask, const at::Tensor& input,
                                             const CoordinateOptions& options);

// Layers z = input weight' + bias, each followed by an elementwise function; parameters are {weight [out,
// in], bias [out]}. A changed coordinate of such a layer is a rank-1 change of what is before its function,
// in one column: mu times a column of the input for weight (i, j), mu for bias i; and in the layer after it
// another one, what that column's function changed by times a column of the weights.
class MultilayerPerceptron : public LayeredModel {
 public:
  virtual at::Tensor Activate(int64_t layer, const at::Tensor& z) const = 0;  // elementwise, of any shape
  virtual at::Tensor Losses(const at::Tensor& outputs) const = 0;             // [P, examples, out] -> f64 [P]

  at::Tensor Forward(int64_t layer, absl::Span<const at::Tensor> parameters,
                     const at::Tensor& input) const final;
  double Loss(const at::Tensor& output) const final;
};

// LayeredCoordinateGradient() by these changes, of all coordinates of a unit at once: neither the
// coordinate's layer nor the next one is multiplied out again, and those after them are one product for many
// coordinates. The same numbers but for rounding, which is divided by mu; the number of threads changes no
// bit. `input` [examples, in]. layer_forwards counts the layers multiplied out.
CoordinateEstimate RankOneCoordinateGradient(const MultilayerPerceptron& model,
                                             const LayerTensors& parameters, const LayerTensors& mask,
                                             const at::Tensor& input, double mu);

// ZO-GraSP: how dense to make each tensor, from differences of estimated gradients. Scores are
// GraSP's, -theta * (H g) (Wang, Zhang and Grosse 2020, arXiv 2002.07376), with H g = (g(theta + mu g) -
// g(theta)) / mu; the `density` of all weights with the lowest scores is kept, and each tensor's share of
// them is its density. A tensor that is zero, as the second of a new adapter's, has no scores: its density is
// `density`, and the others share out the rest. `gradient` is an estimate (the paper's are randomised, with
// the same directions each time).
std::vector<std::vector<double>> ZoGraspDensities(
    const LayerTensors& parameters, double mu, double density,
    absl::FunctionRef<LayerTensors(const LayerTensors&)> gradient);

// Masks of round(density * size) coordinates each, drawn at random: what stays fixed are the densities, the
// coordinates change with `random` (the paper's dynamic masks).
LayerTensors RandomMask(const LayerTensors& parameters, const std::vector<std::vector<double>>& densities,
                        const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_DEEP_ZERO_H_
