#include "alignment/reference_cache.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

class ReferenceCacheTest : public testing::Test {
 protected:
  ReferenceCacheTest() : pairs_(1) {
    pairs_[0].prompt_ids = {1, 2};
    pairs_[0].chosen_ids = {3, 4};
    pairs_[0].rejected_ids = {5};
  }

  absl::StatusOr<ReferenceLogps> Get(const std::string& model_hash, bool with_rejected = true) {
    return CachedReferenceLogps(
        folder_, model_hash, pairs_, with_rejected, [&]() -> absl::StatusOr<ReferenceLogps> {
          ++computed_;
          return ReferenceLogps{at::tensor({-1.5f, -2.25f}),
                                with_rejected ? at::tensor({-0.125f}) : at::zeros({0}, at::kFloat)};
        });
  }

  std::string OnlyFile() {
    const auto files = ExpandGlob(folder_ + "/*.safetensors");
    EXPECT_TRUE(files.ok() && files->size() == 1);
    return files.ok() ? files->front() : "";
  }

  std::string folder_ = TemporaryFolder() + "/reference_cache";
  std::vector<TokenizedPreference> pairs_;
  int computed_ = 0;
};

TEST_F(ReferenceCacheTest, ComputesOnce) {
  for (int i = 0; i < 2; ++i) {
    const auto logps = Get("model");
    PLUMB_ASSERT_OK(logps);
    EXPECT_TRUE(logps->chosen_token_logps.equal(at::tensor({-1.5f, -2.25f})));
    EXPECT_TRUE(logps->rejected_token_logps.equal(at::tensor({-0.125f})));
  }
  EXPECT_EQ(computed_, 1);
}

TEST_F(ReferenceCacheTest, OtherModelsTokensAndNeedsAreOtherEntries) {
  PLUMB_ASSERT_OK(Get("model"));
  PLUMB_ASSERT_OK(Get("another model"));
  PLUMB_ASSERT_OK(Get("model", /*with_rejected=*/false));
  std::swap(pairs_[0].prompt_ids[0], pairs_[0].chosen_ids[0]);
  PLUMB_ASSERT_OK(Get("model"));
  EXPECT_EQ(computed_, 4);
}

TEST_F(ReferenceCacheTest, DamagedFilesAreMadeAgain) {
  PLUMB_ASSERT_OK(Get("model"));
  const std::string path = OnlyFile(), good = *ReadFile(path);
  int expected = 1;
  for (size_t at : {size_t{0}, size_t{20}, good.size() - 1}) {
    std::string damaged = good;
    damaged[at] ^= 0x40;
    PLUMB_ASSERT_OK(WriteFileAtomically(path, damaged));
    const auto logps = Get("model");
    PLUMB_ASSERT_OK(logps);
    EXPECT_EQ(computed_, ++expected) << "byte " << at;
    EXPECT_EQ(*ReadFile(path), good);
  }
  PLUMB_ASSERT_OK(WriteFileAtomically(path, good.substr(0, good.size() / 2)));
  PLUMB_ASSERT_OK(Get("model"));
  EXPECT_EQ(computed_, ++expected);
}

TEST_F(ReferenceCacheTest, AFailureIsNotKept) {
  const auto failed =
      CachedReferenceLogps(folder_, "model", pairs_, true, [] { return absl::CancelledError("stopped"); });
  EXPECT_EQ(failed.status(), absl::CancelledError("stopped"));
  PLUMB_ASSERT_OK(Get("model"));
  EXPECT_EQ(computed_, 1);
}

}  // namespace
}  // namespace plumb
