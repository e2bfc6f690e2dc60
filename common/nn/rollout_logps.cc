#include "common/nn/rollout_logps.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <c10/util/Exception.h>

#include "common/kernels/linear_logprob.h"

namespace plumb {

RolloutBatch PackRollouts(absl::Span<const int64_t> prompt,
                          absl::Span<const std::vector<int64_t>> completions) {
  TORCH_CHECK(!prompt.empty(), "PackRollouts: the prompt has no tokens");
  RolloutBatch batch;
  std::vector<std::vector<int64_t>> sequences = {{prompt.begin(), prompt.end()}};
  std::vector<int> parents(completions.size() + 1, 0);
  parents[0] = Segment::kNoParent;
  std::vector<int64_t> rows, targets;
  int64_t row = prompt.size();  // of the completion's first token
  for (const std::vector<int64_t>& completion : completions) {
    const int64_t begin = targets.size(), count = completion.size();
    for (int64_t i = 0; i < count; ++i) rows.push_back(i == 0 ? prompt.size() - 1 : row + i - 1);
    targets.insert(targets.end(), completion.begin(), completion.end());
    batch.completions.push_back({begin, begin + count, Segment::kNoParent});
    sequences.push_back(completion);
    if (count > 0) sequences.back().pop_back();
    row += sequences.back().size();
  }
  batch.tokens = PackTree(sequences, parents);
  batch.rows = at::tensor(rows, at::kLong);
  batch.targets = at::tensor(targets, at::kLong);
  return batch;
}

at::Tensor RolloutLogps(CausalLm& model, const RolloutBatch& batch, const ForwardOptions& options) {
  const at::Tensor states = model.Hidden(batch.tokens, options).index_select(0, batch.rows);
  return LinearLogProb(states, model.HeadWeight(), batch.targets).logps;
}

}  // namespace plumb
