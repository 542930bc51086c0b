#include "spool/recent_file.h"

#include "spool/checksum.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace weir::spool {
namespace {

constexpr std::uint64_t kSpool = 0x1234;
constexpr std::size_t kSlot = 1 << 20;

class RecentFileTest : public testing::Test {
 protected:
  std::string path() const { return dir_ / "recent"; }
  std::string read(std::uint64_t spool = kSpool) const { return RecentFile::read(path(), spool); }

  std::string bytes() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void set_bytes(const std::string& bytes) const { std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes; }

  test::TempDir dir_;
};

TEST_F(RecentFileTest, KeepsWhatWasWrittenLast) {
  RecentFile file(path(), kSpool);
  for (const std::string& content :
       {std::string("one"), std::string("the second is longer"), std::string(), std::string(300'000, 'x'), std::string("5")}) {
    ASSERT_TRUE(file.write(content));
    EXPECT_EQ(read(), content);
  }
  // The next process goes on behind it.
  RecentFile next(path(), kSpool);
  EXPECT_EQ(read(), "5");
  ASSERT_TRUE(next.write("six"));
  EXPECT_EQ(read(), "six");
}

TEST_F(RecentFileTest, IsOursAlone) {
  RecentFile file(path(), kSpool);
  ASSERT_TRUE(file.write("x"));
  struct stat status = {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RecentFileTest, AWriteThatWasCutLeavesTheOneBefore) {
  RecentFile file(path(), kSpool);
  ASSERT_TRUE(file.write("first"));
  ASSERT_TRUE(file.write("second"));
  std::string cut = bytes();
  ASSERT_EQ(cut.substr(40, 6), "second");
  cut[45] = '?';
  set_bytes(cut);
  EXPECT_EQ(read(), "first");
  cut[kSlot + 40] = '?';
  set_bytes(cut);
  EXPECT_EQ(read(), "");
}

TEST_F(RecentFileTest, MeansNothingToOthers) {
  RecentFile file(path(), kSpool);
  ASSERT_TRUE(file.write("first"));
  EXPECT_EQ(read(kSpool + 1), "");
  EXPECT_EQ(RecentFile::read(dir_ / "absent", kSpool), "");

  // As an earlier boot of the machine would have left it: whole, with another boot's name.
  std::string earlier = bytes();
  ASSERT_EQ(earlier.substr(kSlot + 40, 5), "first");
  earlier[kSlot + 16] = static_cast<char>(earlier[kSlot + 16] ^ 1);
  const std::uint64_t checksum = xxh64(std::string_view(earlier).substr(kSlot + 8, 32 + 5), kSpool);
  std::memcpy(&earlier[kSlot], &checksum, 8);
  set_bytes(earlier);
  EXPECT_EQ(read(), "");
  earlier[kSlot + 16] = static_cast<char>(earlier[kSlot + 16] ^ 1);
  const std::uint64_t again = xxh64(std::string_view(earlier).substr(kSlot + 8, 32 + 5), kSpool);
  std::memcpy(&earlier[kSlot], &again, 8);
  set_bytes(earlier);
  EXPECT_EQ(read(), "first");
}

TEST_F(RecentFileTest, SaysWhenItCannotKeepSomething) {
  RecentFile file(path(), kSpool);
  ASSERT_TRUE(file.write("kept"));
  EXPECT_FALSE(file.write(std::string(RecentFile::kMost + 1, 'x')));
  EXPECT_EQ(read(), "kept");
  EXPECT_FALSE(RecentFile(dir_ / "no/such/folder", kSpool).write("x"));
}

}  // namespace
}  // namespace weir::spool
