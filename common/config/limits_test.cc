#include "common/config/limits.h"

#include <gtest/gtest.h>

#include "common/config/sample_recipe.pb.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(LimitsTest, BoundsAreKeptExactly) {
  const auto hidden_size_is_valid = [](int value) {
    SampleNewModel model;
    model.set_hidden_size(value);
    return CheckLimits(model).ok();
  };
  EXPECT_FALSE(hidden_size_is_valid(0));
  EXPECT_TRUE(hidden_size_is_valid(1));
  EXPECT_TRUE(hidden_size_is_valid(65536));
  EXPECT_FALSE(hidden_size_is_valid(65537));

  const auto smoothing_is_valid = [](double value) {
    SampleDpo dpo;
    dpo.set_label_smoothing(value);
    return CheckLimits(dpo).ok();
  };
  EXPECT_FALSE(smoothing_is_valid(-1e-300));
  EXPECT_TRUE(smoothing_is_valid(0));
  EXPECT_TRUE(smoothing_is_valid(0.49999999));
  EXPECT_FALSE(smoothing_is_valid(0.5));
}

TEST(LimitsTest, SaysWhatIsWrong) {
  SampleDpo dpo;
  dpo.set_beta(-2);
  EXPECT_EQ(CheckLimits(dpo).message(), "beta: -2 is out of range: must be above 0 (default: 0.1)");
}

TEST(LimitsTest, DeclarationsThemselvesAreChecked) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*SampleRecipe::descriptor()));
  const struct {
    const google::protobuf::Descriptor* type;
    const char* error;
  } cases[] = {
      {RangeOnString::descriptor(), "plumb.RangeOnString.name: only numbers have a range"},
      {DefaultBeyondLimits::descriptor(), "plumb.DefaultBeyondLimits.beta: the default 0 is not above 0"},
      {NoValueLeft::descriptor(), "plumb.NoValueLeft.beta: leaves no value"},
      {RequiredWithDefault::descriptor(), "plumb.RequiredWithDefault.name: is required and has a default"},
      {ImpliedNumber::descriptor(), "plumb.ImpliedNumber.steps: only a message can be implied"},
      {MinAndAbove::descriptor(), "plumb.MinAndAbove.steps: min and above are one too many"},
      {HoldsAWrongOne::descriptor(), "plumb.NoValueLeft.beta: leaves no value"},
  };
  for (const auto& wrong : cases) EXPECT_EQ(CheckLimitDeclarations(*wrong.type).message(), wrong.error);
}

}  // namespace
}  // namespace plumb
