#include "base/path.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Path, FoldersAndNames) {
  const auto f = [](std::string_view path, std::string_view folder, std::string_view name) {
    EXPECT_EQ(folder_of(path), folder) << path;
    EXPECT_EQ(base_name(path), name) << path;
  };
  f("/a/b.log", "/a", "b.log");
  f("/a/b/", "/a", "b");
  f("/a", "/", "a");
  f("/", "/", "/");
  f("a", ".", "a");
  f("a/b", "a", "b");
  f("", ".", "");
}

TEST(Path, Joining) {
  EXPECT_EQ(join_path("/a", "b"), "/a/b");
  EXPECT_EQ(join_path("/", "b"), "/b");
}

TEST(Path, Absolute) {
  EXPECT_EQ(absolute_path("/a//b/../c/./d/"), "/a/c/d");
  EXPECT_EQ(absolute_path("/"), "/");
  EXPECT_TRUE(absolute_path("x.log").ends_with("/x.log"));
}

}  // namespace
}  // namespace weir::base
