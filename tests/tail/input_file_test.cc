#include "tail/input_file.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>

namespace weir::tail {
namespace {

std::string read(InputFile& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  auto got = file.read(offset, bytes.data(), size);
  EXPECT_TRUE(got) << got.error().message;
  bytes.resize(got ? *got : 0);
  return bytes;
}

void write_gzip(const std::string& path, std::string_view bytes) {
  gzFile file = ::gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(::gzclose(file), Z_OK);
}

TEST(InputFile, PlainIsReadByOffsetWhateverHappensToItsName) {
  test::TempDir dir;
  dir.write("a.log", "0123456789");
  auto file = std::move(*InputFile::open(dir / "a.log"));
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", "other");
  EXPECT_EQ(read(*file, 2, 3), "234");
  EXPECT_EQ(read(*file, 8, 10), "89");
  EXPECT_EQ(read(*file, 10, 10), "");
  EXPECT_EQ(file->status().links, 1U);
  std::filesystem::remove(dir / "a.log.1");
  EXPECT_EQ(file->status().links, 0U);
  EXPECT_EQ(file->status().size, 10U);
}

TEST(InputFile, GzipIsReadForwardsBackwardsAndGivenBack) {
  test::TempDir dir;
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + "\n";
  write_gzip(dir / "a.log.gz", text);
  auto file = std::move(*InputFile::open(dir / "a.log.gz"));
  EXPECT_TRUE(file->gzipped());
  EXPECT_EQ(read(*file, 0, 4), "0\n1\n");
  EXPECT_EQ(read(*file, 100'000, 50), text.substr(100'000, 50));
  file->give_back(100'030, text.substr(100'030, 20));
  EXPECT_EQ(read(*file, 100'030, 5), text.substr(100'030, 5));
  EXPECT_EQ(read(*file, 100'035, 40), text.substr(100'035, 40));
  EXPECT_EQ(read(*file, 10, 10), text.substr(10, 10));
  EXPECT_EQ(read(*file, text.size() - 3, 10), text.substr(text.size() - 3));
  EXPECT_EQ(read(*file, text.size(), 10), "");
}

TEST(InputFile, NameDoesNotMakeAGzipFile) {
  test::TempDir dir;
  dir.write("a.log.gz", "plain after all");
  auto file = std::move(*InputFile::open(dir / "a.log.gz"));
  EXPECT_FALSE(file->gzipped());
  EXPECT_EQ(read(*file, 0, 5), "plain");
}

TEST(InputFile, RefusesWhatIsNoFile) {
  test::TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(InputFile::open(dir / "pipe"));
  EXPECT_FALSE(InputFile::open(dir.path().string()));
  const auto absent = InputFile::open(dir / "absent");
  ASSERT_FALSE(absent);
  EXPECT_TRUE(absent.error().message.ends_with(": No such file or directory")) << absent.error().message;
}

TEST(Identity, SameFileByInodeAndHead) {
  test::TempDir dir;
  const std::string head(2000, 'x');
  dir.write("a.log", head + "tail");
  auto file = std::move(*InputFile::open(dir / "a.log"));
  auto identity = std::move(*file->identify(1024, 0));
  EXPECT_EQ(identity.head_size, 1024U);
  EXPECT_EQ(identity.inode, file->inode());
  EXPECT_TRUE(*file->is(identity, false));
  EXPECT_TRUE(*file->is(identity, true));

  auto reused = identity;  // the same inode, another file
  reused.head_hash ^= 1;
  EXPECT_FALSE(*file->is(reused, false));
  auto copied = identity;
  copied.inode += 1;
  EXPECT_FALSE(*file->is(copied, false));
  EXPECT_TRUE(*file->is(copied, true));
  auto moved = identity;  // the device changes at boot
  moved.device += 1;
  EXPECT_TRUE(*file->is(moved, false));

  dir.write("short.log", "xx");
  auto shorter = std::move(*InputFile::open(dir / "short.log"));
  identity.inode = shorter->inode();
  EXPECT_FALSE(*shorter->is(identity, false));
}

TEST(Identity, CheckTellsFilesWithTheSameHeadApart) {
  test::TempDir dir;
  const std::string banner(1024, '#');
  dir.write("a.log", banner + std::string(500, 'a'));
  dir.write("b.log", banner + std::string(500, 'b'));
  auto a = std::move(*InputFile::open(dir / "a.log"));
  auto b = std::move(*InputFile::open(dir / "b.log"));
  const auto identity = std::move(*a->identify(1024, 1500));
  EXPECT_EQ(identity.check_end, 1500U);
  EXPECT_TRUE(*a->is(identity, true));
  EXPECT_FALSE(*b->is(identity, true));
  const auto beyond = std::move(*a->identify(1024, 9999));
  EXPECT_EQ(beyond.check_end, 0U);
}

TEST(Identity, AnEmptyHeadMatchesByInodeOnly) {
  test::TempDir dir;
  dir.write("a.log", "");
  dir.write("b.log", "");
  auto a = std::move(*InputFile::open(dir / "a.log"));
  auto b = std::move(*InputFile::open(dir / "b.log"));
  const auto identity = std::move(*a->identify(0, 0));
  EXPECT_TRUE(*a->is(identity, false));
  EXPECT_FALSE(*b->is(identity, false));
  EXPECT_FALSE(*b->is(identity, true));
}

}  // namespace
}  // namespace weir::tail
