#include "tail/start.h"

#include "record/timestamp.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

namespace weir::tail {
namespace {

std::string rest_after(const test::TempDir& dir, std::string_view name, const Start& start) {
  auto file = std::move(*InputFile::open(dir / name));
  auto offset = start_offset(*file, start);
  EXPECT_TRUE(offset);
  return dir.read(name).substr(*offset);
}

std::string last_lines(const std::string& text, std::uint64_t count) {
  test::TempDir dir;
  dir.write("a.log", text);
  return rest_after(dir, "a.log", {Start::Kind::lines, count, 0});
}

TEST(LastLines, Plain) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc", 2), "b\nc");
  EXPECT_EQ(last_lines("a\nb\nc\n", 3), "a\nb\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc\n", 4), "a\nb\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc\n", 0), "");
  EXPECT_EQ(last_lines("", 5), "");
  EXPECT_EQ(last_lines("\n\n\n", 2), "\n\n");
}

TEST(LastLines, AcrossBlocks) {
  std::string text;
  std::vector<std::size_t> starts;
  for (int i = 0; i < 30'000; ++i) {
    starts.push_back(text.size());
    text += fmt::format("line {}\n", i);
  }
  for (const std::size_t count : {1UL, 2UL, 5'000UL, 17'777UL, 29'999UL, 30'000UL}) {
    EXPECT_EQ(last_lines(text, count).size(), text.size() - starts[starts.size() - count]) << count;
  }
}

TEST(LastLines, PartsOfACriLineCountAsOne) {
  const auto line = [](char tag, std::string_view text) { return fmt::format("2024-05-01T10:00:00Z stdout {} {}\n", tag, text); };
  const std::string text = line('F', "one") + line('P', "tw") + line('P', "o-") + line('F', "two") + line('F', "three");
  EXPECT_EQ(last_lines(text, 2), text.substr(line('F', "one").size()));
  EXPECT_EQ(last_lines(text, 1), line('F', "three"));
  EXPECT_EQ(last_lines(text, 3), text);
}

TEST(LastLines, ClosingPartsThatEndBehindTheirTag) {
  const std::string head = "2024-05-01T10:00:00Z stdout ";
  const std::string text = head + "P one\n" + head + "F\n" + head + "P two\n" + head + "P\n" + head + "F\n" + head + "F three\n";
  EXPECT_EQ(last_lines(text, 2), text.substr(text.find("P two") - head.size()));
  EXPECT_EQ(last_lines("\xef\xbb\xbf" + text, 3), "\xef\xbb\xbf" + text);
}

TEST(Start, Utf16IsReadFromItsMarkOn) {
  test::TempDir dir;
  const std::string text("\xff\xfeh\0\n\0i\0\n\0", 10);
  dir.write("a.log", text);
  for (const Start& start :
       {Start{Start::Kind::end, 0, 0}, Start{Start::Kind::lines, 1, 0}, Start{Start::Kind::time, 0, base::kSecond}}) {
    EXPECT_EQ(rest_after(dir, "a.log", start), text);
  }
}

