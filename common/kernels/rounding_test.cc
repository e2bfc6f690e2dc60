#include "common/kernels/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace plumb {
namespace {

TEST(RoundingTest, IsThatOfBFloat16) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (uint32_t high = 0; high < 1 << 16; ++high) {
    for (const uint32_t low : {0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF}) {
      const uint32_t bits = high << 16 | low;
      float value;
      std::memcpy(&value, &bits, sizeof(value));
      c10::BFloat16 own;
      Store(value, &own);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(Widen(own)));
      } else {
        EXPECT_EQ(own.x, c10::BFloat16(value).x) << value;
        EXPECT_EQ(Widen(own), static_cast<float>(own)) << value;
        EXPECT_EQ(RoundTo<c10::BFloat16>(value), Widen(own)) << value;
      }
    }
  }
  EXPECT_EQ(RoundTo<c10::BFloat16>(infinity), infinity);
  EXPECT_EQ(RoundTo<float>(0.1f), 0.1f);
  EXPECT_EQ(RoundTo<double>(0.1), 0.1);
}

}  // namespace
}  // namespace plumb
