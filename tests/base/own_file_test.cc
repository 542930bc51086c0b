#include "base/own_file.h"

#include "base/text_file.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>

namespace weir::base {
namespace {

namespace fs = std::filesystem;

class OwnFile : public testing::Test {
 protected:
  // What is said of it, by whoever asks, opens, reads or replaces it.
  void expect_refused(const std::string& name, const std::string& cause) const {
    const std::string path = dir_ / name;
    const auto asked = replaceable(path, "use it");
    ASSERT_FALSE(asked) << name;
    EXPECT_EQ(asked.error().message, "cannot use it: " + cause);
    EXPECT_EQ(asked.error().code, Code::io);
    EXPECT_FALSE(asked.error().hint.empty());
    const auto opened = open_own(path, O_RDWR, "open it");
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().message, "cannot open it: " + cause);
    const auto read = read_own_file(path, "it");
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().message, "cannot read it: " + cause);
    const auto replaced = replace_text_file(path, "text");
    ASSERT_FALSE(replaced) << name;
    EXPECT_EQ(replaced.error().message, "cannot replace '" + path + "': " + cause);
  }
  test::TempDir dir_;
};

TEST_F(OwnFile, MayBeMissingOrRegular) {
  EXPECT_EQ(replaceable(dir_ / "new", "use it").value(), dir_ / "new");
  const auto missing = open_own(dir_ / "new", O_RDONLY, "open it");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().system, ENOENT);
  dir_.write("there", "text");
  EXPECT_EQ(replaceable(dir_ / "there", "use it").value(), dir_ / "there");
  EXPECT_EQ(read_own_file(dir_ / "there", "it").value(), "text");
}

TEST_F(OwnFile, IsWhatALinkLeadsTo) {
  fs::create_directory(dir_ / "folder");
  fs::create_symlink("folder/file", dir_ / "link");
  fs::create_symlink(dir_ / "link", dir_ / "second");
  EXPECT_EQ(replaceable(dir_ / "second", "use it").value(), dir_ / "folder/file");
  for (const char* const text : {"one", "two"}) {
    ASSERT_TRUE(replace_text_file(dir_ / "second", text));
    EXPECT_EQ(dir_.read("folder/file"), text);
    EXPECT_EQ(read_own_file(dir_ / "second", "it").value(), text);
  }
  EXPECT_TRUE(fs::is_symlink(dir_ / "second"));
  EXPECT_TRUE(fs::is_symlink(dir_ / "link"));

  fs::create_symlink("ring", dir_ / "ring");
  const auto ring = replaceable(dir_ / "ring", "use it");
  ASSERT_FALSE(ring);
  EXPECT_EQ(ring.error().system, ELOOP);
}

// Without anybody at its other end: opening it would wait for ever.
TEST_F(OwnFile, IsNoFifo) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  expect_refused("fifo", "it is a FIFO");
  fs::create_symlink("fifo", dir_ / "link");
  expect_refused("link", "it leads to '" + (dir_ / "fifo") + "', which is a FIFO");
  EXPECT_TRUE(fs::is_fifo(dir_ / "fifo"));
}

TEST_F(OwnFile, IsNoFolder) {
  fs::create_directory(dir_ / "folder");
  expect_refused("folder", "it is a folder");
}

TEST_F(OwnFile, IsNoDevice) {
  if (::mknod((dir_ / "device").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) GTEST_SKIP() << "devices cannot be made here";
  expect_refused("device", "it is a character device");
  EXPECT_TRUE(fs::is_character_file(dir_ / "device"));
}

}  // namespace
}  // namespace weir::base
