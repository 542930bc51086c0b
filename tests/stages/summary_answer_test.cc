#include "stages/summary_answer.h"

#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using test::Lines;
using What = QuerySpec::What;

class SummaryTest : public ::testing::Test {
 protected:
  Lines lines() {
    test::LinesOutlet out;
    auto source = make_summary_answer(spec, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) return {result.error().message};
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    Lines found;
    for (const std::string& line : out.lines) {
      const std::size_t at = line.find("\"line\":\"") + 8;
      found.push_back(line.substr(at, line.size() - at - 2));
    }
    return found;
  }

  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::string summary;
};

class SpoolSummaryTest : public SummaryTest {
 protected:
  void SetUp() override {
    spec.spools = {dir / "s.db"};
    spec.range = {};
    test::make_spool(spec.spools.front(),
                     {{{{"app", "a"}, {"pod", "p1"}}, 10, "level=info n=1", {{"trace", "abc"}}},
                      {{{"app", "a"}, {"pod", "p2"}}, 20, "0123456789"},
                      {{{"app", "b"}}, 30, "x"}},
                     context);
  }
};

TEST_F(SpoolSummaryTest, Stats) {
  spec.what = What::stats;
  EXPECT_EQ(lines(), (Lines{"streams  3", "blocks   1", "bytes    25 (25 B)", "entries  3"}));
  spec.logql = R"({app="a"} |= "level")";
  spec.json = true;
  EXPECT_EQ(lines(), Lines{R"({\"streams\":1,\"chunks\":1,\"bytes\":14,\"entries\":1})"});
}

