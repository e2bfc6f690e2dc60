#ifndef PLUMB_COMMON_TESTING_TESTING_H_
#define PLUMB_COMMON_TESTING_TESTING_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// A file of the workspace that the test's `data` names, e.g. "common/nn/testdata/llama/config.json".
std::string Runfile(const std::string& path);

// A path within the real data that may lie beside a checkout (../shared/data, or $PLUMB_SHARED/data); empty
// when it is not there.
std::string SharedData(const std::string& path);

// A fresh folder of this test's own.
std::string TemporaryFolder();

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace plumb

#define PLUMB_EXPECT_OK(expression) EXPECT_EQ(::plumb::StatusOf(expression), absl::OkStatus())
#define PLUMB_ASSERT_OK(expression) ASSERT_EQ(::plumb::StatusOf(expression), absl::OkStatus())

// Ends the test as skipped when the real data is not beside the checkout.
#define PLUMB_REQUIRE_SHARED_DATA(path) \
  if (::plumb::SharedData(path).empty()) GTEST_SKIP() << "skipped: shared/data/" << path << " is not there"

#endif  // PLUMB_COMMON_TESTING_TESTING_H_
