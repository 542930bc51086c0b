#include "stages/rule_book.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace weir::stages {
namespace {

namespace fs = std::filesystem;

class RuleBookTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& text) const {
    std::ofstream(path("new")) << text;
    fs::rename(path("new"), path("rules"));
  }
  base::Result<std::unique_ptr<RuleBook>> open(bool keep = false, bool strict = false) {
    return RuleBook::open({.files = {path("rules")}, .keep_beside = keep ? path("spool.db") : "", .strict = strict}, test_.context);
  }
  std::unique_ptr<RuleBook> opened(bool keep = false) {
    auto book = open(keep);
    EXPECT_TRUE(book) << (book ? "" : book.error().message);
    EXPECT_TRUE((*book)->attach(wake_));
    return *std::move(book);
  }

  test::TempDir folder_;
  test::TestContext test_;
  base::Wake wake_;
};

TEST_F(RuleBookTest, ReadsRulesAgainWhenTheirFileIsReplaced) {
  write("drop |= \"a\"\n");
  const auto book = opened();
  EXPECT_EQ(book->set().rules().size(), 1U);
  EXPECT_FALSE(book->refresh(1));
  write("drop |= \"a\"\ndrop |= \"b\"\n");
  EXPECT_TRUE(book->refresh(2));
  EXPECT_EQ(book->set().rules().size(), 2U);
  EXPECT_EQ(book->reloads(), 1U);
  EXPECT_FALSE(book->broken());
}

TEST_F(RuleBookTest, AMistakeKeepsTheRulesAndIsReportedOnce) {
  write("drop |= \"a\"\n");
  const auto book = opened();
  write("dorp |= \"b\"\n");
  EXPECT_FALSE(book->refresh(1));
  EXPECT_TRUE(book->broken());
  EXPECT_EQ(book->failures(), 1U);
  EXPECT_EQ(book->set().rules().size(), 1U);
  const std::size_t said = test_.diagnostics.said().size();
  EXPECT_GE(said, 1U);
  write("dorp |= \"b\"\n");
  EXPECT_FALSE(book->refresh(2));
  EXPECT_EQ(test_.diagnostics.said().size(), said);
  write("drop |= \"b\"\n");
  EXPECT_TRUE(book->refresh(3));
  EXPECT_FALSE(book->broken());
}

TEST_F(RuleBookTest, AChangeOfAnotherFileThatIsHeldUpIsReported) {
  write("drop |= \"a\"\n");
  folder_.write("second", "# none\n");
  auto book = RuleBook::open({.files = {path("rules"), path("second")}}, test_.context);
  ASSERT_TRUE(book);
  ASSERT_TRUE((*book)->attach(wake_));
  write("dorp |= \"b\"\n");
  EXPECT_FALSE((*book)->refresh(1));
  const std::size_t said = test_.diagnostics.said().size();
  std::ofstream(path("new")) << "drop |= \"c\"\n";
  fs::rename(path("new"), path("second"));
  EXPECT_FALSE((*book)->refresh(2));
  ASSERT_EQ(test_.diagnostics.said().size(), said + 1);
  EXPECT_NE(test_.diagnostics.said().back().find("no change of the rules takes effect"), std::string::npos);
}

TEST_F(RuleBookTest, AFifoIsRefusedAndNotWaitedFor) {
  write("drop |= \"a\"\n");
  const auto book = opened();
  fs::remove(path("rules"));
  ASSERT_EQ(::mkfifo(path("rules").c_str(), 0600), 0);
  EXPECT_FALSE(book->refresh(1));
  EXPECT_FALSE(book->refresh(1 + base::FileWatch::kSettle));
  EXPECT_TRUE(book->broken());
  EXPECT_FALSE(open());
}

TEST_F(RuleBookTest, AFileThatBecameEmptyOrIsGoneIsBroken) {
  write("drop |= \"a\"\n");
  const auto book = opened();
  write(" \n");
  EXPECT_FALSE(book->refresh(1));
  EXPECT_TRUE(book->broken());
  write("# no rules\n");
  EXPECT_TRUE(book->refresh(2));
  EXPECT_TRUE(book->set().rules().empty());
  fs::remove(path("rules"));
  EXPECT_FALSE(book->refresh(3));
  EXPECT_FALSE(book->refresh(3 + base::FileWatch::kSettle));
  EXPECT_TRUE(book->broken());
}

