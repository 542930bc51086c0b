#include "tail/lag.h"

#include "tail/log_harness.h"
#include "tail/resume.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::tail {
namespace {

constexpr base::Timestamp kTen = 1714557600 * base::kSecond;  // 2024-05-01T10:00:00Z

std::string at(int second, std::string_view text, std::string_view stream = "stdout", char tag = 'F') {
  return fmt::format("2024-05-01T10:00:{:02}Z {} {} {}\n", second, stream, tag, text);
}

// A log is read up to somewhere, and then its files change.
class LagTest : public testing::Test, protected LogHarness {
 protected:
  record::Generation known(std::uint32_t number, std::string_view name = "0.log", bool done = false) {
    record::Generation generation;
    generation.number = number;
    generation.file = *(*InputFile::open(dir / std::string(name)))->identify(record::kHeadBytes, 0);
    generation.done = done;
    return generation;
  }
  record::LogPosition read_to(std::uint64_t offset) { return {{known(1)}, {1, offset}, {{1, offset}, {1, offset}}, {}}; }
  Lag lag(const record::LogPosition& position) { return lag_of(dir / "0.log", position, clock); }
  void rename(const char* from, const char* to) { std::filesystem::rename(dir / from, dir / to); }

  test::TempDir dir;
};

TEST_F(LagTest, NothingIsUnread) {
  dir.write("0.log", at(1, "one"));
  const Lag found = lag(read_to(at(1, "one").size()));
  EXPECT_EQ(found.bytes, 0U);
  EXPECT_EQ(found.files, 0U);
  EXPECT_EQ(found.oldest, 0);
  EXPECT_EQ(found.gone, 0U);
  EXPECT_EQ(found.trouble, "");
}

TEST_F(LagTest, TheFirstUnreadLineTellsTheAge) {
  dir.write("0.log", at(1, "one") + at(2, "two") + at(3, "three"));
  const Lag found = lag(read_to(at(1, "one").size()));
  EXPECT_EQ(found.bytes, (at(2, "two") + at(3, "three")).size());
  EXPECT_EQ(found.oldest, kTen + 2 * base::kSecond);
  EXPECT_FALSE(found.by_file);
  EXPECT_EQ(found.behind(kTen + 12 * base::kSecond), 10 * base::kSecond);
}

TEST_F(LagTest, OverRotationsAndCompression) {
  dir.write("0.log", at(1, "one") + at(2, "two"));
  const record::LogPosition position = read_to(at(1, "one").size());
  const std::string second = at(3, "three") + at(4, "four");
  rename("0.log", "0.log.20240501-100002");
  write_gzip(dir / "0.log.20240501-100003.gz", second);
  dir.write("0.log", at(5, "five"));
  const Lag found = lag(position);
  EXPECT_EQ(found.bytes, at(2, "two").size() + second.size() + at(5, "five").size());
  EXPECT_EQ(found.files, 3U);
  EXPECT_EQ(found.oldest, kTen + 2 * base::kSecond);
}

TEST_F(LagTest, AFileThatWasReadInPartAndThenCompressed) {
  const std::string text = at(1, "one") + at(2, "two");
  dir.write("0.log", text);
  const record::LogPosition position = read_to(at(1, "one").size());
  std::filesystem::remove(dir / "0.log");
  write_gzip(dir / "0.log.20240501-100002.gz", text);
  dir.write("0.log", at(3, "three"));
  const Lag found = lag(position);
  EXPECT_EQ(found.bytes, at(2, "two").size() + at(3, "three").size());
  EXPECT_TRUE(found.by_file);  // its lines are not unpacked for that
}

TEST_F(LagTest, CopiedAndTruncated) {
  const std::string text = "one\ntwo\nthree\n";
  dir.write("0.log", text);
  record::LogPosition position = read_to(4);
  std::filesystem::copy_file(dir / "0.log", dir / "0.log.1");
  dir.write("0.log", "new\n");
  const Lag found = lag(position);
  EXPECT_EQ(found.bytes, std::string("two\nthree\nnew\n").size());
  EXPECT_EQ(found.files, 2U);
  EXPECT_EQ(found.gone, 0U);
}

TEST_F(LagTest, WithoutTimesTheChangeOfTheFileTells) {
  dir.write("0.log", "one\ntwo\n");
  const record::LogPosition position = read_to(4);
  const Lag found = lag(position);
  EXPECT_TRUE(found.by_file);
  EXPECT_EQ(found.oldest, (*InputFile::open(dir / "0.log"))->status().modified);
}

TEST_F(LagTest, ADockerLineHasATime) {
  dir.write("0.log", R"({"log":"one\n","stream":"stdout","time":"2024-05-01T10:00:07Z"})"
                     "\n");
  EXPECT_EQ(lag(read_to(0)).oldest, kTen + 7 * base::kSecond);
}

TEST_F(LagTest, AnOpenLineIsUnreadAndNobodyIsLateForIt) {
  dir.write("0.log", at(1, "one") + "2024-05-01T10:00:02Z stdout F begun");
  Lag found = lag(read_to(at(1, "one").size()));
  EXPECT_GT(found.bytes, 0U);
  EXPECT_EQ(found.oldest, 0);
  dir.write("0.log", at(1, "one") + at(2, "begun", "stdout", 'P') + at(3, "on", "stdout", 'P'));
  found = lag(read_to(at(1, "one").size()));
  EXPECT_GT(found.bytes, 0U);
  EXPECT_EQ(found.oldest, 0);
}

TEST_F(LagTest, BehindAnOpenLineOnlyWhatIsNotSafeCounts) {
  const std::string open = at(1, "begun", "stdout", 'P'), safe = at(2, "safe", "stderr"), unread = at(3, "unread", "stderr");
  dir.write("0.log", open + safe + unread);
  record::LogPosition position = read_to(0);
  position.end[1] = {1, (open + safe).size()};
  EXPECT_EQ(lag(position).oldest, kTen + 3 * base::kSecond);
  position.end[1] = {1, (open + safe + unread).size()};
  EXPECT_EQ(lag(position).oldest, 0);
}

TEST_F(LagTest, AFileThatIsGone) {
  dir.write("0.log", at(1, "one") + at(2, "two"));
  const record::LogPosition position = read_to(at(1, "one").size());
  std::filesystem::remove(dir / "0.log");
  Lag found = lag(position);
  EXPECT_EQ(found.gone, 1U);
  EXPECT_EQ(found.bytes, 0U);
  dir.write("0.log", at(3, "new"));
  found = lag(position);
  EXPECT_EQ(found.gone, 1U);
  EXPECT_EQ(found.bytes, at(3, "new").size());
}

TEST_F(LagTest, AFileThatWasReadToItsEndAndRemovedIsNotGone) {
  dir.write("0.log", at(1, "one"));
  record::Generation done = known(1, "0.log", true);
  std::filesystem::remove(dir / "0.log");
  EXPECT_EQ(lag({{done}, {1, done.file.head_size}, {}, {}}).gone, 0U);
}

TEST_F(LagTest, AFileThatCannotBeReadIsTrouble) {
  std::filesystem::create_directory(dir / "0.log");
  const Lag found = lag({{}, {}, {}, {}});
  EXPECT_NE(found.trouble, "");
}

TEST_F(LagTest, OfAReaderOnItsWay) {
  dir.write("0.log", at(1, "one"));
  LogReader reader(1, dir / "0.log", options, stats, clock);
  options.follow = true;
  resume(reader, {}, std::move(*InputFile::open(dir / "0.log")));
  EXPECT_EQ(lag_of(reader).bytes, at(1, "one").size());
  read(reader);
  EXPECT_EQ(lag_of(reader).bytes, 0U);
  dir.write("0.log", at(2, "two"), true);
  const Lag found = lag_of(reader);
  EXPECT_EQ(found.bytes, at(2, "two").size());
  EXPECT_EQ(found.oldest, kTen + 2 * base::kSecond);
  EXPECT_EQ(read(reader), LogReader::Outcome::idle);
  EXPECT_EQ(take_records(), (Lines{"one", "two"}));
}

}  // namespace
}  // namespace weir::tail
