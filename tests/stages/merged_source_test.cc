#include "stages/merged_source.h"

#include "logql/parser.h"
#include "logql/printer.h"
#include "sqlite/database.h"
#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using test::Lines;
using test::StoredRecord;

logql::LogExpr log_of(const std::string& query) { return std::get<logql::LogExpr>(logql::parse(query, {})->node); }

TEST(ComparablePart, IsWhatAsksForStoredRecords) {
  const auto f = [](const std::string& query, const std::string& part) {
    EXPECT_EQ(logql::print(comparable_part(log_of(query))), part) << query;
  };
  f(R"({a="b"})", R"({a="b"})");
  f(R"({a="b"} |= "x" | y="z" != "w" | n > 5)", R"({a="b"} |= "x" | y="z" != "w" | n>5)");
  for (const char* stage :
       {"json", "logfmt", R"q(regexp "(?P<y>.)")q", R"(pattern "<y> <_>")", "label_format x=y", "drop x", "keep x"}) {
    f(std::string(R"({a="b"} |= "x" | v="w" | )") + stage + R"( | y="z" |= "q" !> "<_>p")",
      R"({a="b"} |= "x" | v="w" |= "q" !> "<_>p")");
  }
  for (const char* stage : {R"(line_format "x")", "decolorize", "unpack"}) {
    f(std::string(R"({a="b"} |= "x" | json | )") + stage + R"( |= "z" | json |= "y")", R"({a="b"} |= "x")");
  }
  f(R"({a="b"} | v="w" | __error__="" | n=~"m" |= "x")", R"({a="b"} | v="w" | n=~"m" |= "x")");
  f(R"({a="b"} | v="w" or __error_details__=~"x" |= "x")", R"({a="b"} |= "x")");
}

class MergedSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec.loki.http.base.origin = loki.url();
    spec.loki.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    spec.with_spool = dir / "s.db";
    spec.range = {0, 1'000'000};
    spec.logql = R"({app=~".+"})";
  }
  Lines lines() {
    test::LinesOutlet out;
    auto source = make_query(spec, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) return {result.error().message};
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    lost = (*source)->counters().lost;
    return out.lines;
  }

  test::FakeQueryLoki loki;
  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::string summary;
  std::uint64_t lost = 0;
};

// Loki shows metadata that has the name of a label by another one.
TEST_F(MergedSourceTest, MetadataWithTheNameOfALabel) {
  loki.entries.push_back({{{"app", "x"}}, 10, "same", {{"app_extracted", "m"}, {"detected_level", "unknown"}}});
  test::make_spool(spec.with_spool, {{{{"app", "x"}}, 10, "same", {{"app", "m"}}}}, context);
  EXPECT_EQ(lines().size(), 1U);
  spec.logql = R"({app=~".+"} | line_format "y")";
  EXPECT_EQ(lines().size(), 1U) << "what is compared is what a query shows";
}

// Where the label of a stream is also the metadata of a record, Loki gives it as metadata of both, or as a label of both.
TEST_F(MergedSourceTest, ALabelIsTheSameAsMetadata) {
  loki.entries.push_back({{{"app", "x"}}, 10, "in the stream", {{"k", "v"}}});
  loki.entries.push_back({{{"app", "x"}}, 10, "in metadata", {{"k", "v"}}});
  loki.entries.push_back({{{"app", "x"}, {"k", "w"}}, 10, "in the stream"});
  loki.entries.push_back({{{"app", "x"}, {"k", "w"}}, 10, "in metadata"});
  std::vector<StoredRecord> stored;
  for (const char* value : {"v", "w", "u"}) {
    stored.push_back({{{"app", "x"}, {"k", value}}, 10, "in the stream"});
    stored.push_back({{{"app", "x"}}, 10, "in metadata", {{"k", value}}});
  }
  test::make_spool(spec.with_spool, stored, context);
  EXPECT_EQ(lines().size(), 6U);
}

TEST_F(MergedSourceTest, WhatLokiDoesNotGiveIsLost) {
  loki.max_entries = 4;
  for (int i = 0; i < 6; ++i) loki.entries.push_back({{{"app", "x"}}, 10, "same"});
  test::make_spool(spec.with_spool, {{{{"app", "x"}}, 20, "other"}}, context);
  EXPECT_EQ(lines().size(), 5U);
  EXPECT_EQ(lost, 1U);
  const auto said = context.diagnostics.said();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said.front(), "at 1 timestamp there are more equal entries than Loki gives in one answer: some of them are missing");
}

// Where the limit makes it look for older records, too.
TEST_F(MergedSourceTest, WhatLokiDoesNotGiveIsSaidOnce) {
  loki.max_entries = 4;
  for (int i = 0; i < 6; ++i) loki.entries.push_back({{{"app", "x"}}, 10, "same"});
  test::make_spool(spec.with_spool, {{{{"app", "x"}}, 20, "other"}}, context);
  spec.limit = 5;
  EXPECT_EQ(lines().size(), 5U);
  EXPECT_EQ(lost, 1U);
  EXPECT_EQ(context.diagnostics.said().size(), 1U);
}

TEST_F(MergedSourceTest, ADamagedSpoolIsCountedOnce) {
  test::make_spool(spec.with_spool, {{{{"app", "x"}}, 10, "spool"}}, context);
  loki.entries.push_back({{{"app", "x"}}, 10, "loki"});
  {
    auto database = sqlite::Database::open(spec.with_spool, sqlite::Access::write, base::kSecond);
    ASSERT_TRUE(database.ok()) << database.error().message;
    ASSERT_TRUE(database->execute("UPDATE bodies SET body = CAST(substr(body, 1, length(body) - 1) || x'7f' AS BLOB)"));
  }
  for (const std::uint64_t limit : {0, 1}) {
    spec.limit = limit;
    EXPECT_EQ(lines().size(), 1U);
    EXPECT_EQ(lost, 1U) << limit;
  }
}

TEST_F(MergedSourceTest, ExplainsWithWhoKnowsTheSelector) {
  const auto f = [&](const std::string& query, const std::string& why) {
    spec.logql = query;
    EXPECT_EQ(lines(), Lines());
    EXPECT_NE(summary.find(why), std::string::npos) << summary;
  };
  test::make_spool(spec.with_spool, {{{{"app", "spool"}}, 10, "a"}}, context);
  loki.entries.push_back({{{"app", "loki"}}, 10, "a"});
  // The fake knows no selectors: every one takes its entry.
  f(R"({app="loki"} |= "b")", "there are records of these labels in this time, but none passes the rest");
  loki.entries.clear();
  f(R"({app="spool"} |= "b")", "there are records of these labels in this time, but none passes the rest");
  f(R"({app="spoon"})", "no app 'spoon' here; did you mean 'spool'?");
}

}  // namespace
}  // namespace weir::stages
