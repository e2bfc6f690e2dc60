#include "common/testing/mutate.h"

#include <gtest/gtest.h>

#include <set>

namespace plumb {
namespace {

const std::string& Original() {
  static const std::string original(200, 'a');
  return original;
}

TEST(MutateTest, TheSameSeedGivesTheSameDamage) {
  for (int seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(Mutate(Original(), seed).bytes, Mutate(Original(), seed).bytes);
  }
}

TEST(MutateTest, EveryKindComesUp) {
  std::set<std::string> kinds;
  int shorter = 0, longer = 0;
  for (int seed = 0; seed < 200; ++seed) {
    const Mutation mutation = Mutate(Original(), seed);
    kinds.insert(mutation.what.substr(0, mutation.what.find(' ')));
    shorter += mutation.bytes.size() < Original().size();
    longer += mutation.bytes.size() > Original().size();
  }
  EXPECT_EQ(kinds,
            (std::set<std::string>{"copy", "cut", "delete", "duplicate", "flip", "insert", "replace"}));
  EXPECT_GT(shorter, 30);
  EXPECT_GT(longer, 30);
}

TEST(MutateTest, WhatLiesBehindTheWindowStays) {
  const std::string tail(10, 'z');
  for (int seed = 0; seed < 200; ++seed) {
    const Mutation mutation = Mutate(Original() + tail, seed, Original().size());
    if (mutation.what.substr(0, 3) == "cut") continue;
    EXPECT_EQ(mutation.bytes.substr(mutation.bytes.size() - tail.size()), tail) << mutation.what;
  }
}

TEST(MutateTest, ForEachGoesThroughTheSeeds) {
  int seed = 0;
  ForEachMutation(Original(), 20,
                  [&](const std::string& bytes) { EXPECT_EQ(bytes, Mutate(Original(), seed++).bytes); });
  EXPECT_EQ(seed, 20);
}

TEST(MutateTest, NothingToDamage) { EXPECT_EQ(Mutate("", 1).bytes, ""); }

}  // namespace
}  // namespace plumb
