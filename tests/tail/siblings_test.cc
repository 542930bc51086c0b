#include "tail/siblings.h"

#include "tail/log_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SiblingsTest : public testing::Test {
 protected:
  std::vector<std::string> names(const std::string& key = "0.log") {
    std::vector<std::string> found;
    for (const Sibling& sibling : open_siblings(dir / key).files) {
      found.push_back(std::filesystem::path(sibling.file->path()).filename().string() + (sibling.ordered ? "" : "?"));
    }
    return found;
  }
  static std::string text(InputFile& file) {
    std::string bytes(1000, '\0');
    auto got = file.read(0, bytes.data(), bytes.size());
    bytes.resize(got ? *got : 0);
    return bytes;
  }
  test::TempDir dir;
};

TEST_F(SiblingsTest, OldestFirst) {
  for (const char* name :
       {"0.log", "0.log.20240501-000002", "0.log.20240501-000001.gz", "1.log", "1.log.20240501-000000", "00.log.1"})
    dir.write(name, "x");
  EXPECT_THAT(names(), ElementsAre("0.log.20240501-000001.gz", "0.log.20240501-000002"));
  for (const char* name : {"syslog", "syslog.1", "syslog.10.gz", "syslog.2.gz"}) dir.write(name, "x");
  EXPECT_THAT(names("syslog"), ElementsAre("syslog.10.gz", "syslog.2.gz", "syslog.1"));
  EXPECT_THAT(names("none.log"), IsEmpty());
}

TEST_F(SiblingsTest, AFileBeforeItsCompressedCopyAndNothingUnfinished) {
  for (const char* name : {"0.log.1", "0.log.1.gz", "0.log.2.gz", "0.log.3.tmp", "0.log.bak", "0.log.old"}) dir.write(name, "x");
  EXPECT_THAT(names(), ElementsAre("0.log.2.gz", "0.log.1", "0.log.bak?", "0.log.old"));
}

TEST_F(SiblingsTest, WhatCannotBeReadIsNamed) {
  dir.write("0.log.1.zst", "x");
  EXPECT_EQ(open_siblings(dir / "0.log").trouble,
            "cannot read " + (dir / "0.log.1.zst") + ": of compressed files only .gz is read");
  std::filesystem::create_directories(dir / "0.log.2");
  EXPECT_THAT(names(), IsEmpty());  // a folder is none
}

TEST_F(SiblingsTest, NamesThatChangeMeanwhile) {
  // As logrotate shifts them: every look must see each file once and in order, wherever it falls.
  constexpr int kFiles = 6, kLooks = 300, kRotationsALook = 3;
  for (int i = kFiles; i > 0; --i) dir.write(fmt::format("0.log.{}", i), fmt::format("{}", 1000 - i));
  std::atomic<int> looks = 0, rotations = 0;
  std::thread rotator([&] {
    for (int rotation = 0; rotation < kLooks * kRotationsALook; rotations = ++rotation) {
      while (looks * kRotationsALook <= rotation) std::this_thread::yield();
      for (int i = kFiles; i > 0; --i)
        std::filesystem::rename(dir / fmt::format("0.log.{}", i), dir / fmt::format("0.log.{}", i + 1));
      dir.write("0.log.new.tmp", fmt::format("{}", 1000 + rotation));
      std::filesystem::rename(dir / "0.log.new.tmp", dir / "0.log.1");
      std::filesystem::remove(dir / fmt::format("0.log.{}", kFiles + 1));
    }
  });
  for (int look = 1; look <= kLooks; ++look) {
    while (rotations + 1 < (look - 1) * kRotationsALook) std::this_thread::yield();
    looks = look;
    int before = 0;
    const Siblings siblings = open_siblings(dir / "0.log");
    EXPECT_GE(siblings.files.size(), static_cast<std::size_t>(kFiles) - 1);
    for (const Sibling& sibling : siblings.files) {
      const int number = std::stoi(text(*sibling.file));
      if (before != 0) {
        EXPECT_EQ(number, before + 1) << "look " << look;
      }
      before = number;
    }
  }
  rotator.join();
}

TEST_F(SiblingsTest, TheNewestCopyThatBeginsAlikeAndHasTheSameBeforeThePlace) {
  const std::string read = "head\nfirst\n";
  const auto trace = [&](std::string_view text) { return Trace{5, record::fnv1a(text.substr(0, 5)), text.size(), text.substr(5)}; };
  dir.write("0.log.5", read + "of an older one\n");
  dir.write("0.log.4", read + "wanted\n");
  dir.write("0.log.3", "head\nother\nrest\n");
  dir.write("0.log.2", "head\n");
  write_gzip(dir / "0.log.1.gz", "tail\nfirst\n");
  const std::vector<Sibling> siblings = open_siblings(dir / "0.log").files;
  ASSERT_EQ(siblings.size(), 5U);
  EXPECT_EQ(find_copy(siblings, trace(read)), 1U);
  EXPECT_EQ(find_copy(siblings, trace("head\nnever\n")), siblings.size());
  EXPECT_EQ(find_copy(siblings, Trace{}), siblings.size());
  write_gzip(dir / "0.log.1.gz", read + "compressed\n");
  EXPECT_EQ(find_copy(open_siblings(dir / "0.log").files, trace(read)), 4U);
}

}  // namespace
}  // namespace weir::tail