TEST(LastLines, Gzip) {
  test::TempDir dir;
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += fmt::format("line {}\n", i);
  gzFile gzip = ::gzopen((dir / "a.log.gz").c_str(), "wb");
  ::gzwrite(gzip, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(gzip);
  auto file = std::move(*InputFile::open(dir / "a.log.gz"));
  EXPECT_EQ(text.substr(*offset_of_last_lines(*file, 2)), "line 39998\nline 39999\n");
  EXPECT_EQ(*offset_of_end(*file), text.size());
}

TEST(End, IsWhereAnUnfinishedLineBegins) {
  const auto f = [](const std::string& text, std::string_view want) {
    test::TempDir dir;
    dir.write("a.log", text);
    EXPECT_EQ(rest_after(dir, "a.log", {Start::Kind::end, 0, 0}), want);
  };
  f("a\nb\n", "");
  f("a\nhalf", "half");
  f("half", "half");
  f("", "");
}

TEST(AtTime, FindsAPlaceShortlyBefore) {
  test::TempDir dir;
  const base::Timestamp begin = *record::parse_rfc3339("2024-05-01T10:00:00Z");
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += record::to_rfc3339(begin + i * base::kSecond) + " stdout F a line of some length, as they are\n";
  dir.write("a.log", text);
  const auto first = [&](base::Timestamp time) {
    const std::string rest = rest_after(dir, "a.log", {Start::Kind::time, 0, time});
    const auto header = parse_cri(rest);
    EXPECT_TRUE(header);
    return header ? header->timestamp : 0;
  };
  EXPECT_EQ(first(begin - base::kHour), begin);
  const base::Timestamp middle = first(begin + 12'000 * base::kSecond);
  EXPECT_LE(middle, begin + 12'000 * base::kSecond);
  EXPECT_GT(middle, begin + 10'000 * base::kSecond);
  // After its last change nothing is left to read.
  EXPECT_EQ(rest_after(dir, "a.log", {Start::Kind::time, 0, base::Clock::system().wall() + base::kHour}), "");
}

TEST(AtTime, FilesWithoutTimesAreReadWhole) {
  test::TempDir dir;
  const std::string text(200'000, '\n');
  dir.write("a.log", text);
  EXPECT_EQ(rest_after(dir, "a.log", {Start::Kind::time, 0, base::kSecond}), text);
}

// Lines a minute apart, the last one now.
std::string minutes(int count, const std::function<std::string(base::Timestamp, int)>& line) {
  const base::Timestamp now = base::Clock::system().wall();
  std::string text;
  for (int i = 0; i < count; ++i) text += line(now - (count - 1 - i) * base::kMinute, i) + "\n";
  return text;
}

TEST(OffsetOfAge, TheFirstLineThatIsYoungEnough) {
  test::TempDir dir;
  const std::string padding(300, 'x');
  const std::map<std::string, std::function<std::string(base::Timestamp, int)>> forms = {
      {"cri", [&](base::Timestamp at, int i) { return fmt::format("{} stdout F {} {}", record::to_rfc3339(at), i, padding); }},
      {"docker", [&](base::Timestamp at, int i) {
         return fmt::format(R"({{"log":"{} {}\n","stream":"stdout","time":"{}"}})", i, padding, record::to_rfc3339(at));
       }}};
  for (const auto& [name, line] : forms) {
    for (const int count : {1, 3, 5000}) {
      dir.write("a.log", minutes(count, line));
      const std::string text = dir.read("a.log");
      auto file = std::move(*InputFile::open(dir / "a.log"));
      for (const int young : {1, 2, 1000, 4999, 10'000}) {
        // Half a minute beyond the oldest line that is to be read.
        auto offset = offset_of_age(*file, base::Clock::system().wall() - young * base::kMinute + base::kMinute / 2);
        ASSERT_TRUE(offset);
        EXPECT_EQ(std::ranges::count(text.substr(*offset), '\n'), std::min(count, young)) << name << ' ' << count << ' ' << young;
      }
    }
  }
}

TEST(OffsetOfAge, WithoutTimesByTheFilesOwn) {
  test::TempDir dir;
  dir.write("raw.log", "one\ntwo\n");
  gzFile gzip = ::gzopen((dir / "a.log.gz").c_str(), "wb");
  ASSERT_EQ(::gzputs(gzip, "2020-01-01T00:00:00Z stdout F old\n"), 34);
  ASSERT_EQ(::gzclose(gzip), Z_OK);
  dir.write("empty.log", "");
  const base::Timestamp now = base::Clock::system().wall();
  for (const char* name : {"raw.log", "a.log.gz", "empty.log"}) {
    auto file = std::move(*InputFile::open(dir / name));
    EXPECT_EQ(*offset_of_age(*file, now - base::kHour), 0U) << name;
    EXPECT_EQ(*offset_of_age(*file, now + base::kHour), file->status().size) << name;
  }
}

}  // namespace
}  // namespace weir::tail
