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

TEST(InputFile, ParkedItIsOpenedAgainUnderWhateverNameItHas) {
  test::TempDir dir;
  dir.write("a.log", "0123456789");
  auto file = std::move(*InputFile::open(dir / "a.log"));
  ASSERT_TRUE(file->park());
  EXPECT_FALSE(file->park());
  EXPECT_EQ(file->status().size, 10U);
  EXPECT_FALSE(file->holding().deleted);
  EXPECT_EQ(read(*file, 2, 3), "234");
  EXPECT_FALSE(file->parked());
  ASSERT_TRUE(file->park());
  std::filesystem::rename(dir / "a.log", dir / "b");
  dir.write("a.log", "another file");
  EXPECT_EQ(file->status().links, 1U);
  EXPECT_EQ(read(*file, 8, 10), "89");
  // Rotated before it was read: nobody may take its descriptor.
  file->set_place(5);
  file->set_rotated();
  EXPECT_FALSE(file->park());
  file->set_place(10);
  EXPECT_TRUE(file->park());
  // Gone meanwhile: what is known of it is told.
  dir.write("b", "more", true);
  file->note_size(14);
  std::filesystem::remove(dir / "b");
  char byte = 0;
  EXPECT_FALSE(file->read(10, &byte, 1));
  ASSERT_TRUE(file->given_up());
  EXPECT_EQ(file->given_up()->size, 14U);
  EXPECT_EQ(file->status().links, 0U);
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

TEST(InputFile, GzipMembersOneAfterTheOther) {
  test::TempDir dir;
  write_gzip(dir / "a.gz", "one\n");
  write_gzip(dir / "b.gz", "two\n");
  dir.write("both.gz", dir.read("a.gz") + dir.read("b.gz") + std::string(512, '\0'));  // with padding
  auto file = std::move(*InputFile::open(dir / "both.gz"));
  EXPECT_EQ(read(*file, 0, 100), "one\ntwo\n");
  EXPECT_EQ(read(*file, 8, 100), "");
}

TEST(InputFile, DamagedGzipGivesWhatStandsBeforeTheDamage) {
  test::TempDir dir;
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919) + "\n";
  write_gzip(dir / "whole.gz", text);
  const std::string whole = dir.read("whole.gz");
  std::string bad = whole;
  bad[bad.size() / 2] ^= 0x55;
  for (const std::string& bytes : {whole.substr(0, whole.size() / 2), bad}) {
    dir.write("bad.gz", bytes);
    auto file = std::move(*InputFile::open(dir / "bad.gz"));
    std::string got;
    while (true) {
      std::string block(10'000, '\0');
      auto size = file->read(got.size(), block.data(), block.size());
      if (!size) break;
      ASSERT_GT(*size, 0U) << "the end came without an error";
      got += block.substr(0, *size);
    }
    // What is damaged may look right for a while; what stands before it is right.
    EXPECT_TRUE(got.starts_with(text.substr(0, text.size() / 3))) << got.size();
    // It can be read again from the start.
    EXPECT_EQ(read(*file, 0, 4), text.substr(0, 4));
  }
}

TEST(InputFile, WhetherACompressedFileHoldsATextOfASize) {
  test::TempDir dir;
  write_gzip(dir / "a.gz", std::string(1000, 'x'));
  auto file = std::move(*InputFile::open(dir / "a.gz"));
  EXPECT_TRUE(file->holds_text_of(1000));
  EXPECT_FALSE(file->holds_text_of(999));
}

TEST(InputFile, HoldingIsWhatWasNotRead) {
  test::TempDir dir;
  dir.write("a.log", std::string(1000, 'x'));
  auto file = std::move(*InputFile::open(dir / "a.log"));
  EXPECT_FALSE(file->holding().deleted);
  file->set_place(300);
  std::filesystem::remove(dir / "a.log");
  EXPECT_TRUE(file->holding().deleted);
  EXPECT_EQ(file->holding().unread, 700U);
}

TEST(InputFile, GivenUpItIsClosedAndStillKnown) {
  test::TempDir dir;
  dir.write("a.log", std::string(2000, 'x') + "tail");
  std::shared_ptr<InputFile> file = std::move(*InputFile::open(dir / "a.log"));
  const auto identity = *file->identify(1024, 0);
  std::filesystem::remove(dir / "a.log");
  EXPECT_FALSE(file->given_up());
  file->give_up("why", nullptr);
  ASSERT_TRUE(file->given_up());
  EXPECT_EQ(file->given_up()->size, 2004U);
  EXPECT_EQ(file->given_up()->cause, "why");
  file->give_up("again", nullptr);
  EXPECT_EQ(file->given_up()->cause, "why");
  char byte = 0;
  EXPECT_FALSE(file->read(0, &byte, 1));
  EXPECT_EQ(*file->identify(1024, 0), identity);
  EXPECT_EQ(file->status().size, 2004U);
  EXPECT_EQ(file->holding().unread, 0U);
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
