#include "stages/merged_metric.h"

#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace weir::stages {
namespace {

using test::Lines;
using test::StoredRecord;

constexpr base::Timestamp kStart = 8200 * base::kSecond;

class MergedMetricTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec.loki.http.base.origin = loki.url();
    spec.loki.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    spec.with_spool = dir / "s.db";
    spec.range = {kStart, kStart + 100 * base::kSecond};
    spec.step = 20 * base::kSecond;
    loki.takes_any_query = true;  // the metric query judges each record again
  }
  // `second`: behind the start.
  void add(base::Duration second, const std::string& app, const std::string& line, bool in_loki, bool in_spool) {
    const base::Timestamp time = kStart + second * base::kSecond;
    if (in_loki) loki.entries.push_back({{{"app", app}, {"service_name", app}}, time, line, {{"detected_level", "unknown"}}});
    if (in_spool) stored.push_back({{{"app", app}}, time, line});
    all.push_back({{{"app", app}}, time, line});
  }
  Lines lines_of(const QuerySpec& asked) {
    test::LinesOutlet out;
    auto source = make_query(asked, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) return {result.error().message};
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    lost = (*source)->counters().lost;
    return out.lines;
  }
  Lines lines(const std::string& query) {
    if (!std::filesystem::exists(spec.with_spool)) test::make_spool(spec.with_spool, stored, context);
    spec.logql = query;
    return lines_of(spec);
  }
  // What a spool that has all records answers.
  Lines of_all(const std::string& query) {
    QuerySpec whole = spec;
    whole.with_spool.clear();
    whole.spools = {dir / "all.db"};
    if (!std::filesystem::exists(whole.spools.front())) test::make_spool(whole.spools.front(), all, context);
    whole.logql = query;
    return lines_of(whole);
  }

  test::FakeQueryLoki loki;
  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::vector<StoredRecord> stored, all;
  std::string summary;
  std::uint64_t lost = 0;
};

// The series of both have the labels of what sum keeps, since a record in Loki has service_name and detected_level, too.
constexpr const char* kQueries[] = {
    R"(sum by (app) (count_over_time({app=~".+"}[20s])))",
    R"(sum by (app) (rate({app=~".+"}[1m])))",
    R"(sum by (app) (bytes_over_time({app=~".+"} |= "1" [30s])))",
    R"(sum by (app) (count_over_time({app=~".+"} |= "7" [40s])) / sum by (app) (count_over_time({app=~".+"}[40s])))",
    R"(sum(count_over_time({app="x"}[20s])) + sum(count_over_time({app="y"}[20s])))",
    R"(sum(count_over_time({app="x"}[20s])) - sum(count_over_time({app="x"}[20s] offset 40s)))",
    R"(sum by (status) (count_over_time({app=~".+"} | json | __error__="" [30s])))",
    R"(sum by (status) (count_over_time({app=~".+"} | json | status=~"5.." | __error__="" [30s])))",
    R"(sum by (app) (sum_over_time({app="x"} | json | unwrap status | __error__="" [30s])))",
    R"(max by (app) (max_over_time({app="y"} | json | unwrap status | __error__="" [30s]) by (app)))",
    R"(quantile_over_time(0.5, {app="x"} | json | unwrap status | __error__="" [1m]) by (app))",
    R"(sum by (short) (count_over_time({app=~".+"} | label_format short="{{ .app }}-" | line_format "{{ .short }}" |= "x" [30s])))",
    R"(topk(1, sum by (app) (count_over_time({app=~".+"}[20s]))))",
    R"(sum(absent_over_time({app="z"}[20s])) or sum(count_over_time({app="x"}[20s])))",
    R"(vector(3))",
};

TEST_F(MergedMetricTest, EachRecordCountsOnce) {
  std::mt19937 random(11);
  loki.max_entries = 16;
  for (int i = 0; i < 300; ++i) {
    const auto second = static_cast<base::Duration>(random() % 150) - 50;
    const auto where = random() % 3;
    const std::string id = std::to_string(i);
    const auto status = std::to_string(random() % 2 == 0 ? 200 : 503);
    const std::string line = i % 10 == 0  ? R"({"status":)" + status + R"(,"broken":)" + id
                             : i % 3 == 0 ? R"({"status":)" + status + R"(,"id":)" + id + "}"
                                          : "plain " + id;
    add(second, random() % 2 == 0 ? "x" : "y", line, where != 0, where != 1);
  }
  for (const char* query : kQueries) {
    SCOPED_TRACE(query);
    for (const bool instant : {false, true}) {
      spec.instant = instant;
      const Lines expected = of_all(query);
      EXPECT_FALSE(expected.empty());
      EXPECT_EQ(lines(query), expected);
    }
  }
}

