#include "alignment/fast_slow_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/nn/lora.h"
#include "common/nn/pretrained.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(FastSlowGap, IsDpoWithTheSlowModuleAsReference) {
  const std::vector<double> fast = {0, 0.3, -2, 1e4, -1e4, 5, -1e4, 17};
  const std::vector<double> slow = {0, -0.4, 3, -1e4, 1e4, 5, -1e4, 16.5};
  at::Tensor f = at::tensor(fast, at::kDouble).set_requires_grad(true);
  at::Tensor s = at::tensor(slow, at::kDouble).set_requires_grad(true);
  const at::Tensor gap = FastSlowGap(f, s, 0.5);
  gap.sum().backward();
  for (size_t i = 0; i < fast.size(); ++i) {
    const double x = 0.5 * (fast[i] - slow[i]);
    const double expected = x < 0 ? std::log1p(std::exp(x)) - x : std::log1p(std::exp(-x));
    EXPECT_NEAR(gap[i].item<double>(), expected, 1e-12 * (1 + expected)) << i;
    // What keeps both moving: 1/2 beta where they are level, however far both are.
    const double slope = 0.5 / (1 + std::exp(x));
    EXPECT_NEAR(f.grad()[i].item<double>(), -slope, 1e-12) << i;
    EXPECT_NEAR(s.grad()[i].item<double>(), slope, 1e-12) << i;
  }
}

TEST(FastSlowOptimizer, TheSlowOneHasAShareOfTheRate) {
  OptimizerConfig config;
  config.mutable_rmsprop()->set_learning_rate(0.5);
  config.mutable_rmsprop()->set_alpha(0);
  at::Tensor fast = at::zeros({2}), slow = at::zeros({2});
  for (at::Tensor* weight : {&fast, &slow}) {
    weight->set_requires_grad(true);
    weight->mutable_grad() = at::tensor({3.0F, -2.0F});
  }
  auto optimizer = MakeFastSlowOptimizer(config, 0.1, {{"weight", fast}, {"slow.weight", slow}});
  PLUMB_ASSERT_OK(optimizer);
  EXPECT_EQ((*optimizer)->learning_rate(), 0.5);
  (*optimizer)->Step(0.25);
  // A step of RMSprop without memory is the rate, against the gradient's sign.
  EXPECT_TRUE(fast.detach().allclose(at::tensor({-0.25F, 0.25F}), 1e-5));
  EXPECT_TRUE(slow.detach().allclose(at::tensor({-0.025F, 0.025F}), 1e-5));
  const auto state = (*optimizer)->State();
  EXPECT_EQ(state.count("fast.steps"), 1u);
  EXPECT_EQ(state.count("slow.steps"), 1u);
  PLUMB_EXPECT_OK((*optimizer)->LoadState(state));
  std::map<std::string, at::Tensor> half = state;
  half.erase("slow.steps");
  EXPECT_FALSE((*optimizer)->LoadState(half).ok());
}

// A model of two adapters, in f64, and four pairs.
class FastSlowTaskTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = Runfile("alignment/testdata/trl_dpo/model");
    auto loaded = LoadCausalLm(folder, at::kDouble);
    PLUMB_ASSERT_OK(loaded);
    model_.model = *std::move(loaded);
    Lora lora;
    lora.set_r(2);
    lora.add_target_modules("q_proj");
    lora.add_target_modules("down_proj");
    PLUMB_ASSERT_OK(AddAdapter(*model_.model, lora, RandomStream(1, "adapter")));
    model_.lora = lora;
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
  }

  FastSlowTask Task(const FastSlow& config) {
    PreferenceReference reference;
    reference.in_data = true;
    return FastSlowTask(&model_, &data_, &*objectives_, std::move(reference), config, false);
  }

  // Different numbers in all weights.
  static void Scatter(const std::vector<NamedParameter>& parameters) {
    const at::NoGradGuard no_grad;
    for (const NamedParameter& parameter : parameters) {
      at::Tensor weight = parameter.tensor.detach();
      weight.copy_(RandomStream(7, parameter.name).NormalTensor(weight.sizes(), at::kDouble) * 0.3);
    }
  }

  double Loss(FastSlowTask& task, int64_t index, const std::string& name) {
    const TrainStep step = {index, examples_, RandomStream(3, "step")};
    MetricSums metrics;
    PLUMB_EXPECT_OK(task.AccumulateGradients(step, examples_, &metrics));
    return metrics.Means().at(name);
  }

  TextModel model_;
  PreferenceData data_;
  std::optional<WeightedObjectives> objectives_;
  const std::vector<int64_t> examples_ = {0, 1, 2, 3};
};

