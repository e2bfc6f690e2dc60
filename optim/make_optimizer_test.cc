#include "optim/make_optimizer.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"
#include "optim/elementwise_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

using testing::HasSubstr;

nlohmann::json Golden() {
  return nlohmann::json::parse(ReadFile(Runfile("optim/testdata/optimizers.json")).value());
}

OptimizerConfig Config(const std::string& text) {
  OptimizerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

at::Tensor Tensor(const std::vector<double>& values, at::ScalarType dtype) {
  return at::tensor(values, at::kDouble).to(dtype);
}

// Weights after each of the golden run's steps, as f64.
std::vector<at::Tensor> TrainGolden(const nlohmann::json& golden, const nlohmann::json& run,
                                    at::ScalarType dtype) {
  at::Tensor weights = Tensor(golden["weights"], dtype);
  auto optimizer = MakeOptimizer(Config(run["config"]), {{"layer.weight", weights}}).value();
  std::vector<at::Tensor> rows;
  for (size_t step = 0; step < golden["gradients"].size(); ++step) {
    weights.mutable_grad() = Tensor(golden["gradients"][step], dtype);
    optimizer->Step(optimizer->learning_rate() * golden["rate_factors"][step].get<double>());
    rows.push_back(weights.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true));
  }
  return rows;
}

double MaxRelativeError(const at::Tensor& found, const std::vector<double>& expected) {
  double error = 0;
  const double* values = found.const_data_ptr<double>();
  for (size_t i = 0; i < expected.size(); ++i) {
    error = std::max(error, std::abs(values[i] - expected[i]) / std::max(1e-2, std::abs(expected[i])));
  }
  return error;
}

class GoldenTest : public testing::TestWithParam<int> {};

TEST_P(GoldenTest, EveryStepIsTorchs) {
  const nlohmann::json golden = Golden();
  const nlohmann::json run = golden["runs"][GetParam()];
  SCOPED_TRACE(run["name"]);
  const auto doubles = TrainGolden(golden, run, at::kDouble);
  const auto floats = TrainGolden(golden, run, at::kFloat);
  ASSERT_EQ(doubles.size(), 20);
  for (size_t step = 0; step < doubles.size(); ++step) {
    EXPECT_LT(MaxRelativeError(doubles[step], run["float64"][step]), 1e-13) << step;
    EXPECT_LT(MaxRelativeError(floats[step], run["float32"][step]), 1e-6) << step;
  }
}

// The parameter is the rounding of what f32 training gives: masters lose nothing.
TEST_P(GoldenTest, SixteenBitParametersAreRoundedMasters) {
  const nlohmann::json golden = Golden();
  const nlohmann::json run = golden["runs"][GetParam()];
  SCOPED_TRACE(run["name"]);
  const auto halves = TrainGolden(golden, run, at::kBFloat16);
  const auto floats = TrainGolden(golden, run, at::kFloat);
  for (size_t step = 0; step < halves.size(); ++step) {
    EXPECT_TRUE(at::equal(halves[step], floats[step].to(at::kBFloat16).to(at::kDouble))) << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, GoldenTest, testing::Range(0, 10));

TEST(WeightDecayTest, GroupsAreThoseOfTransformers) {
  const nlohmann::json golden = Golden();
  ASSERT_GT(golden["weight_decay"].size(), 30);
  for (const auto& [name, decayed] : golden["weight_decay"].items()) {
    EXPECT_EQ(HasWeightDecay(name), decayed.get<bool>()) << name;
  }
}

TEST(WeightDecayTest, BiasesAndNormsKeepTheirSize) {
  for (const std::string kind : {"adamw", "rmsprop", "mfac", "sgd"}) {
    std::vector<NamedParameter> parameters;
    for (const std::string name : {"layers.0.weight", "layers.0.bias", "norm.weight"}) {
      parameters.push_back({name, at::full({3}, 2.0)});
      parameters.back().tensor.mutable_grad() = at::zeros({3});
    }
    MakeOptimizer(Config(kind + " { learning_rate: 0.1 weight_decay: 0.5 }"), parameters).value()->Step(0.1);
    EXPECT_LT(parameters[0].tensor[0].item<double>(), 2) << kind;
    EXPECT_EQ(parameters[1].tensor[0].item<double>(), 2) << kind;
    EXPECT_EQ(parameters[2].tensor[0].item<double>(), 2) << kind;
  }
}

TEST(OptimizerTest, AParameterWithoutAGradientStaysAndDoesNotCountTheStep) {
  const auto step = [](bool first_has_gradient) {
    at::Tensor weight = at::full({1}, 1.0);
    auto optimizer = MakeOptimizer(Config("adamw { learning_rate: 0.1 }"), {{"a", weight}}).value();
    if (first_has_gradient) weight.mutable_grad() = at::zeros({1});
    optimizer->Step(0.1);
    EXPECT_EQ(weight.item<double>(), 1);
    weight.mutable_grad() = at::full({1}, 3.0);
    optimizer->Step(0.1);
    return weight.item<double>();
  };
  EXPECT_NEAR(step(false), 0.9, 1e-6);  // a first step of Adam's is as long as the rate
  EXPECT_GT(std::abs(step(true) - 0.9), 1e-3);
}

// Larger than a block, an odd size, and enough for several threads.
std::vector<NamedParameter> LargeParameters(at::ScalarType dtype) {
  const RandomStream random(1, "parameters");
  return {{"a", random.Child("a").NormalTensor({331, 97}, at::kFloat).to(dtype)},
          {"b", random.Child("b").NormalTensor({70001}, at::kFloat).to(dtype)}};
}

void TakeSteps(Optimizer* optimizer, const std::vector<NamedParameter>& parameters, int first, int count) {
  for (int step = first; step < first + count; ++step) {
    for (const auto& [name, tensor] : parameters) {
      const RandomStream random = RandomStream(2, name).Child(step);
      at::Tensor mutable_tensor = tensor;
      mutable_tensor.mutable_grad() =
          random.NormalTensor(tensor.sizes(), at::kFloat).to(tensor.scalar_type());
    }
    optimizer->Step(1e-2);
  }
}

TEST(OptimizerTest, ThreadsDoNotChangeTheResult) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    std::vector<at::Tensor> results;
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      const auto parameters = LargeParameters(dtype);
      auto optimizer = MakeOptimizer(Config("adamw { weight_decay: 0.1 }"), parameters).value();
      TakeSteps(optimizer.get(), parameters, 0, 3);
      results.push_back(parameters[1].tensor);
    }
    EXPECT_TRUE(at::equal(results[0], results[1]));
    EXPECT_TRUE(at::equal(results[0], results[2]));
  }
}

