#include "common/program/nearest_name.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(NearestNameTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("beta", "bta"), 1);
  EXPECT_EQ(EditDistance("beta", "bteaa"), 2);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("max_steps", "max_setps"), 1);
  EXPECT_EQ(EditDistance("Max-Steps", "max_steps"), 0);
}

TEST(NearestNameTest, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"max_steps", "num_train_epochs", "save_steps", "max_grad_norm"};
  EXPECT_EQ(NearestName("max_step", names), "max_steps");
  EXPECT_EQ(NearestName("max-steps", names), "max_steps");
  EXPECT_EQ(NearestName("epochs", names), "num_train_epochs");
  EXPECT_EQ(NearestName("steps", names), "") << "two names have that part";
  EXPECT_EQ(NearestName("zebra", names), "");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName(std::string(100000, 'x'), names), "");
}

TEST(NearestNameTest, ListsAllWhenNothingIsNear) {
  EXPECT_EQ(SuggestName("betta", {"alpha", "beta"}), "; did you mean 'beta'?");
  EXPECT_EQ(SuggestName("zebra", {"alpha", "beta"}), "; valid are alpha, beta");
  EXPECT_EQ(SuggestName("zebra", {}), "");
}

}  // namespace
}  // namespace plumb
