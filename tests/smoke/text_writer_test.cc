#include "smoke/text_writer.h"

#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <map>
#include <regex>

namespace weir::smoke {
namespace {

namespace fs = std::filesystem;

Plan plan_of(std::uint32_t records, std::uint32_t streams) {
  return Plan({.run = "0123456789ab",
               .records = records,
               .streams = streams,
               .large = Large::one,
               .form = Form::line,
               .begin = 1'700'000'000 * base::kSecond + 5});
}

void write_all(Writer& writer, const Plan& plan) {
  for (std::uint32_t index = 0; index < plan.batches(); ++index) ASSERT_TRUE(writer.write(plan.batch(index)));
  ASSERT_TRUE(writer.finish(0));
}

// What a reader of CRI logs finds in a container's folder: "stdout line", rotated files first.
std::vector<std::string> lines_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::rotate(files.begin(), files.begin() + 1, files.end());  // "0.log" sorts first and was written last
  std::vector<std::string> found;
  std::map<std::string, std::string> open;
  const std::regex form(R"((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([PF]) )");
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    for (std::string text; std::getline(in, text);) {
      std::smatch match;
      EXPECT_TRUE(std::regex_search(text, match, form, std::regex_constants::match_continuous)) << text.substr(0, 60);
      EXPECT_LE(match.suffix().length(), 16 << 10);
      open[match[2]] += match.suffix();
      if (match[3] == "P") continue;
      found.push_back(match[2].str() + " " + open[match[2]]);
      open[match[2]].clear();
    }
  }
  return found;
}

TEST(PodWriter, WritesWhatACriReaderReads) {
  const test::TempDir dir;
  const Plan plan = plan_of(72, 3);
  auto writer = PodWriter::create(dir.path(), plan);
  ASSERT_TRUE(writer);
  const std::string first = dir / "weir-smoke_smoke-1_00000000-0000-4000-8000-000000000001/smoke";
  const std::string second = dir / "weir-smoke_smoke-2_00000000-0000-4000-8000-000000000002/smoke";
  EXPECT_TRUE(fs::exists(first + "/0.log")) << "there before the command starts";
  write_all(**writer, plan);

  std::vector<std::string> expected_first, expected_second;
  for (std::uint32_t number = 1; number <= 72; ++number) {
    const PlannedRecord record = plan.record(number);
    (record.stream <= 2 ? expected_first : expected_second)
        .push_back(std::string(PodWriter::stream_name_of(record.stream)) + " " + record.line);
  }
  EXPECT_EQ(lines_of(first), expected_first);
  EXPECT_EQ(lines_of(second), expected_second);
  EXPECT_GT((*writer)->report().bytes, 3 * kLargeLine);
}

TEST(PodWriter, RotatesTwice) {
  const test::TempDir dir;
  const Plan plan = plan_of(72, 1);
  auto writer = PodWriter::create(dir.path(), plan);
  ASSERT_TRUE(writer);
  write_all(**writer, plan);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir / "weir-smoke_smoke-1_00000000-0000-4000-8000-000000000001/smoke")) {
    names.push_back(entry.path().filename());
    EXPECT_GT(entry.file_size(), 0U) << names.back();
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("0.log", testing::MatchesRegex(R"(0\.log\.20231114-2213[0-9]{2})"),
                                                   testing::MatchesRegex(R"(0\.log\.20231114-2213[0-9]{2})")));
}

TEST(PodWriter, NamesOfStreams) {
  EXPECT_EQ(PodWriter::pod_of(1), "smoke-1");
  EXPECT_EQ(PodWriter::pod_of(2), "smoke-1");
  EXPECT_EQ(PodWriter::pod_of(3), "smoke-2");
  EXPECT_EQ(PodWriter::stream_name_of(1), "stdout");
  EXPECT_EQ(PodWriter::stream_name_of(2), "stderr");
}

TEST(PodWriter, SaysWhatItCannotWrite) {
  const Plan plan = plan_of(8, 1);
  const test::TempDir dir;
  dir.write("file", "x");
  const auto writer = PodWriter::create(dir / "file", plan);
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error().message, testing::StartsWith("cannot create '"));
}

TEST(LineWriter, WritesLines) {
  const test::TempDir dir;
  const Plan plan = plan_of(24, 1);
  FILE* const file = std::fopen((dir / "out").c_str(), "wb");
  ASSERT_NE(file, nullptr);
  LineWriter writer(fileno(file), plan);
  write_all(writer, plan);
  std::fclose(file);
  std::string expected;
  for (std::uint32_t number = 1; number <= 24; ++number) expected += plan.record(number).line + "\n";
  EXPECT_EQ(dir.read("out"), expected);
}

TEST(LineWriter, SaysThatNobodyReads) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  const Plan plan = plan_of(8, 1);
  LineWriter writer(ends[1], plan);
  std::signal(SIGPIPE, SIG_IGN);
  const auto written = writer.write(plan.batch(0));
  ::close(ends[1]);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write the records to standard output: Broken pipe");
}

}  // namespace
}  // namespace weir::smoke