TEST(OptimizerTest, StateContinuesBitForBit) {
  for (const std::string text : {"adamw {}", "rmsprop { centered: true momentum: 0.9 }", "sgd {}",
                                 "sgd { momentum: 0.9 nesterov: true }",
                                 "mfac { ngrads: 4 momentum: 0.9 weight_decay: 0.1 damp: 0.1 }"}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
      const auto undisturbed = LargeParameters(dtype);
      auto optimizer = MakeOptimizer(Config(text), undisturbed).value();
      TakeSteps(optimizer.get(), undisturbed, 0, 6);

      const auto first = LargeParameters(dtype);
      auto before = MakeOptimizer(Config(text), first).value();
      TakeSteps(before.get(), first, 0, 3);
      auto second = LargeParameters(dtype);
      auto after = MakeOptimizer(Config(text), second).value();
      for (size_t i = 0; i < first.size(); ++i) second[i].tensor.copy_(first[i].tensor);
      PLUMB_ASSERT_OK(after->LoadState(before->State()));
      TakeSteps(after.get(), second, 3, 3);
      for (size_t i = 0; i < first.size(); ++i) {
        EXPECT_TRUE(at::equal(second[i].tensor, undisturbed[i].tensor)) << text << i;
      }
    }
  }
}

TEST(OptimizerTest, StateThatDoesNotFitIsRefused) {
  const auto parameters = LargeParameters(at::kFloat);
  auto optimizer = MakeOptimizer(Config("adamw {}"), parameters).value();
  auto state = optimizer->State();
  state.erase("exp_avg.b");
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("no optimizer state exp_avg.b"));
  state["exp_avg.b"] = at::zeros({3});
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("exp_avg.b has [3] Float"));
  state = optimizer->State();
  state["exp_avg.c"] = at::zeros({3});
  EXPECT_THAT(optimizer->LoadState(state).message(), HasSubstr("exp_avg.c belongs to no parameter"));
}

TEST(MakeOptimizerTest, NesterovNeedsAMomentumWithoutDampening) {
  at::Tensor weight = at::full({1}, 1.0);
  for (const std::string text :
       {"sgd { nesterov: true }", "sgd { nesterov: true momentum: 0.9 dampening: 0.1 }"}) {
    EXPECT_THAT(MakeOptimizer(Config(text), {{"a", weight}}).status().message(), HasSubstr("sgd.nesterov"))
        << text;
  }
}

TEST(MakeOptimizerTest, SaysWhatItCannotTrain) {
  const auto message = [](std::vector<NamedParameter> parameters) {
    return std::string(MakeOptimizer(Config(""), std::move(parameters)).status().message());
  };
  const at::Tensor weights = at::zeros({4, 2});
  EXPECT_THAT(message({}), HasSubstr("nothing to train"));
  EXPECT_THAT(message({{"a", at::zeros({2}, at::kLong)}}),
              HasSubstr("a does not hold floating point numbers"));
  EXPECT_THAT(message({{"a", weights.t()}}), HasSubstr("a is not contiguous"));
  EXPECT_THAT(message({{"a", weights}, {"a", at::zeros({1})}}), HasSubstr("a comes twice"));
  EXPECT_THAT(message({{"a", weights}, {"b", weights.view({8})}}), HasSubstr("b is the same tensor"));
  EXPECT_THAT(message({{"a", at::Tensor()}}), HasSubstr("a is not a tensor"));
  EXPECT_EQ(MakeOptimizer(Config(""), {{"a", weights}}).value()->learning_rate(), 5e-5);
}

}  // namespace
}  // namespace plumb
