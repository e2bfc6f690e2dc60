#include "optim/core/ask_tell.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }
at::Tensor Lower() { return Tensor({-1, 0, 10}); }
at::Tensor Upper() { return Tensor({1, 5, 10.5}); }

std::unique_ptr<AskTell> Random(uint64_t seed = 1) {
  return MakeRandomSearch(Lower(), Upper(), seed).value();
}
std::unique_ptr<AskTell> Sobol(uint64_t seed = 1) { return MakeSobolSearch(Lower(), Upper(), seed).value(); }

absl::StatusOr<Evaluation> Bowl(const at::Tensor& points) {
  return Evaluation{(points - Tensor({0.3, 2, 10.2})).pow(2).sum(1), {}};
}

MinimizeOptions Evaluations(int64_t count, int64_t batch_size = 1) {
  MinimizeOptions options;
  options.mutable_stop()->set_max_evaluations(count);
  options.set_batch_size(batch_size);
  return options;
}

TEST(AskTellTest, PointsFillTheBoxWhateverTheBatch) {
  for (const auto make : {Random, Sobol}) {
    const auto one = make(1), many = make(1), other = make(2);
    const at::Tensor points = many->Ask(64).value();
    EXPECT_TRUE(((points >= Lower()) & (points <= Upper())).all().item<bool>());
    for (int64_t d = 0; d < 3; ++d) {
      const double size = (Upper() - Lower())[d].item<double>();
      EXPECT_GT((points.select(1, d).max() - points.select(1, d).min()).item<double>(), 0.9 * size);
    }
    EXPECT_TRUE(at::cat({one->Ask(1).value(), one->Ask(0).value(), one->Ask(63).value()}).equal(points));
    EXPECT_FALSE(other->Ask(64).value().equal(points));
  }
}

TEST(AskTellTest, KnowsWhatIsPendingAndWhatIsBest) {
  const auto method = Random();
  const at::Tensor points = method->Ask(3).value();
  EXPECT_TRUE(method->pending().equal(points));
  EXPECT_EQ(method->best(), -1);
  EXPECT_TRUE(std::isnan(method->best_value()));
  // Out of order, and one that failed.
  PLUMB_EXPECT_OK(method->Tell(points.narrow(0, 1, 1), Tensor({std::nan("")})));
  EXPECT_EQ(method->best(), -1);
  PLUMB_EXPECT_OK(method->Tell(points.narrow(0, 2, 1), Tensor({5})));
  EXPECT_TRUE(method->pending().equal(points.narrow(0, 0, 1)));
  // Never asked for, outside the box.
  const at::Tensor strange = Tensor({7, 7, 7}).unsqueeze(0);
  PLUMB_EXPECT_OK(method->Tell(strange, Tensor({-1})));
  PLUMB_EXPECT_OK(method->Tell(strange, Tensor({-HUGE_VAL})));  // failed too
  EXPECT_EQ(method->told(), 4);
  EXPECT_EQ(method->best(), 2);
  EXPECT_TRUE(method->best_point().equal(strange[0]));
  EXPECT_EQ(method->asked(), 3);
  EXPECT_EQ(method->pending().size(0), 1);
  method->Abandon();
  EXPECT_EQ(method->pending().size(0), 0);
}

TEST(AskTellTest, TheBestIsFeasible) {
  const auto method = Random();
  const at::Tensor points = method->Ask(3).value();
  PLUMB_EXPECT_OK(
      method->Tell(points, Tensor({1, 2, 3}), Tensor({-1, 1, 0, 0, 1, std::nan("")}).view({3, 2})));
  EXPECT_EQ(method->best(), 1);
  EXPECT_THAT(method->Tell(points, Tensor({1, 2, 3})).message(), HasSubstr("expected [3, 2]"));
  EXPECT_FALSE(method->Tell(points, Tensor({1, 2, 3}), at::zeros({3, 1})).ok());
}