TEST_F(FastSlowTaskTest, GradientsAreThoseOfTheTwoLosses) {
  FastSlow config;
  config.set_alpha(0.6);
  config.set_beta(0.2);
  FastSlowTask task = Task(config);
  const std::vector<NamedParameter> parameters = task.TrainableParameters();
  Scatter(parameters);
  Loss(task, 0, "loss");
  std::map<std::string, at::Tensor> gradients;
  for (const NamedParameter& parameter : parameters) {
    gradients[parameter.name] = parameter.tensor.grad().clone();
  }
  // loss_F and, of the slow module, loss(S) - alpha gap: the gap alone is loss_F less loss(F).
  const auto fast_loss = [&] { return Loss(task, 0, "loss"); };
  FastSlow without = config;
  without.set_alpha(0);
  const auto slow_loss = [&] {
    const double with_gap = Loss(task, 0, "loss"), slow = Loss(task, 0, "fast_slow/loss_slow");
    // The weights are the model's; a second task's slow module is a copy of the fast one and not looked at.
    FastSlowTask plain = Task(without);
    plain.TrainableParameters();
    return slow - (with_gap - Loss(plain, 0, "loss"));
  };
  for (const NamedParameter& parameter : parameters) {
    if (parameter.name.find("layers.0") == std::string::npos) continue;
    const bool is_slow = parameter.name.rfind("slow.", 0) == 0;
    at::Tensor weight = parameter.tensor.detach().view({-1});
    for (const int64_t i : {int64_t{0}, weight.numel() - 1}) {
      double* value = weight.mutable_data_ptr<double>() + i;
      const double before = *value;
      const auto at_value = [&](double changed) {
        *value = changed;
        return is_slow ? slow_loss() : fast_loss();
      };
      const double difference = (at_value(before + 1e-5) - at_value(before - 1e-5)) / 2e-5;
      *value = before;
      const double gradient = gradients.at(parameter.name).view({-1})[i].item<double>();
      EXPECT_NEAR(gradient, difference, 1e-7 + 1e-5 * std::abs(difference)) << parameter.name << " " << i;
      EXPECT_NE(gradient, 0) << parameter.name;
    }
  }
}

TEST_F(FastSlowTaskTest, TheSlowOneTakesTheFastOnesPlaceWhereItIsBetter) {
  FastSlow config;
  config.set_swap_steps(2);
  FastSlowTask task = Task(config);
  const std::vector<NamedParameter> parameters = task.TrainableParameters();
  Scatter(parameters);
  const size_t half = parameters.size() / 2;
  const auto weights = [&] {
    std::vector<at::Tensor> copies;
    for (const NamedParameter& parameter : parameters) copies.push_back(parameter.tensor.detach().clone());
    return copies;
  };
  const std::vector<at::Tensor> start = weights();
  // Which of the two is better here decides what is to come.
  FastSlow without = config;
  without.set_alpha(0);
  const double slow = Loss(task, 0, "fast_slow/loss_slow");
  FastSlowTask plain = Task(without);
  plain.TrainableParameters();
  const bool slow_is_better = slow < Loss(plain, 0, "loss");
  EXPECT_EQ(Loss(task, 1, "fast_slow/swaps"), 0);
  EXPECT_EQ(Loss(task, 2, "fast_slow/swaps"), slow_is_better ? 1 : 0);
  for (int64_t pass = 0; pass < 2; ++pass) {
    const std::vector<at::Tensor> now = weights();
    for (size_t i = 0; i < half; ++i) {
      EXPECT_TRUE(now[i].equal(slow_is_better ? start[half + i] : start[i])) << parameters[i].name;
      EXPECT_TRUE(now[half + i].equal(slow_is_better ? start[i] : start[half + i]));
    }
    // The better one is in front: nothing more is changed.
    Loss(task, 3 + pass, "loss");
  }
  // The other way round.
  {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < half; ++i) {
      const at::Tensor fast = parameters[i].tensor.detach().clone();
      parameters[i].tensor.detach().copy_(parameters[half + i].tensor.detach());
      parameters[half + i].tensor.detach().copy_(fast);
    }
  }
  Loss(task, 5, "loss");
  task.State()[0].tensor.zero_();  // what was summed before they were exchanged by hand
  Loss(task, 7, "loss");
  EXPECT_EQ(Loss(task, 8, "fast_slow/swaps"), 1);
}

}  // namespace
}  // namespace plumb