// Blocks of others are none of the answer.
TEST_F(SpoolSummaryTest, StatsOfATenantAndOfASelector) {
  spec.spools = {dir / "tenants.db"};
  {
    auto writer = spool::Writer::open({.path = spec.spools.front(), .min_free = 0, .retain = 1'000'000 * base::kHour},
                                      context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    for (const char* tenant : {"red", "blue", "red", ""}) {
      spool::BlockBuilder builder;
      record::Batch batch;
      record::Record record;
      record.timestamp = 10;
      record.labels = batch.hold(record::LabelSet::intern({{"app", *tenant == 'b' ? "b" : "a"}}));
      record.line = record::Text::bytes("x");
      record.tenant = tenant;
      builder.add(record);
      ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
    }
    ASSERT_TRUE((*writer)->close().ok());
  }
  spec.what = What::stats;
  const auto f = [&](scan::WantedTenant tenant, const std::string& query, const std::string& blocks, const std::string& streams) {
    spec.tenant = std::move(tenant);
    spec.logql = query;
    const Lines found = lines();
    ASSERT_EQ(found.size(), 4U);
    EXPECT_EQ(found[0], "streams  " + streams);
    EXPECT_EQ(found[1], "blocks   " + blocks);
  };
  f({}, "", "4", "3");  // of red and of no tenant: equal labels, two streams
  f("red", "", "2", "1");
  f("blue", "", "1", "1");
  f("", "", "1", "1");
  f({}, R"({app="b"})", "1", "1");
}

TEST_F(SpoolSummaryTest, Volume) {
  spec.what = What::volume;
  const auto f = [&](const std::string& query, std::vector<std::string> by, const Lines& wanted) {
    spec.logql = query;
    spec.by = std::move(by);
    EXPECT_EQ(lines(), wanted) << query;
  };
  f("", {}, {R"(14 B  {app=\"a\", pod=\"p1\"})", R"(10 B  {app=\"a\", pod=\"p2\"})", R"( 1 B  {app=\"b\"})"});
  f(R"({app=~".+"})", {}, {R"(24 B  {app=\"a\"})", R"( 1 B  {app=\"b\"})"});
  f(R"({app=~".+"})", {"pod"}, {R"(14 B  {pod=\"p1\"})", R"(10 B  {pod=\"p2\"})"});
  spec.limit = 1;
  f(R"({app=~".+"})", {}, {R"(24 B  {app=\"a\"})"});
  spec.limit = 0;
  spec.by_name = true;
  f("", {}, {"25 B  app", "24 B  pod"});
  spec.json = true;
  f("", {"pod"}, {R"({\"label\":\"pod\",\"bytes\":24})"});
}

TEST_F(SpoolSummaryTest, FieldsAndValues) {
  spec.what = What::fields;
  EXPECT_EQ(lines(),
            (Lines{"level  string        1  logfmt", "n      int           1  logfmt", "trace  string        1  metadata"}));
  spec.what = What::values;
  spec.label = "trace";
  EXPECT_EQ(lines(), Lines{"abc"});
  spec.json = true;
  EXPECT_EQ(lines(), Lines{R"(\"abc\")"});
  spec.label = "trase";
  EXPECT_EQ(lines(), Lines());
  EXPECT_EQ(summary, "no label 'trase' here; did you mean 'trace'?");
}

TEST_F(SpoolSummaryTest, OnlyTheNewestLinesAreLookedAt) {
  spec.what = What::fields;
  spec.lines = 2;
  EXPECT_EQ(lines(), Lines());
}

TEST_F(SpoolSummaryTest, NoSuchLabelAndNoSuchField) {
  spec.what = What::volume;
  spec.by = {"podd"};
  EXPECT_EQ(lines(), Lines());
  EXPECT_EQ(summary, "no label 'podd' here; did you mean 'pod'?");
  spec.what = What::values;
  spec.label = "pod";
  EXPECT_EQ(lines(), Lines());
  EXPECT_EQ(summary, "pod is a stream label, no field; its values: weir query labels pod");
}

TEST_F(SpoolSummaryTest, NothingThere) {
  spec.what = What::stats;
  spec.logql = R"({app="c"})";
  EXPECT_EQ(lines(), Lines());
  EXPECT_NE(summary.find("no app 'c' here"), std::string::npos) << summary;
}

class LokiSummaryTest : public SummaryTest {
 protected:
  void SetUp() override {
    spec.loki.http.base.origin = loki.url();
    spec.range = {5, 100};
    spec.logql = R"({app="a"})";
  }
  test::FakeQueryLoki loki;
};

TEST_F(LokiSummaryTest, Stats) {
  spec.what = What::stats;
  loki.reply_first({{200, R"({"streams":2,"chunks":3,"bytes":2048,"entries":7})"}});
  EXPECT_EQ(lines(), (Lines{"streams  2", "chunks   3", "bytes    2048 (2.0 KiB)", "entries  7"}));
  EXPECT_EQ(loki.last_parameters(),
            (std::map<std::string, std::string>{{"query", R"({app="a"})"}, {"start", "5"}, {"end", "100"}}));
}

constexpr const char* kNoStats = R"({"streams":0,"chunks":0,"bytes":0,"entries":0})";
constexpr const char* kNoVolume = R"({"status":"success","data":{"resultType":"vector","result":[]}})";

TEST_F(LokiSummaryTest, TheIndexDoesNotCountWhatIsNotFlushed) {
  loki.entries = {{{{"app", "a"}}, 10, "x"}};
  spec.what = What::stats;
  loki.reply_first({{200, kNoStats}});
  EXPECT_EQ(lines(), (Lines{"streams  0", "chunks   0", "bytes    0 (0 B)", "entries  0"}));
  spec.what = What::volume;
  loki.reply_first({{200, kNoVolume}});
  EXPECT_EQ(lines(), Lines());
  EXPECT_NE(summary.find("not flushed yet"), std::string::npos) << summary;
}

TEST_F(LokiSummaryTest, NothingThere) {
  spec.what = What::stats;
  loki.reply_first({{200, kNoStats}});
  EXPECT_EQ(lines(), Lines());
  EXPECT_EQ(summary, "nothing between 1970-01-01T00:00:00.000000005Z and 1970-01-01T00:00:00.0000001Z");
  loki.entries = {{{{"app", "a"}}, 10, "x"}};
  spec.what = What::volume;
  spec.by = {"podd"};
  loki.reply_first({{200, kNoVolume}});
  EXPECT_EQ(lines(), Lines());
  EXPECT_NE(summary.find("no label 'podd' here"), std::string::npos) << summary;
}

TEST_F(LokiSummaryTest, Volume) {
  spec.what = What::volume;
  spec.by = {"app", "pod"};
  spec.limit = 7;
  loki.reply_first({{200, R"({"status":"success","data":{"resultType":"vector","result":[)"
                          R"({"metric":{"app":"a"},"value":[1.5,"2048"]},{"metric":{"app":"b"},"value":[1.5,"1"]}]}})"}});
  EXPECT_EQ(lines(), (Lines{R"(2.0 KiB  {app=\"a\"})", R"(    1 B  {app=\"b\"})"}));
  EXPECT_EQ(loki.last_parameters()["targetLabels"], "app,pod");
  EXPECT_EQ(loki.last_parameters()["limit"], "7");
  spec.by_name = true;
  loki.reply_first(
      {{200, R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":""},"value":[1.5,"2048"]}]}})"}});
  EXPECT_EQ(lines(), Lines{"2.0 KiB  app"});
  EXPECT_EQ(loki.last_parameters()["aggregateBy"], "labels");
}

TEST_F(LokiSummaryTest, FieldsAndValues) {
  spec.what = What::fields;
  spec.json = true;
  loki.reply_first({{200, R"({"fields":[{"label":"status","type":"int","cardinality":4,"parsers":["json"],"jsonPath":["status"]},)"
                          R"({"label":"a","type":"string","cardinality":1,"parsers":null}],"limit":1000})"}});
  EXPECT_EQ(lines(), (Lines{R"({\"label\":\"a\",\"type\":\"string\",\"cardinality\":1,\"parsers\":null})",
                            R"({\"label\":\"status\",\"type\":\"int\",\"cardinality\":4,\"parsers\":[\"json\"]})"}));
  EXPECT_EQ(loki.last_parameters()["line_limit"], "1000");
  spec.what = What::values;
  spec.label = "status";
  spec.json = false;
  loki.reply_first({{200, R"({"values":["500","200"],"limit":1000})"}});
  EXPECT_EQ(lines(), (Lines{"200", "500"}));
}

TEST_F(LokiSummaryTest, WhatIsNoAnswerIsAnError) {
  for (const What what : {What::stats, What::volume}) {
    spec.what = what;
    loki.reply_first({{200, "[]"}});
    EXPECT_EQ(lines().size(), 1U);
  }
}

TEST_F(LokiSummaryTest, ASpoolBesideLokiCannotBeSummedUp) {
  spec.what = What::stats;
  spec.with_spool = dir / "s.db";
  EXPECT_EQ(lines(), Lines{"cannot sum up Loki and a spool together"});
}

}  // namespace
}  // namespace weir::stages