TEST(AskTellTest, KeepsGradientsOfWhatDidNotFail) {
  const auto method = Random();
  const at::Tensor points = method->Ask(3).value(), one = points.narrow(0, 0, 1);
  PLUMB_ASSERT_OK(method->Tell(one, Tensor({1})));
  EXPECT_FALSE(method->has_gradients());
  const double unknown = std::nan("");
  PLUMB_ASSERT_OK(method->Tell(points.narrow(0, 1, 2), Tensor({2, unknown}), {},
                               Tensor({1, unknown, 3, 4, 5, 6}).view({2, 3})));
  EXPECT_TRUE(method->has_gradients());
  const at::Tensor gradients = method->gradients();
  EXPECT_TRUE(gradients.isnan().equal(
      Tensor({1, 1, 1, 0, 1, 0, 1, 1, 1}).view({3, 3}).to(at::kBool)));  // a failure has none
  EXPECT_EQ(gradients[1][2].item<double>(), 3);
  EXPECT_THAT(method->Tell(one, Tensor({1}), {}, Tensor({1}).view({1, 1})).message(),
              HasSubstr("told gradients"));
  EXPECT_EQ(method->told(), 3);
  const auto resumed = Random();
  PLUMB_ASSERT_OK(resumed->LoadState(method->State()));
  EXPECT_TRUE(resumed->has_gradients());
  EXPECT_TRUE(resumed->gradients().nan_to_num(-1).equal(gradients.nan_to_num(-1)));
  EXPECT_TRUE(method->Recommend().value().equal(one[0]));
  EXPECT_THAT(Random()->Recommend().status().message(), HasSubstr("nothing that did not fail"));
}

TEST(AskTellTest, WrongInputChangesNothing) {
  const auto method = Random();
  const at::Tensor points = method->Ask(2).value();
  EXPECT_THAT(method->Tell(points, Tensor({1})).message(), HasSubstr("told values: shape [1], expected [2]"));
  EXPECT_FALSE(method->Tell(points.narrow(1, 0, 2), Tensor({1, 2})).ok());
  EXPECT_THAT(method->Tell(points * std::nan(""), Tensor({1, 2})).message(), HasSubstr("not finite"));
  EXPECT_FALSE(method->Ask(-1).ok());
  EXPECT_EQ(method->told(), 0);
  EXPECT_EQ(method->pending().size(0), 2);
  EXPECT_THAT(MakeRandomSearch(Upper(), Lower(), 1).status().message(), HasSubstr("coordinate 0"));
  EXPECT_THAT(MakeSobolSearch(Lower(), {}, 1).status().message(), HasSubstr("expected finite ones"));
  EXPECT_FALSE(MakeSobolSearch(at::zeros({65}), at::full({65}, 1.0), 1).ok());
}

TEST(AskTellTest, ARunThatWasKilledGoesOnAsIfNothingHadBeen) {
  const std::string path = TemporaryFolder() + "/state.safetensors";
  for (const auto make : {Random, Sobol}) {
    const auto whole = make(1), killed = make(1), resumed = make(1);
    const double value = Minimize(*whole, Bowl, Evaluations(20, 3)).value().value;
    ASSERT_EQ(Minimize(*killed, Bowl, Evaluations(9, 3)).value().summary.calls.values, 9);
    killed->Ask(3).value();  // killed while it evaluates these
    PLUMB_ASSERT_OK(killed->Save(path));
    PLUMB_ASSERT_OK(resumed->Load(path));
    EXPECT_EQ(resumed->pending().size(0), 3);
    EXPECT_EQ(Minimize(*resumed, Bowl, Evaluations(11, 3)).value().value, value);
    EXPECT_TRUE(resumed->points().equal(whole->points()));
    EXPECT_TRUE(resumed->values().equal(whole->values()));
    EXPECT_EQ(resumed->best(), whole->best());
  }
}

