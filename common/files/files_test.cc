#include "common/files/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

std::string Temporary(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/files_test_", getpid(), "_", name);
}

TEST(FilesTest, WritesAndReadsBack) {
  const std::string path = Temporary("plain");
  ASSERT_TRUE(WriteFileAtomically(path, std::string("one\0two", 7)).ok());
  EXPECT_EQ(ReadFile(path).value(), std::string("one\0two", 7));
  ASSERT_TRUE(WriteFileAtomically(path, "three").ok());
  EXPECT_EQ(ReadFile(path).value(), "three");
  ASSERT_TRUE(AppendToFile(path, "four").ok());
  EXPECT_EQ(ReadFile(path).value(), "threefour");
}

TEST(FilesTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const std::string path = Temporary("kept");
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  const auto failing = [](int fd) {
    EXPECT_TRUE(WriteAll(fd, "half", "x").ok());
    return absl::InternalError("stop");
  };
  EXPECT_FALSE(WriteFileAtomically(path, failing).ok());
  EXPECT_EQ(ReadFile(path).value(), "old");
  EXPECT_FALSE(ExpandGlob(path + ".tmp*").ok());
}

TEST(FilesTest, AFullDeviceIsNamed) {
  const absl::Status status = AppendToFile("/dev/full", "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "cannot write /dev/full: No space left on device");
}

TEST(FilesTest, AFolderIsReplacedAsAWhole) {
  const std::string path = Temporary("folder");
  const auto fill = [](const std::string& text) {
    return [text](const std::string& folder) { return WriteFileAtomically(folder + "/" + text, text); };
  };
  ASSERT_TRUE(WriteFolderAtomically(path, fill("a")).ok());
  ASSERT_TRUE(WriteFolderAtomically(path + "/", fill("b")).ok());
  EXPECT_FALSE(FileExists(path + "/a"));
  EXPECT_EQ(ReadFile(path + "/b").value(), "b");
  const auto failing = [](const std::string& folder) {
    EXPECT_TRUE(WriteFileAtomically(folder + "/c", "c").ok());
    return absl::InternalError("stop");
  };
  EXPECT_FALSE(WriteFolderAtomically(path, failing).ok());
  EXPECT_EQ(ReadFile(path + "/b").value(), "b");
  EXPECT_EQ(ExpandGlob(path + "*").value(), std::vector<std::string>{path});
}

TEST(FilesTest, WhatIsNotThereIsNamed) {
  EXPECT_EQ(ReadFile("/no/such").status().message(), "cannot open /no/such: No such file or directory");
  EXPECT_EQ(ReadFile("/tmp").status().message(), "cannot read /tmp: Is a directory");
  EXPECT_EQ(ExpandGlob("/no/*.such").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace plumb
