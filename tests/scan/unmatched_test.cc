#include "scan/unmatched.h"

#include "support/collect.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::scan {
namespace {

using base::kSecond;
using ::testing::HasSubstr;

class UnmatchedTest : public ::testing::Test {
 protected:
  std::string why(const std::string& query, const base::TimeRange& range = {}, const WantedTenant& tenant = {}) {
    return explain_nothing_in_spools({&path, 1}, query, range, 1000 * kSecond, tenant);
  }
  test::TempDir dir;
  std::string path = dir / "spool.db";
  test::TestContext context;
};

TEST_F(UnmatchedTest, NamesTimesAndTheRest) {
  test::make_spool(path, {{{{"app", "shop"}}, 100 * kSecond, "a"}, {{{"app", "cart"}}, 200 * kSecond, "b", {}, "red"}}, context);
  EXPECT_THAT(why(R"({app="shpo"})"), HasSubstr("did you mean 'shop'"));
  EXPECT_THAT(why(R"({app="shop"} |= "x")"), HasSubstr("none passes the rest of the query"));
  EXPECT_THAT(why(R"({app="shop"})", {200 * kSecond, 300 * kSecond}), HasSubstr("the newest record is"));
  EXPECT_EQ(why(R"({app="shop"})"), "");
  EXPECT_EQ(why("{"), "");
}

// The first records count, whatever blocks they are in.
TEST_F(UnmatchedTest, LooksAtTheFirstRecords) {
  for (int block = 0; block < 3; ++block) {
    std::vector<test::StoredRecord> records;
    for (int i = 0; i < 60; ++i) {
      records.push_back({{{"app", "shop"}}, 3 * i * kSecond + block, "text", {{i < 10 ? "early" : "late", "x"}}});
    }
    test::make_spool(path, records, context);
  }
  EXPECT_EQ(why(R"({app="shop"} | status = "500")"), "none of 50 records has a label or metadata 'status'");
  EXPECT_EQ(why(R"({app="shop"} | earlyy = "y")"), "none of 50 records has a label or metadata 'earlyy'; did you mean 'early'?");
  EXPECT_EQ(why(R"({app="shop"} | latee = "y")"), "none of 50 records has a label or metadata 'latee'; did you mean 'late'?");
  // Less than 50: the rest of the third, and no more.
  EXPECT_EQ(why(R"({app="shop"} | status = "500")", {150 * kSecond, 1000 * kSecond}), "no record has a label or metadata 'status'");
}

TEST_F(UnmatchedTest, OneTenantLearnsNothingOfAnother) {
  test::make_spool(path, {{{{"app", "shop"}}, 100 * kSecond, "a"}, {{{"app", "cart"}}, 200 * kSecond, "b", {}, "red"}}, context);
  EXPECT_EQ(why(R"({app="cart"} |= "x")", {}, "green"), "the spool holds no records");
  EXPECT_THAT(why(R"({app="cart"} |= "x")", {}, "red"), HasSubstr("none passes"));
  EXPECT_THAT(why(R"({app="cart"} |= "x")", {}, ""), ::testing::Not(HasSubstr("none passes")));
}

TEST_F(UnmatchedTest, SelectorsOfOneTenant) {
  test::make_spool(path, {{{{"app", "shop"}}, 100 * kSecond, "a"}, {{{"app", "cart"}}, 200 * kSecond, "b", {}, "red"}}, context);
  const std::vector<std::string> queries = {R"(rate({app="cart"}[1m]))", R"({app="shop"})"};
  const auto f = [&](const WantedTenant& tenant) { return explain_selectors_in_spools({&path, 1}, queries, tenant); };
  EXPECT_EQ(f({}), (std::vector<std::string>{"", ""}));
  EXPECT_EQ(f("red").front(), "");
  EXPECT_THAT(f("red").back(), HasSubstr("no app 'shop' here"));
  EXPECT_THAT(f("").front(), HasSubstr("no app 'cart' here"));
}

TEST_F(UnmatchedTest, Words) {
  EXPECT_EQ(nothing_in({0, kSecond}), "nothing between 1970-01-01T00:00:00Z and 1970-01-01T00:00:01Z");
  EXPECT_EQ(explain_no_values("app", {"app"}), "");
  EXPECT_THAT(explain_no_values("ap", {"app"}), HasSubstr("app"));
}

}  // namespace
}  // namespace weir::scan