TEST_F(MergedMetricTest, NothingInLoki) {
  for (int i = 0; i < 50; ++i) add(2 * i, i % 3 == 0 ? "x" : "y", "line " + std::to_string(i), false, true);
  for (const char* query : kQueries) EXPECT_EQ(lines(query), of_all(query)) << query;
}

TEST_F(MergedMetricTest, NothingInTheSpool) {
  for (int i = 0; i < 50; ++i) add(2 * i, i % 3 == 0 ? "x" : "y", "line " + std::to_string(i), true, false);
  stored.push_back({{{"app", "other"}}, kStart, "x"});
  all.push_back(stored.back());
  for (const char* query : kQueries) EXPECT_EQ(lines(query), of_all(query)) << query;
}

TEST_F(MergedMetricTest, EqualRecordsAreCounted) {
  for (int i = 0; i < 2; ++i) add(10, "x", "same", true, false);
  for (int i = 0; i < 3; ++i) add(10, "x", "same", false, true);
  EXPECT_EQ(lines(R"(sum(count_over_time({app="x"}[20s])))"), Lines{R"({"timestamp":"1970-01-01T02:17:00Z","value":"3"})"});
}

// Loki's answer behind the parser has trace_id as metadata of all records.
TEST_F(MergedMetricTest, WhatAParserMakesIsNotWhatARecordHas) {
  for (int i = 0; i < 10; ++i) {
    const bool parsed = i % 2 == 1;
    const base::Timestamp time = kStart + i * base::kSecond;
    const std::string line = parsed ? "trace_id=t1 x" : "plain";
    const std::map<std::string, std::string> metadata =
        parsed ? std::map<std::string, std::string>{} : std::map<std::string, std::string>{{"trace_id", "t1"}};
    loki.entries.push_back({{{"app", "x"}}, time, line, metadata});
    stored.push_back({{{"app", "x"}}, time, line, metadata});
  }
  spec.instant = true;
  for (const char* query : {R"(sum(count_over_time({app="x"} | logfmt | trace_id="t1" [2m])))",
                            R"q(sum(count_over_time({app="x"} | regexp "(?P<trace_id>t1)" | trace_id="t1" [2m])))q",
                            R"(sum(count_over_time({app="x"} | pattern "trace_id=<trace_id> <_>" | trace_id="t1" [2m])))"}) {
    EXPECT_EQ(lines(query), Lines{R"({"timestamp":"1970-01-01T02:18:20Z","value":"10"})"}) << query;
    EXPECT_EQ(loki.last_parameters()["query"], R"({app="x"})");
  }
}

TEST_F(MergedMetricTest, SeriesHaveTheLabelsOfLoki) {
  add(10, "x", "in the spool", false, true);
  add(10, "x", "in both", true, true);
  EXPECT_EQ(lines(R"(count_over_time({app="x"}[20s]))"),
            Lines{R"({"timestamp":"1970-01-01T02:17:00Z",)"
                  R"("labels":{"app":"x","detected_level":"unknown","service_name":"x"},"value":"2"})"});
}