TEST_F(RuleBookTest, AStartWithAMistakeFailsWhereNothingIsKept) {
  write("dorp |= \"a\"\n");
  const auto book = open();
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().code, base::Code::config);
  EXPECT_FALSE(open(true)) << "nothing has run yet";
  fs::remove(path("rules"));
  EXPECT_FALSE(open());
}

TEST_F(RuleBookTest, AStartWithAMistakeUsesTheRulesThatRanLast) {
  write("drop |= \"a\"\nname b: drop |= \"b\"\n");
  opened(true);
  write("dorp |= \"a\"\n");
  {
    const auto book = opened(true);
    EXPECT_TRUE(book->broken());
    EXPECT_EQ(book->set().rules().size(), 2U);
    write("drop |= \"c\"\n");
    EXPECT_TRUE(book->refresh(1));
    EXPECT_FALSE(book->broken());
  }
  fs::remove(path("rules"));
  EXPECT_EQ(opened(true)->set().rules().size(), 1U) << "the rules of the reload are kept";
  EXPECT_FALSE(open(true, true)) << "strict";
}

TEST_F(RuleBookTest, AnEmptyFileIsNoMistakeAtAStart) {
  write("");
  EXPECT_TRUE(opened()->set().rules().empty());
  EXPECT_TRUE(opened(true)->set().rules().empty());
  const auto book = opened(true);
  EXPECT_FALSE(book->broken()) << "it was empty before";
  EXPECT_TRUE(test_.diagnostics.said().empty());
}

TEST_F(RuleBookTest, AFileThatBecameEmptyBeforeAStartIsBroken) {
  write("drop |= \"a\"\n");
  opened(true);
  write("");
  const auto book = opened(true);
  EXPECT_TRUE(book->broken());
  EXPECT_EQ(book->set().rules().size(), 1U);
  EXPECT_FALSE(open(true, true)) << "strict";
}

TEST_F(RuleBookTest, AFileThatIsAlwaysEmptyDoesNotKeepTheOthersFromBeingRead) {
  std::ofstream(path("none")) << "";
  write("drop |= \"a\"\n");
  const RuleBookSpec spec{.files = {path("none"), path("rules")}, .keep_beside = path("spool.db")};
  for (int i = 0; i < 2; ++i) {
    const auto book = RuleBook::open(spec, test_.context);
    ASSERT_TRUE(book);
    ASSERT_TRUE((*book)->attach(wake_));
    EXPECT_FALSE((*book)->broken());
    write("drop |= \"a\"\ndrop |= \"b\"\n");
    EXPECT_TRUE((*book)->refresh(1));
    EXPECT_EQ((*book)->set().rules().size(), 2U);
    write("");
    EXPECT_FALSE((*book)->refresh(2));
    EXPECT_TRUE((*book)->broken());
    write("drop |= \"a\"\n");
  }
}

TEST_F(RuleBookTest, AStartWaitsForAFileThatIsBeingWritten) {
  write("drop |= \"a\"\n");
  test_.context.clock = &base::Clock::system();
  std::ofstream(path("rules")) << "drop {app=\"x\"}\n";
  const base::Monotonic begin = test_.context.clock->monotonic();
  EXPECT_TRUE(open());
  EXPECT_GT(test_.context.clock->monotonic() - begin, base::FileWatch::kSettle / 2);
  std::ofstream(path("rules")) << "drop {app=\"x\"} |= \"y\"\n";
  test_.stop->request();
  const base::Monotonic then = test_.context.clock->monotonic();
  EXPECT_TRUE(open());
  EXPECT_LT(test_.context.clock->monotonic() - then, base::FileWatch::kSettle / 2) << "it is asked to end";
}

}  // namespace
}  // namespace weir::stages
