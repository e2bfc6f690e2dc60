#include "common/nn/reward_model.h"

#include <ATen/ops/linear.h>

#include <map>
#include <string>

#include "common/status/status_macros.h"

namespace plumb {

void RewardModel::VisitParameters(ParameterVisitor visitor) {
  body->VisitParameters(visitor);
  visitor("score.weight", score);
}

at::Tensor RewardModel::Rewards(const at::Tensor& hidden) const {
  return at::linear(hidden, score).squeeze(-1);
}

absl::StatusOr<RewardModel> NewRewardModel(CausalLm& model, const RandomStream& random) {
  PLUMB_ASSIGN_OR_RETURN(const ModelConfig config, WithRewardHead(model.config()));
  std::map<std::string, at::Tensor> weights;
  model.VisitParameters([&](const std::string& name, at::Tensor& weight) { weights[name] = weight; });
  RewardModel result;
  result.body = MakeCausalLm(config, model.dtype());
  result.body->VisitParameters(
      [&](const std::string& name, at::Tensor& weight) { weight = weights.at(name); });
  const at::ScalarType wide = model.dtype() == at::kDouble ? at::kDouble : at::kFloat;
  result.score = random.Child("score.weight")
                     .NormalTensor({1, model.config().hidden_size}, wide)
                     .mul_(model.config().initializer_range)
                     .to(model.dtype());
  return result;
}

}  // namespace plumb
