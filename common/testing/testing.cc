#include "common/testing/testing.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace plumb {

namespace fs = std::filesystem;

std::string Runfile(const std::string& path) {
  const char* root = std::getenv("TEST_SRCDIR");
  return root == nullptr ? path : absl::StrCat(root, "/plumb/", path);
}

std::string SharedData(const std::string& path) {
  std::error_code error;
  std::vector<fs::path> roots;
  if (const char* shared = std::getenv("PLUMB_SHARED"); shared != nullptr && *shared != 0) {
    roots.push_back(shared);
  }
  // The runfile is a link into the checkout.
  roots.push_back(fs::canonical(Runfile("WORKSPACE"), error).parent_path() / ".." / "shared");
  for (const fs::path& root : roots) {
    const fs::path candidate = root / "data" / path;
    if (fs::exists(candidate, error)) return fs::canonical(candidate, error).string();
  }
  return "";
}

std::string TemporaryFolder() {
  std::string name = testing::TempDir() + "/plumb_test_XXXXXX";
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
  return name;
}

}  // namespace plumb
