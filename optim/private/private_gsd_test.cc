#include "optim/private/private_gsd.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<Column> kColumns = {{3}, {2}, {0}, {0}};

// Correlated columns: the second follows the first, the fourth the third.
at::Tensor Population(int64_t rows) {
  at::Tensor data = at::empty({rows, 4}, at::kDouble);
  double* values = data.mutable_data_ptr<double>();
  for (int64_t i = 0; i < rows; ++i) {
    const RandomStream random = RandomStream(7, "population").Child(i);
    double* row = values + 4 * i;
    row[0] = random.Uniform(0) < 0.6 ? 0 : random.Below(1, 3);
    row[1] = random.Uniform(2) < 0.9 ? row[0] == 0 : random.Below(3, 2);
    row[2] = random.Uniform(4) * random.Uniform(5);
    row[3] = 0.8 * row[2] + 0.2 * random.Uniform(6);
  }
  return data;
}

std::unique_ptr<QueryFamily> SomePrefixes() {
  std::vector<std::vector<PrefixCondition>> queries;
  for (const double s : {0.1, 0.3, 0.6}) {
    for (const double t : {0.2, 0.5}) queries.push_back({{2, s}, {3, t}});
    queries.push_back({{0, 1}, {2, s}});
  }
  return PrefixQueries(kColumns, queries);
}

std::unique_ptr<QueryFamily> SomeHalfSpaces() {
  return HalfSpaceQueries(Numbers({20, 4}, 0.1), Numbers({20}, 0.2));
}

std::vector<std::unique_ptr<QueryFamily>> Families() {
  std::vector<std::unique_ptr<QueryFamily>> families;
  families.push_back(MarginalQueries(kColumns, {{0}, {0, 1}, {1}}));
  families.push_back(SomePrefixes());
  families.push_back(SomeHalfSpaces());
  std::vector<std::unique_ptr<QueryFamily>> several;
  several.push_back(SomePrefixes());
  several.push_back(MarginalQueries(kColumns, {{0, 1}}));
  families.push_back(JointQueries(std::move(several)));
  return families;
}

double SquaredError(const std::vector<double>& a, const std::vector<double>& b) {
  double error = 0;
  for (size_t i = 0; i < a.size(); ++i) error += (a[i] - b[i]) * (a[i] - b[i]);
  return error;
}

// Each of two families gets half of rho; their answers stand one after the other.
TEST(QueryFamilyTest, FamiliesShareThePrivacy) {
  const at::Tensor data = Population(50);
  std::vector<std::unique_ptr<QueryFamily>> families;
  families.push_back(PrefixQueries(kColumns, {{{2, 0.5}}}));
  families.push_back(PrefixQueries(kColumns, {{{2, 0.1}}, {{3, 0.5}}}));
  constexpr double kRho = 0.7;
  constexpr int kDraws = 4000;
  std::vector<double> squares(3);
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<double> noisy = NoisyAnswers(families, data, kRho, RandomStream(i, "noise"));
    ASSERT_EQ(noisy.size(), 3u);
    for (size_t q = 0; q < 3; ++q) {
      const double exact = q == 0 ? Answers(*families[0], data)[0] : Answers(*families[1], data)[q - 1];
      squares[q] += (noisy[q] - exact) * (noisy[q] - exact) / kDraws;
    }
  }
  // sensitivity^2 / (2 (rho / 2) rows^2), where the second family's is 2.
  const double variance = 1 / (kRho * 50 * 50);
  EXPECT_NEAR(squares[0] / variance, 1, 0.1);
  EXPECT_NEAR(squares[1] / variance, 2, 0.2);
  EXPECT_NEAR(squares[2] / variance, 2, 0.2);
  EXPECT_NEAR(JointQueries(std::move(families))->Sensitivity(), std::sqrt(3.0), 1e-12);
}

TEST(QueryFamilyTest, AnswersAreSharesOfRows) {
  const at::Tensor data = at::tensor({0.0, 1.0, 0.2, 0.9,  //
                                      2.0, 0.0, 0.5, 0.1,  //
                                      0.0, 0.0, 0.7, 0.3,  //
                                      0.0, 1.0, 0.2, 0.2})
                              .to(at::kDouble)
                              .view({4, 4});
  EXPECT_THAT(Answers(*MarginalQueries(kColumns, {{0, 1}, {1}}), data),
              ElementsAre(0.25, 0.5, 0, 0, 0.25, 0, 0.5, 0.5));
  EXPECT_THAT(Answers(*PrefixQueries(kColumns, {{{2, 0.5}}, {{2, 0.5}, {3, 0.2}}, {{0, 0}, {3, 0.5}}}), data),
              ElementsAre(0.75, 0.5, 0.5));
  EXPECT_THAT(
      Answers(*HalfSpaceQueries(at::tensor({0.0, 0.0, 1.0, 1.0}).view({1, 4}), at::tensor({0.65})), data),
      ElementsAre(0.5));
}