TEST(AskTellTest, StateOfSomethingElseIsRefused) {
  const std::string path = TemporaryFolder() + "/state.safetensors";
  const auto method = Random();
  Minimize(*method, Bowl, Evaluations(5)).value();
  PLUMB_ASSERT_OK(method->Save(path));
  EXPECT_THAT(Sobol()->Load(path).message(),
              HasSubstr("is of method 'random_search', expected 'sobol_search'"));
  EXPECT_FALSE(MakeRandomSearch(Tensor({0}), Tensor({1}), 1).value()->Load(path).ok());
  EXPECT_THAT(MakeRandomSearch(Lower() - 1, Upper(), 1).value()->Load(path).message(),
              HasSubstr("another box"));
  // Damaged files give an error or load what is whole; none ends the program.
  const std::string bytes = ReadFile(path).value(), damaged = TemporaryFolder() + "/damaged.safetensors";
  ForEachMutation(bytes, 100, [&](const std::string& mutated) {
    PLUMB_ASSERT_OK(WriteFileAtomically(damaged, mutated));
    const auto reader = Random();
    EXPECT_TRUE(reader->Load(damaged).ok() || reader->told() == 0);
  });
}

TEST(MinimizeTest, FindsTheBowlsBottom) {
  const auto random = Random(), sobol = Sobol();
  const MinimizeResult result = Minimize(*sobol, Bowl, Evaluations(1000, 64)).value();
  EXPECT_LT(result.value, 0.02);
  EXPECT_EQ(result.summary.termination, Termination::kMaxEvaluations);
  EXPECT_EQ(result.summary.calls.values, 1000);  // the last batch is cut
  EXPECT_EQ(result.summary.iterations, 16);
  EXPECT_EQ(sobol->told(), 1000);
  EXPECT_EQ(result.value, Bowl(result.x.unsqueeze(0))->values.item<double>());
  for (size_t i = 1; i < result.summary.history.size(); ++i) {
    EXPECT_LE(result.summary.history[i].value, result.summary.history[i - 1].value);
  }
  EXPECT_LT(Minimize(*random, Bowl, Evaluations(1000)).value().value, 0.1);
}

TEST(MinimizeTest, EndsForEachReason) {
  MinimizeOptions options;
  options.set_target_value(0.5);
  const MinimizeResult reached = Minimize(*Sobol(), Bowl, options).value();
  EXPECT_TRUE(reached.summary.converged());
  EXPECT_LE(reached.value, 0.5);
  EXPECT_EQ(Minimize(*Sobol(), Bowl, Evaluations(5), [](const IterationRecord&) { return false; })
                .value()
                .summary.termination,
            Termination::kStopped);
  options.Clear();
  options.mutable_stop()->set_max_seconds(1e-12);
  const MinimizeResult late = Minimize(*Sobol(), Bowl, options).value();
  EXPECT_EQ(late.summary.termination, Termination::kTimeLimit);
  EXPECT_FALSE(late.x.defined());
  EXPECT_THAT(Minimize(*Sobol(), Bowl, {}).status().message(), HasSubstr("never end"));
}

TEST(MinimizeTest, FailuresAreToldAndCounted) {
  const auto method = Sobol();
  const Objective objective = [](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    const double first = points[0][0].item<double>();
    if (points.size(0) > 1 || first < -0.5) throw std::runtime_error("no license left");
    if (first < 0) return absl::UnavailableError("disk full");
    return Evaluation{at::full({1}, first < 0.5 ? std::nan("") : first, at::kDouble), {}};
  };
  const MinimizeResult result = Minimize(*method, objective, Evaluations(40, 4)).value();
  EXPECT_EQ(result.summary.calls.values, 40);
  EXPECT_EQ(method->told(), 40);
  EXPECT_EQ(result.summary.calls.failed, method->values().isnan().sum().item<int64_t>());
  EXPECT_NEAR(result.summary.calls.failed, 30, 2);
  EXPECT_GE(result.value, 0.5);
  EXPECT_THAT(result.summary.reason, HasSubstr("last failure: "));
  // All fail: there is no point, but a summary.
  const Objective broken = [](const at::Tensor&) { return absl::UnavailableError("disk full"); };
  const MinimizeResult none = Minimize(*Sobol(), broken, Evaluations(3)).value();
  EXPECT_FALSE(none.x.defined());
  EXPECT_EQ(none.summary.calls.failed, 3);
  EXPECT_THAT(none.summary.reason, HasSubstr("disk full"));
}

}  // namespace
}  // namespace plumb
