#include "alignment/content_hash.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <set>

namespace plumb {
namespace {

template <typename... Parts>
std::string HashOf(const Parts&... parts) {
  ContentHash hash;
  (hash.Add(parts), ...);
  return hash.Hex();
}

TEST(ContentHash, IsAFunctionOfContentOrderAndBoundaries) {
  const at::Tensor tensor = at::arange(12, at::kFloat);
  const std::set<std::string> hashes = {
      HashOf(absl::string_view("ab"), absl::string_view("c")),
      HashOf(absl::string_view("a"), absl::string_view("bc")),
      HashOf(absl::string_view("c"), absl::string_view("ab")),
      HashOf(absl::string_view("")),
      HashOf(std::vector<int64_t>{1, 2}),
      HashOf(std::vector<int64_t>{2, 1}),
      HashOf(tensor),
      HashOf(tensor.reshape({3, 4})),
      HashOf(tensor.to(at::kDouble)),
  };
  EXPECT_EQ(hashes.size(), 9);
  EXPECT_EQ(HashOf(tensor), HashOf(tensor.clone()));
  EXPECT_EQ(HashOf(tensor.reshape({3, 4}).t()), HashOf(tensor.reshape({3, 4}).t().contiguous()));
}

TEST(ContentHash, SeesALastByteBeyondTheFirstPiece) {
  std::string bytes(3000000, 'x');
  const std::string before = HashOf(absl::string_view(bytes));
  bytes.back() = 'y';
  EXPECT_NE(HashOf(absl::string_view(bytes)), before);
}

}  // namespace
}  // namespace plumb
