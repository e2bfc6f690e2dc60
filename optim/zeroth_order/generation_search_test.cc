#include "optim/zeroth_order/generation_search.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"
#include "optim/zeroth_order/consensus.h"
#include "optim/zeroth_order/rank_sgd.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }
at::Tensor Lower() { return Tensor({-3, -3, -1}); }
at::Tensor Upper() { return Tensor({3, 3, 5}); }

std::unique_ptr<AskTell> Consensus(uint64_t seed = 1) {
  return MakeConsensusSearch(Lower(), Upper(), {}, seed).value();
}
std::unique_ptr<AskTell> Rank(uint64_t seed = 1) {
  return MakeRankSearch(Lower(), Upper(), {}, seed).value();
}

absl::StatusOr<Evaluation> Bowl(const at::Tensor& points) {
  return Evaluation{(points - Tensor({0.3, -1, 2})).square().sum(1), {}};
}

MinimizeOptions Evaluations(int64_t count, int64_t batch_size = 1) {
  MinimizeOptions options;
  options.mutable_stop()->set_max_evaluations(count);
  options.set_batch_size(batch_size);
  return options;
}

TEST(GenerationSearchTest, FindsABottomWithinTheBox) {
  for (const auto make : {Consensus, Rank}) {
    const auto method = make(1);
    EXPECT_LT(Minimize(*method, Bowl, Evaluations(4000)).value().value, 1e-3) << method->name();
    EXPECT_TRUE(((method->points() >= Lower()) & (method->points() <= Upper())).all().item<bool>());
    // A bottom outside: the nearest corner.
    const auto corner = make(1);
    const Objective slope = [](const at::Tensor& points) { return Evaluation{points.sum(1), {}}; };
    EXPECT_LT(Minimize(*corner, slope, Evaluations(4000)).value().value, -6.9) << corner->name();
  }
}

// The generations are the steps of consensus.h.
TEST(ConsensusSearchTest, MovesByConsensusSteps) {
  const auto method = Consensus();
  const at::Tensor first = method->Ask(20).value();
  const at::Tensor values = Bowl(first)->values;
  PLUMB_ASSERT_OK(method->Tell(first, values));
  const at::Tensor second = method->Ask(20).value();
  ConsensusOptions options;
  options.alpha = 30, options.lambda = 1, options.sigma = 5.1, options.dt = 0.01;
  const at::Tensor expected =
      ConsensusStep(first, values, options, RandomStream(1, "consensus_search").Child(1)).value();
  EXPECT_LT((second - expected.clamp(Lower(), Upper())).abs().max().item<double>(), 1e-12);
}

// Values count by their order alone: a monotone function of them asks for the same.
TEST(RankSearchTest, ReadsRanksAlone) {
  const auto plain = Rank(), told_ranks = Rank();
  for (int i = 0; i < 40; ++i) {
    const at::Tensor points = plain->Ask(3).value();
    ASSERT_TRUE(told_ranks->Ask(3).value().equal(points));
    PLUMB_ASSERT_OK(plain->Tell(points, Bowl(points)->values));
    PLUMB_ASSERT_OK(told_ranks->Tell(points, (Bowl(points)->values + 1).log() * 7 - 3));
  }
  RankSearchOptions one;
  one.set_k(16);
  EXPECT_THAT(MakeRankSearch(Lower(), Upper(), one, 1).status().message(), HasSubstr("k 16"));
}

