#include "common/statistics/student.h"

#include <gtest/gtest.h>

#include <cmath>

namespace plumb {
namespace {

TEST(MeanInterval, IsStudents) {
  // Mean 2, standard error 1 / sqrt(3), t(2) = 4.3027.
  const Interval interval = MeanInterval({1, 2, 3});
  EXPECT_DOUBLE_EQ(interval.mean, 2);
  EXPECT_NEAR(interval.high - 2, 4.3027 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(2 - interval.low, 4.3027 / std::sqrt(3.0), 1e-9);
}

TEST(StudentQuantile, GoesOnWhereTheTableEnds) {
  EXPECT_NEAR(StudentQuantile(1), 12.7062, 1e-4);
  EXPECT_NEAR(StudentQuantile(30), 2.0423, 1e-4);
  EXPECT_NEAR(StudentQuantile(31), 2.0395, 1e-4);
  EXPECT_NEAR(StudentQuantile(1000), 1.9623, 1e-4);
}

}  // namespace
}  // namespace plumb
