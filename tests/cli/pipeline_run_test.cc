#include "cli/pipeline_run.h"

#include "fake_commands.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace weir::cli {
namespace {

class PipelineRunTest : public testing::Test {
 protected:
  PipelineRunTest() { test::seen() = {}; }
  base::Result<Exit> run(const std::string& text) {
    auto pipelines = read_pipelines(PipelineSource("f", text), test::fake_commands(), context_.context);
    if (!pipelines) return std::move(pipelines).error();
    PipelineSet set(test::fake_commands(), context_.context);
    if (auto built = set.build(*pipelines); !built) return std::move(built).error();
    return set.run();
  }
  void fails(const std::string& text, std::string_view message) {
    auto exit = run(text);
    ASSERT_FALSE(exit) << text;
    EXPECT_EQ(exit.error().message, message);
    EXPECT_EQ(exit_of(exit.error().code), Exit::usage);
  }
  test::TestContext context_;
};

TEST_F(PipelineRunTest, RunsOne) {
  auto exit = run("count 2 | pass | end");
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_EQ(test::seen().records, (std::vector<std::string>{"0", "1"}));
}

TEST_F(PipelineRunTest, RunsSeveral) {
  auto exit = run("count 2 | pass --lost 1 | end\ncount 0 | pass\n");
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_EQ(*exit, Exit::incomplete);  // the graver one
  EXPECT_EQ(test::seen().records.size(), 2U);
}

TEST_F(PipelineRunTest, AFailureStopsTheOthers) {
  test::seen().fails = {base::Code::network, "cannot reach it", ""};
  auto exit = run("count 2 | end\ncount 0 | pass\n");
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().message, "cannot reach it");
  EXPECT_TRUE(context_.stop->stopped());
}

TEST_F(PipelineRunTest, ErrorsHavePlaces) {
  fails("count 2 | psas", "f:1:11: there is no stage 'psas'");
  fails("count 2 | pass --fromat x", "f:1:16: pass: unknown option '--fromat'");
  fails("count 2 |\n  pass bad", "f:2:3: pass: cannot parse 'bad'");
  fails("count | pass", "f:1:1: count: NUMBER is missing");
  fails("pass | count 1", "f:1:8: count reads no records, so it can only stand first");
  fails("end | pass", "f:1:1: end passes no records on, so no stage can follow it");
  fails("pass | act", "f:1:8: act is not a stage of a pipeline");
  fails("pass shown", "f:1:6: pass: cannot parse it");
  fails("count 1 | pass --exit-zero-on-term", "f:1:11: --exit-zero-on-term belongs to the process, not to one of its stages");
  fails("pass --help", "f:1:1: --help cannot be used in a pipeline");
  fails("pass | end\npass | end", "f:2:1: a second pipeline reads standard input");
  fails("count 1 | pass\ncount 1", "f:2:1: a second pipeline writes to standard output");
  fails("count 1 | pass --keep s.db | end\ncount 1 | pass --keep ./s.db | end",
        "f:2:1: a second pipeline keeps its positions in './s.db'");
}

TEST_F(PipelineRunTest, TheNearestStageIsNamed) {
  auto exit = run("coutn 2 | end");
  ASSERT_FALSE(exit);
  EXPECT_NE(exit.error().hint.find("did you mean 'count'?"), std::string::npos);
}

TEST_F(PipelineRunTest, NothingIsBuiltByChecking) {
  ASSERT_TRUE(read_pipelines(PipelineSource("f", "count 2 | end"), test::fake_commands(), context_.context));
  EXPECT_TRUE(test::seen().builds.empty());
}

TEST_F(PipelineRunTest, AWordIsAFileOrAText) {
  const test::TempDir folder;
  const auto file = (folder.path() / "a file").string();
  std::ofstream(file) << "count 7";
  const auto load = [](const std::string& word) { return load_pipelines({word, "", false}, test::fake_commands()); };
  auto read = load(file);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name(), file);
  for (const auto* text : {"count 2", "weir count", "psas | x", " count", "end"}) {
    auto taken = load(text);
    ASSERT_TRUE(taken) << text;
    EXPECT_EQ(taken->name(), "text");
  }
  auto missing = load("pipeline.weir");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "there is no file 'pipeline.weir'");
  EXPECT_EQ(missing.error().code, base::Code::usage);
  auto directory = load(folder.path().string());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, base::Code::io);
}

}  // namespace
}  // namespace weir::cli