TEST(GenerationSearchTest, NeitherBatchesNorOrderNorThreadsNorStrangersCount) {
  const int threads = at::get_num_threads();
  for (const auto make : {Consensus, Rank}) {
    at::set_num_threads(1);
    const auto one = make(1), batches = make(1);
    const int64_t batch = one->name() == "rank_search" ? 3 : 5;  // what divides generations
    Minimize(*one, Bowl, Evaluations(120)).value();
    at::set_num_threads(2);
    while (batches->told() < 120) {
      const at::Tensor points = batches->Ask(batch).value(), values = Bowl(points)->values;
      PLUMB_ASSERT_OK(batches->Tell(points.flip(0), values.flip(0)));
      // Never asked for: it counts as found, and moves nothing.
      if (batches->told() == batch) {
        PLUMB_ASSERT_OK(batches->Tell(Tensor({9, 9, 9}).view({1, 3}), Tensor({-1})));
      }
    }
    EXPECT_EQ(batches->best_value(), -1);
    EXPECT_EQ(batches->asked(), one->asked());
    EXPECT_TRUE(batches->Ask(40).value().equal(one->Ask(40).value())) << one->name();
  }
  at::set_num_threads(threads);
}

TEST(GenerationSearchTest, ARunThatWasKilledGoesOnAsIfNothingHadBeen) {
  const std::string path = TemporaryFolder() + "/state.safetensors";
  for (const auto make : {Consensus, Rank}) {
    // In the first generation, in a line search, and before anything.
    for (const int64_t told : {0, 9, 18, 69}) {
      const auto whole = make(1), killed = make(1), resumed = make(1);
      Minimize(*whole, Bowl, Evaluations(120, 3)).value();
      if (told > 0) Minimize(*killed, Bowl, Evaluations(told, 3)).value();
      if (told > 9) {
        PLUMB_ASSERT_OK(killed->Ask(3));  // killed while it evaluates these
      }
      PLUMB_ASSERT_OK(killed->Save(path));
      PLUMB_ASSERT_OK(resumed->Load(path));
      Minimize(*resumed, Bowl, Evaluations(120 - told, 3)).value();
      EXPECT_TRUE(resumed->points().equal(whole->points())) << whole->name() << " after " << told;
    }
    const std::string bytes = ReadFile(path).value(), damaged = TemporaryFolder() + "/damaged.safetensors";
    ForEachMutation(bytes, 100, [&](const std::string& mutated) {
      PLUMB_ASSERT_OK(WriteFileAtomically(damaged, mutated));
      const auto reader = make(1);
      EXPECT_TRUE(reader->Load(damaged).ok() || reader->told() == 0);
    });
  }
  EXPECT_THAT(Consensus()->Load(path).message(), HasSubstr("expected 'consensus_search'"));
}

// A third fails; and while all do, it goes on.
TEST(GenerationSearchTest, FailuresAreLeft) {
  for (const auto make : {Consensus, Rank}) {
    const auto method = make(1);
    int failed = 0;
    for (int i = 0; i < 3000; ++i) {
      const at::Tensor points = method->Ask(1).value();
      const bool fails = i < 30 || points[0][0].item<double>() > 1;
      failed += fails;
      PLUMB_ASSERT_OK(method->Tell(points, fails ? Tensor({NAN}) : Bowl(points)->values));
    }
    EXPECT_GE(failed, 30);
    EXPECT_LT(method->best_value(), 1e-2) << method->name();
  }
}

// Points asked for beyond a generation end it: whoever never tells gets points nevertheless.
TEST(GenerationSearchTest, AsksWithoutAnswersGoOn) {
  for (const auto make : {Consensus, Rank}) {
    const auto method = make(1);
    EXPECT_EQ(method->Ask(70).value().size(0), 70);
    EXPECT_EQ(method->pending().size(0), 70);
    PLUMB_EXPECT_OK(method->Tell(method->pending(), Bowl(method->pending())->values));
    EXPECT_EQ(method->pending().size(0), 0);
    PLUMB_EXPECT_OK(method->Ask(1));
  }
}

TEST(GenerationSearchTest, BoundsThatContradictAreTold) {
  EXPECT_THAT(MakeConsensusSearch(Upper(), Lower(), {}, 1).status().message(), HasSubstr("coordinate 0"));
  EXPECT_THAT(MakeRankSearch(Lower(), {}, {}, 1).status().message(), HasSubstr("expected finite ones"));
}

}  // namespace
}  // namespace plumb