// What an edit changes is the difference of both rows' answers, and is within the sensitivity.
TEST(QueryFamilyTest, ChangesAreDifferences) {
  const at::Tensor data = Population(60);
  const double* rows = data.const_data_ptr<double>();
  for (const auto& family : Families()) {
    for (int64_t i = 0; i + 1 < 60; ++i) {
      std::vector<double> difference(family->Count());
      std::vector<QueryFamily::Change> changes;
      family->Changes(rows + 4 * i, rows + 4 * i + 4, &changes);
      double squared = 0;
      for (const auto& [query, change] : changes) difference[query] += change, squared += change * change;
      const std::vector<double> before = Answers(*family, data.slice(0, i, i + 1));
      const std::vector<double> after = Answers(*family, data.slice(0, i + 1, i + 2));
      for (size_t q = 0; q < difference.size(); ++q) EXPECT_EQ(difference[q], after[q] - before[q]);
      EXPECT_LE(std::sqrt(squared), family->Sensitivity() + 1e-12);
    }
  }
}

TEST(ZcdpRhoTest, InvertsTheConversion) {
  for (const double epsilon : {0.01, 1.0, 10.0}) {
    const double rho = ZcdpRho(epsilon, 1e-9).value();
    EXPECT_NEAR(rho + 2 * std::sqrt(rho * std::log(1e9)), epsilon, 1e-12 * epsilon);
  }
  EXPECT_THAT(ZcdpRho(0, 1e-9).status().message(), HasSubstr("epsilon 0"));
  EXPECT_THAT(ZcdpRho(1, 2).status().message(), HasSubstr("delta 2"));
}

TEST(NoisyAnswersTest, NoiseIsTheGaussianMechanisms) {
  const at::Tensor data = Population(100);
  const auto family = SomeHalfSpaces();
  const std::vector<double> exact = Answers(*family, data);
  constexpr double kRho = 0.5;
  double squared = 0;
  for (int64_t trial = 0; trial < 500; ++trial) {
    squared += SquaredError(NoisyAnswers(*family, data, kRho, RandomStream(1, "noise").Child(trial)), exact);
  }
  // 20 answers of variance (20 / 100^2) / (2 rho).
  EXPECT_NEAR(squared / 500, 20 * 20 / 1e4 / (2 * kRho), 0.1 * 0.04);
}

TEST(PrivateGsdTest, MatchesEachFamilyAndReportsTheTrueError) {
  const at::Tensor data = Population(400);
  PrivateGsdOptions options;
  options.rows = 200;
  for (const auto& family : Families()) {
    const std::vector<double> targets = Answers(*family, data);
    const auto result = PrivateGsd(kColumns, *family, targets, options, RandomStream(1, "gsd")).value();
    EXPECT_TRUE(result.converged);
    EXPECT_NEAR(result.error, SquaredError(Answers(*family, result.dataset), targets), 1e-14);
    // 200 rows cannot be closer than rounding to 1/200 allows; a random dataset is far away.
    options.max_generations = 0;
    const auto random = PrivateGsd(kColumns, *family, targets, options, RandomStream(1, "gsd")).value();
    options.max_generations = 100000;
    EXPECT_LT(result.error, 1e-2 * random.error) << family->Count();
    EXPECT_EQ(random.generations, 0);
    for (int64_t column = 0; column < 4; ++column) {
      const at::Tensor cells = result.dataset.select(1, column);
      EXPECT_GE(cells.min().item<double>(), 0);
      EXPECT_LE(cells.max().item<double>(), column == 0 ? 2 : 1);
    }
  }
}

// With noise: closer to the data than the noisy answers' own independent columns would be.
TEST(PrivateGsdTest, KeepsCorrelationsUnderPrivacy) {
  const at::Tensor data = Population(2000);
  const auto pairs = MarginalQueries(kColumns, {{0, 1}});
  const double rho = ZcdpRho(1, 1e-6).value();
  const std::vector<double> targets = NoisyAnswers(*pairs, data, rho, RandomStream(1, "noise"));
  const auto result = PrivateGsd(kColumns, *pairs, targets, {}, RandomStream(1, "gsd")).value();
  const std::vector<double> exact = Answers(*pairs, data);
  std::vector<double> independent;
  const std::vector<double> single = Answers(*MarginalQueries(kColumns, {{0}, {1}}), data);
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 2; ++b) independent.push_back(single[a] * single[3 + b]);
  }
  EXPECT_LT(SquaredError(Answers(*pairs, result.dataset), exact), 0.1 * SquaredError(independent, exact));
}

TEST(PrivateGsdTest, IsAFunctionOfItsSeed) {
  const auto family = MarginalQueries(kColumns, {{0, 1}});
  const std::vector<double> targets = Answers(*family, Population(50));
  const auto run = [&](uint64_t seed) {
    return PrivateGsd(kColumns, *family, targets, {}, RandomStream(seed, "gsd")).value().dataset;
  };
  EXPECT_TRUE(at::equal(run(1), run(1)));
  EXPECT_FALSE(at::equal(run(1), run(2)));
}

TEST(PrivateGsdTest, SaysWhatIsWrong) {
  const auto family = MarginalQueries(kColumns, {{0, 1}});
  EXPECT_THAT(PrivateGsd(kColumns, *family, {0.5}, {}, RandomStream(1, "")).status().message(),
              HasSubstr("1 targets for 6 queries"));
  EXPECT_THAT(
      PrivateGsd(kColumns, *family, std::vector<double>(6), {0}, RandomStream(1, "")).status().message(),
      HasSubstr("rows 0"));
  EXPECT_ANY_THROW(MarginalQueries(kColumns, {{2}}));
}

}  // namespace
}  // namespace plumb
