#include "alignment/target_surrogate_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/nn/pretrained.h"
#include "common/testing/testing.h"
#include "common/train/gradients.h"
#include "optim/make_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

constexpr double kBeta = 0.3, kEta = 0.7;

class ExposedTask : public TargetSurrogateTask {
 public:
  using PreferenceTask::MicroBatchPolicyLogps;
  using TargetSurrogateTask::TargetSurrogateTask;
};

// A small model in f64 and four pairs, with the sums of their reference.
class TargetSurrogateTaskTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int64_t i = 0; i < 4; ++i) {
      TokenizedPreference pair;
      pair.prompt_ids = {5 + i, 9, 30 + i};
      pair.chosen_ids = {40 + i, 17, 3};
      pair.rejected_ids = {i + 60, 21};
      pair.ref_chosen_logps = -9.5 - static_cast<double>(i);
      pair.ref_rejected_logps = -7.25;
      data_.train.push_back(pair);
    }
    google::protobuf::RepeatedPtrField<ObjectiveConfig> configs;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString("dpo { beta: 0.3 }", configs.Add()));
    auto objectives = WeightedObjectives::Create(configs);
    PLUMB_ASSERT_OK(objectives);
    objectives_.emplace(*std::move(objectives));
    Load();
  }

  // The weights as they are in the file.
  void Load() {
    auto loaded = LoadCausalLm(Runfile("alignment/testdata/trl_dpo/model"), at::kDouble);
    PLUMB_ASSERT_OK(loaded);
    model_.model = *std::move(loaded);
    PreferenceReference reference;
    reference.in_data = true;
    task_ = std::make_unique<ExposedTask>(&model_, &data_, &*objectives_, std::move(reference), kEta, false);
    for (NamedParameter& parameter : task_->TrainableParameters()) parameter.tensor.requires_grad_(true);
  }

  TrainStep Step(int64_t index = 0) const { return {index, examples_, RandomStream(3, "step")}; }

  // Of the objective; the gradients begin anew.
  double Loss(const std::vector<std::vector<int64_t>>& micro_batches, int64_t index = 0) {
    ClearGradients(task_->TrainableParameters());
    MetricSums metrics;
    for (const auto& part : micro_batches)
      PLUMB_EXPECT_OK(task_->AccumulateGradients(Step(index), part, &metrics));
    return metrics.Means().at("loss");
  }

  std::vector<at::Tensor> Gradients() {
    std::vector<at::Tensor> gradients;
    for (const NamedParameter& parameter : task_->TrainableParameters()) {
      gradients.push_back(parameter.tensor.grad().clone());
    }
    return gradients;
  }

  void Scatter() {
    const at::NoGradGuard no_grad;
    for (const NamedParameter& parameter : task_->TrainableParameters()) {
      at::Tensor weight = parameter.tensor.detach();
      weight.add_(RandomStream(7, parameter.name).NormalTensor(weight.sizes(), at::kDouble), 0.02);
    }
  }

  TextModel model_;
  PreferenceData data_;
  std::optional<WeightedObjectives> objectives_;
  std::unique_ptr<ExposedTask> task_;
  const std::vector<int64_t> examples_ = {0, 1, 2, 3};
};

TEST_F(TargetSurrogateTaskTest, TouchesTheObjective) {
  Loss({examples_});
  const std::vector<at::Tensor> expected = Gradients();
  ClearGradients(task_->TrainableParameters());
  EXPECT_NEAR(task_->AccumulateSurrogateGradients(), 0, 1e-14);
  const std::vector<at::Tensor> found = Gradients();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(found[i].allclose(expected[i], 1e-9, 1e-12)) << i;
}

// DPO's gradient in the log-probabilities has a closed form.
TEST_F(TargetSurrogateTaskTest, IsItsFormulaElsewhere) {
  Loss({examples_});
  const PreferenceLogps before = task_->MicroBatchPolicyLogps(Step(), examples_);
  Scatter();
  const PreferenceLogps after = task_->MicroBatchPolicyLogps(Step(), examples_);
  double expected = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const double chosen = before.policy_chosen_logps[i].item<double>(),
                 rejected = before.policy_rejected_logps[i].item<double>();
    const double margin = chosen - (-9.5 - static_cast<double>(i)) - (rejected + 7.25);
    const double slope = -kBeta / (1 + std::exp(kBeta * margin)) / 4;
    expected += slope * (after.policy_chosen_logps[i].item<double>() - chosen);
    expected -= slope * (after.policy_rejected_logps[i].item<double>() - rejected);
  }
  const at::Tensor chosen = after.policy_chosen_token_logps - before.policy_chosen_token_logps,
                   rejected = after.policy_rejected_token_logps - before.policy_rejected_token_logps;
  expected += (chosen.square().sum() + rejected.square().sum()).item<double>() / (2 * kEta * 4);
  ClearGradients(task_->TrainableParameters());
  EXPECT_NEAR(task_->AccumulateSurrogateGradients(), expected, 1e-7 * std::abs(expected));

  // Its gradients, against finite differences in one weight of each parameter.
  const std::vector<at::Tensor> gradients = Gradients();
  const std::vector<NamedParameter> parameters = task_->TrainableParameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor weight =
        parameters[i].tensor.detach().view({-1}).narrow(0, parameters[i].tensor.numel() / 2, 1);
    const double gradient = gradients[i].view({-1})[parameters[i].tensor.numel() / 2].item<double>();
    const auto moved = [&](double by) {
      weight.add_(by);
      const double value = task_->AccumulateSurrogateGradients();
      weight.sub_(by);
      return value;
    };
    const double difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    EXPECT_NEAR(gradient, difference, 1e-6 + 1e-4 * std::abs(difference)) << parameters[i].name;
  }
}

TEST_F(TargetSurrogateTaskTest, MicroBatchesAddUpAndEachStepBeginsAnew) {
  Loss({examples_});
  Scatter();
  const double whole = task_->AccumulateSurrogateGradients();
  Load();
  Loss({{1, 0}, {2, 3}}, /*index=*/5);
  Loss({{0}, {2, 3}, {1}}, /*index=*/6);
  Scatter();
  EXPECT_NEAR(task_->AccumulateSurrogateGradients(), whole, 1e-7 * std::abs(whole));
}

// One inner step is the optimizer alone; more of them, short of the surrogate's minimum, bring the same batch
// further.
TEST_F(TargetSurrogateTaskTest, InnerStepsLowerTheLossOfABatch) {
  constexpr double kRate = 1e-4;
  OptimizerConfig config;
  config.mutable_adamw()->set_learning_rate(kRate);
  std::vector<double> losses;
  for (const int64_t inner_steps : {0, 1, 3, 8}) {
    Load();
    Loss({examples_});
    auto optimizer = MakeOptimizer(config, task_->TrainableParameters());
    PLUMB_ASSERT_OK(optimizer);
    if (inner_steps == 0) {
      (*optimizer)->Step(kRate);
    } else {
      TargetSurrogateOptimizer repeated(*std::move(optimizer), task_.get(), inner_steps, /*max_grad_norm=*/1);
      EXPECT_EQ(repeated.learning_rate(), kRate);
      repeated.Step(kRate);
      EXPECT_FALSE(repeated.State().empty());
    }
    losses.push_back(Loss({examples_}, 1));
  }
  EXPECT_EQ(losses[1], losses[0]);
  EXPECT_LT(losses[2], losses[1]);
  EXPECT_LT(losses[3], losses[2]);
}

}  // namespace
}  // namespace plumb