TEST_F(MergedMetricTest, AsksLokiForWhatTheRangesNeed) {
  add(10, "x", R"({"a":1,"x":6})", true, true);
  add(-3590, "x", "b", true, false);  // an empty answer is asked for twice
  const auto asked = [&](const std::string& query) {
    const int before = loki.requests();
    lines(query);
    auto parameters = loki.last_parameters();
    return std::to_string(loki.requests() - before) + " " + parameters["query"];
  };
  EXPECT_EQ(asked(R"(rate({app="x"} |= "a" | json | x > 5 [1m]))"), R"(1 {app="x"} |= "a")");
  EXPECT_EQ(loki.last_parameters()["start"], std::to_string(kStart - base::kMinute + 1));
  EXPECT_EQ(loki.last_parameters()["end"], std::to_string(kStart + 100 * base::kSecond + 1));
  EXPECT_EQ(asked(R"(rate({app="x"} | json | __error__="" | x > 5 |= "a" [1m]))"), R"(1 {app="x"} |= "a")");
  EXPECT_EQ(asked(R"(rate({app="x"} | line_format "y" |= "y" [1m]))"), R"(1 {app="x"})");
  EXPECT_EQ(asked(R"(rate({app="x"} |= "a" [1m]) / rate({app="x"}[1m]))"), R"(1 {app="x"})") << "one reading for both";
  EXPECT_EQ(asked(R"(rate({app="x"}[1m]) - rate({app="x"}[1m] offset 30s))"), R"(1 {app="x"})");
  EXPECT_EQ(loki.last_parameters()["start"], std::to_string(kStart - base::kMinute - 30 * base::kSecond + 1));
  EXPECT_EQ(asked(R"(rate({app="x"} |= "a" [1h]) / rate({app="x"}[1m]))").substr(0, 1), "2") << "no hour of all lines";
  EXPECT_EQ(asked(R"(rate({app="x"}[1m]) - rate({app="x"}[1m] offset 1h))").substr(0, 1), "2") << "nothing between the ranges";
  EXPECT_EQ(asked("vector(1)").substr(0, 1), "0");
}

TEST_F(MergedMetricTest, OtherTenantsStayApart) {
  spec.loki.tenant = "mine";
  stored = {{{{"app", "x"}}, kStart, "a", {}, "mine"}, {{{"app", "x"}}, kStart, "b", {}, "theirs"}};
  EXPECT_EQ(lines(R"(sum(count_over_time({app="x"}[20s])))"), Lines{R"({"timestamp":"1970-01-01T02:16:40Z","value":"1"})"});
}

TEST_F(MergedMetricTest, Mistakes) {
  add(10, "x", "a", true, true);
  EXPECT_EQ(lines(R"(rate([1m]))"), Lines{"cannot query Loki: a range of the query has no stream selector"});
  EXPECT_EQ(lines(R"(approx_topk(1, rate({app="x"}[1m])))"), Lines{"cannot evaluate approx_topk: weir counts exactly"});
  EXPECT_NE(lines(R"(rate({app="x"}[1m]) jsn)").front().find("parse error"), std::string::npos);
  spec.step = base::kMillisecond;
  EXPECT_EQ(lines(R"(rate({app="x"}[1m]))"), Lines{"cannot evaluate the query: it has more than 11000 points of time"});
  EXPECT_EQ(loki.requests(), 0);
}

TEST_F(MergedMetricTest, AnErrorOfARecordIsLokis) {
  add(10, "x", "no json", true, false);
  const auto failed = lines(R"(sum by (status) (count_over_time({app="x"} | json [20s])))");
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed.front().find("pipeline error: 'JSONParserErr' for series"), 0U) << failed.front();
}

TEST_F(MergedMetricTest, ALokiThatDoesNotAnswerIsAnError) {
  stored = {{{{"app", "x"}}, kStart, "a"}};
  loki.reply_first({{400, "no"}});
  const auto failed = lines(R"(sum(count_over_time({app="x"}[20s])))");
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_NE(failed.front().find("cannot query"), std::string::npos) << failed.front();
}

TEST_F(MergedMetricTest, SaysWhyThereIsNoSample) {
  add(10, "x", "a", true, true);
  EXPECT_EQ(lines(R"(sum(count_over_time({app="x"} |= "nothing" [20s])))"), Lines());
  EXPECT_EQ(summary, "there are records of these labels in this time, but none passes the rest of the query");
}

TEST_F(MergedMetricTest, WhatLokiDoesNotGiveIsLost) {
  loki.max_entries = 4;
  for (int i = 0; i < 6; ++i) add(10, "x", "same", true, false);
  add(20, "x", "other", false, true);
  EXPECT_EQ(lines(R"(sum(count_over_time({app="x"}[20s])))").size(), 1U);
  EXPECT_EQ(lost, 1U);
}

}  // namespace
}  // namespace weir::stages
