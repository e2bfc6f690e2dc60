#include "common/tensor/shape.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/tensor/dtype.h"

namespace plumb {
namespace {

TEST(ShapeTest, Prints) {
  EXPECT_EQ(ShapeString({64, 32}), "[64, 32]");
  EXPECT_EQ(ShapeString({}), "[]");
  EXPECT_EQ(ShapeString({kAny, 3}), "[*, 3]");
}

TEST(ShapeTest, SaysWhatItIsAndWhatItShouldBe) {
  const at::Tensor tensor = at::zeros({64, 32});
  EXPECT_TRUE(CheckShape("w", tensor, {64, 32}).ok());
  EXPECT_TRUE(CheckShape("w", tensor, {64, kAny}).ok());
  EXPECT_EQ(CheckShape("q_proj.weight", tensor, {64, 48}).message(),
            "q_proj.weight: shape [64, 32], expected [64, 48]");
  EXPECT_EQ(CheckShape("w", tensor, {kAny}).message(), "w: shape [64, 32], expected [*]");
  EXPECT_EQ(CheckShape("w", at::zeros({}), {1}).message(), "w: shape [], expected [1]");
  EXPECT_EQ(CheckShape("w", at::Tensor(), {1}).message(), "w: missing, expected a tensor of shape [1]");
}

TEST(ShapeTest, SaysWhichDtype) {
  const at::Tensor tensor = at::zeros({1}, at::kHalf);
  EXPECT_TRUE(CheckDtype("w", tensor, at::kHalf).ok());
  EXPECT_EQ(CheckDtype("w", tensor, at::kBFloat16).message(), "w: dtype float16, expected bfloat16");
  EXPECT_EQ(CheckDtype("w", at::Tensor(), at::kBool).message(),
            "w: missing, expected a tensor of dtype bool");
}

TEST(DtypeTest, NamesAreThoseOfConfigJson) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble, at::kLong, at::kBool}) {
    EXPECT_EQ(ParseDtype(DtypeName(dtype)).value(), dtype);
  }
  EXPECT_EQ(ParseDtype("torch.bfloat16").value(), at::kBFloat16);
  EXPECT_EQ(ParseDtype("fp8").status().message(),
            "unknown dtype \"fp8\": expected float32, bfloat16, float16 or float64");
}

}  // namespace
}  // namespace plumb
