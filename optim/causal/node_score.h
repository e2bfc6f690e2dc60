#ifndef PLUMB_OPTIM_CAUSAL_NODE_SCORE_H_
#define PLUMB_OPTIM_CAUSAL_NODE_SCORE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace plumb {

// What is known of a graph's edges beforehand, [D, D] bool, element (i, j) of the edge i -> j; undefined:
// nothing.
struct EdgeMask {
  at::Tensor forbidden;  // the weight is zero
  at::Tensor required;   // i comes before j in every order
};

// A score f(W) of weights W [D, D], W_ij of the edge i -> j, that is a sum over nodes j of a loss of column
// j. Given an order of the nodes, each node's best weights on its predecessors are a problem of its own.
class NodeScore {
 public:
  virtual ~NodeScore() = default;

  virtual int64_t nodes() const = 0;
  // The least losses of the nodes at positions first .. last - 1 of `order`, each given its predecessors that
  // no mask forbids. What comes before `first` matters as a set alone.
  virtual std::vector<double> Losses(absl::Span<const int64_t> order, int64_t first, int64_t last) = 0;
  // The W of those losses for the whole order, zero where an edge would go against it.
  virtual at::Tensor Weights(absl::Span<const int64_t> order) = 0;
  // f's gradient at W, [D, D].
  virtual at::Tensor Gradient(const at::Tensor& weights) = 0;

 protected:
  // The predecessors at positions 0 .. position - 1 that may be parents of the node there.
  static std::vector<int64_t> Parents(const EdgeMask& mask, absl::Span<const int64_t> order,
                                      int64_t position);
};

// An error unless the masks, where defined, are [D, D] bool and require no edge that they forbid.
absl::Status CheckEdgeMask(const EdgeMask& mask, int64_t nodes);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_NODE_SCORE_H_
