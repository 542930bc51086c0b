#include "stages/input_answer.h"

#include "support/run_stage.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

namespace weir::stages {
namespace {

using test::Lines;
using What = QuerySpec::What;

// Below a folder of the test, so that nothing is left is seen.
std::string tmpdir;

class InputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tmpdir = dir.path().string();
    context.context.environment = [](const char* name) {
      return std::string_view(name) == "TMPDIR" ? tmpdir.c_str() : static_cast<const char*>(nullptr);
    };
    spec.range = {};
  }
  Lines lines(const std::string& input) {
    int ends[2] = {};
    EXPECT_EQ(::pipe(ends), 0);
    std::thread writer([&] {
      EXPECT_EQ(::write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
      ::close(ends[1]);
    });
    spec.input = ends[0];
    test::LinesOutlet out;
    Lines found;
    if (auto source = make_query(spec, context.context); !source) {
      found = {source.error().message};
    } else if (auto result = (*source)->run(out, *context.stop); !result) {
      hint = result.error().hint;
      found = {result.error().message};
    } else {
      test::expect_balance((*source)->counters());
      summary = (*source)->summary();
      found = out.lines;
    }
    writer.join();
    ::close(ends[0]);
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
    return found;
  }

  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::string summary, hint;
};

constexpr std::string_view kRecords =
    "{\"timestamp\":\"1970-01-01T00:00:20Z\",\"line\":\"b\",\"labels\":{\"app\":\"x\"}}\n"
    "{\"timestamp\":\"1970-01-01T00:00:10Z\",\"line\":\"a\",\"labels\":{\"app\":\"x\"}}\n"
    "{\"timestamp\":\"1970-01-01T00:00:30Z\",\"line\":\"c\",\"labels\":{\"app\":\"y\"}}\n";

TEST_F(InputTest, RecordsInTheOrderOfTime) {
  spec.logql = R"({app="x"})";
  EXPECT_EQ(lines(std::string(kRecords)), (Lines{R"({"timestamp":"1970-01-01T00:00:10Z","line":"a","labels":{"app":"x"}})",
                                                 R"({"timestamp":"1970-01-01T00:00:20Z","line":"b","labels":{"app":"x"}})"}));
}

TEST_F(InputTest, Metrics) {
  spec.logql = R"(sum(count_over_time({app=~".+"}[30s])))";
  spec.step = 30 * base::kSecond;
  EXPECT_EQ(lines(std::string(kRecords)), Lines{R"({"timestamp":"1970-01-01T00:00:30Z","value":"3"})"});
}

TEST_F(InputTest, LabelsAndStats) {
  spec.what = What::labels;
  spec.label = "app";
  EXPECT_EQ(lines(std::string(kRecords)).size(), 2U);
  spec.what = What::stats;
  EXPECT_EQ(lines(std::string(kRecords)).size(), 4U);
}

TEST_F(InputTest, NothingThere) {
  EXPECT_EQ(lines(""), Lines());
  EXPECT_EQ(summary, "there are no records on standard input");
  spec.logql = R"({app="z"})";
  EXPECT_EQ(lines(std::string(kRecords)), Lines());
  EXPECT_NE(summary.find("no app 'z' here"), std::string::npos) << summary;
}

TEST_F(InputTest, SamplesAreNoRecords) {
  const auto found = lines("{\"timestamp\":\"1970-01-01T00:00:20Z\",\"labels\":{\"app\":\"x\"},\"value\":\"3\"}\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("cannot query samples"), std::string::npos) << found[0];
}

TEST_F(InputTest, PlainTextIsNoRecord) {
  const auto found = lines("plain text\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(hint.find("weir tail -"), std::string::npos) << found[0] << hint;
  hint.clear();
  lines(std::string(kRecords) + "plain text\n");
  EXPECT_NE(hint.find("weir tail -"), std::string::npos) << hint;
}

TEST_F(InputTest, ASignalEndsItWhileTheInputGoesOn) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], kRecords.data(), kRecords.size()), static_cast<ssize_t>(kRecords.size()));
  spec.input = ends[0];
  auto source = make_query(spec, context.context);
  ASSERT_TRUE(source.ok());
  test::LinesOutlet out;
  // When it has read all that there is, it waits.
  std::thread signal([&] {
    for (int waiting = 1; waiting > 0; std::this_thread::yield()) ::ioctl(ends[0], FIONREAD, &waiting);
    context.stop->request(SIGTERM);
  });
  const auto result = (*source)->run(out, *context.stop);
  signal.join();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::Code::interrupted);
  EXPECT_EQ(result.error().message, "interrupted while reading standard input");
  EXPECT_EQ(out.lines, Lines{});
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(InputTest, AMistakeIsFoundBeforeTheInputIsRead) {
  spec.logql = "{app=";
  EXPECT_NE(lines("plain text\n").at(0).find("parse error"), std::string::npos);
}

}  // namespace
}  // namespace weir::stages
