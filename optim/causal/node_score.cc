#include "optim/causal/node_score.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {

std::vector<int64_t> NodeScore::Parents(const EdgeMask& mask, absl::Span<const int64_t> order,
                                        int64_t position) {
  std::vector<int64_t> parents(order.begin(), order.begin() + position);
  if (!mask.forbidden.defined()) return parents;
  const auto forbidden = mask.forbidden.accessor<bool, 2>();
  const int64_t node = order[position];
  parents.erase(
      std::remove_if(parents.begin(), parents.end(), [&](int64_t parent) { return forbidden[parent][node]; }),
      parents.end());
  return parents;
}

absl::Status CheckEdgeMask(const EdgeMask& mask, int64_t nodes) {
  for (const auto& [name, edges] :
       {std::pair{"forbidden edges", mask.forbidden}, std::pair{"required edges", mask.required}}) {
    if (!edges.defined()) continue;
    PLUMB_RETURN_IF_ERROR(CheckShape(name, edges, {nodes, nodes}));
    PLUMB_RETURN_IF_ERROR(CheckDtype(name, edges, at::kBool));
  }
  if (mask.forbidden.defined() && mask.required.defined() &&
      (mask.forbidden & mask.required).any().item<bool>()) {
    return absl::InvalidArgumentError("edge masks: an edge is both forbidden and required");
  }
  return absl::OkStatus();
}

}  // namespace plumb
