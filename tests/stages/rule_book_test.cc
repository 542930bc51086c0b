#include "stages/rule_book.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

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
}

}  // namespace
}  // namespace weir::stages
