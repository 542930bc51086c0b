#include "scan/metric_scan.h"

#include "logql/metric_eval.h"
#include "spool/writer.h"
#include "sqlite/database.h"
#include "support/collect.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace weir::scan {
namespace {

using test::at;

class MetricScanTest : public ::testing::Test {
 protected:
  // One block for each element. The times are seconds. The label `tenant` becomes the tenant.
  void store(const std::vector<std::vector<test::TimedLine>>& blocks) {
    auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1'000'000 * base::kHour}, context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    for (const auto& block : blocks) {
      record::Batch batch;
      for (const test::TimedLine& line : block) {
        record::Record record;
        record.timestamp = at(line.seconds);
        auto labels = line.labels;
        std::erase_if(labels, [&](const record::Label& label) {
          if (label.name != "tenant") return false;
          record.tenant = batch.copy(label.value);
          return true;
        });
        record.labels = batch.hold(record::LabelSet::intern(labels));
        record.line = record::Text::bytes(batch.copy(line.line));
        builder.add(record);
      }
      ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
      if (!builder.empty()) builder.take();
    }
    ASSERT_TRUE((*writer)->close().ok());
  }

  std::string ask(std::string_view text, double start, double end, double step, const MetricScan& how = {},
                  const logql::MetricLimits& limits = {}) {
    auto query = logql::MetricQuery::compile(text, {at(start), at(end), at(step)}, false, limits);
    if (!query) return query.error().message;
    std::uint64_t unreadable = 0;
    auto answer = evaluate({&path, 1}, **query, how, context.diagnostics, unreadable);
    EXPECT_EQ(unreadable, 0U);
    return answer ? test::print_answer(*answer) : answer.error().message;
  }

  test::TestContext context;
  test::TempDir dir;
  std::string path = dir / "s.db";
};

TEST_F(MetricScanTest, CountsAcrossBlocksInTheOrderOfTime) {
  store({{{10, "a"}, {30, "b"}, {90, "c"}}, {{20, "a"}, {80, "b"}}, {{70, "a", {{"app", "y"}}}}});
  EXPECT_EQ(ask(R"(count_over_time({app=~".+"}[60s]))", 0, 120, 60), "app=x 60:3 120:2 | app=y 120:1");
  EXPECT_EQ(ask(R"(count_over_time({app="x"} |= "b" [60s]))", 0, 120, 60), "app=x 60:1 120:1");
  constexpr std::string_view kFirst =
      R"q(first_over_time({app="x"} | label_format n="{{ __timestamp__ | unixEpoch }}" | unwrap n [200s]) by (app))q";
  EXPECT_EQ(ask(kFirst, 100, 100, 60), "app=x 100:10");
  EXPECT_EQ(ask(R"(sum(count_over_time({app="x"}[60s])) + sum(count_over_time({app="y"}[60s])))", 0, 120, 60), "120:3");
  EXPECT_EQ(ask(R"(sum(count_over_time({app="x"}[60s])) - sum(count_over_time({app="x"}[60s] offset 60s)))", 0, 120, 60), "120:-1");
}

TEST_F(MetricScanTest, ReadsNoRecordWhereNoneCounts) {
  store({{{10, "a"}}});
  int opened = 0;
  const auto watch = [&](const SpoolScan::Work&) {
    ++opened;
    return true;
  };
  EXPECT_EQ(ask("vector(1)", 0, 60, 60, {.watch = watch}), "0:1 60:1");
  EXPECT_EQ(opened, 0);
}

TEST_F(MetricScanTest, StoredTime) {
  store({{{10, "a"}, {30, "b"}}, {{20, "c"}}});
  auto range = stored_time({&path, 1});
  ASSERT_TRUE(range.ok() && range->has_value());
  EXPECT_EQ((*range)->from, at(10));
  EXPECT_EQ((*range)->to, at(30) + 1);
}

TEST_F(MetricScanTest, StoredTimeOfTheLastMoment) {
  constexpr auto kLast = std::numeric_limits<base::Timestamp>::max();
  test::make_spool(path, {{{{"app", "x"}}, 5, "a"}, {{{"app", "x"}}, kLast, "b", {}, "red"}}, context);
  for (const WantedTenant& tenant : {WantedTenant(), WantedTenant("red")}) {
    auto range = stored_time({&path, 1}, tenant);
    ASSERT_TRUE(range.ok() && range->has_value());
    EXPECT_EQ((*range)->to, kLast);
  }
}

TEST_F(MetricScanTest, WhatCannotBeReadIsCounted) {
  store({{{10, "a"}, {30, "b"}}, {{20, "c"}}});
  auto database = sqlite::Database::open(path, sqlite::Access::write, 0);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->execute("UPDATE bodies SET body = x'00' WHERE block = 2").ok());
  for (const unsigned threads : {1U, 2U}) {
    auto query = logql::MetricQuery::compile(R"(count_over_time({app="x"}[60s]))", {at(60), at(60), 0}, true, {});
    ASSERT_TRUE(query.ok());
    std::uint64_t unreadable = 7;
    const Damage damage(context.diagnostics);
    auto answer = evaluate({&path, 1}, **query, {.limits = {.threads = threads}}, damage, unreadable);
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->series.at(0).points.at(0).value, 2);
    EXPECT_EQ(unreadable, 1U);
    // A question that reads nothing more.
    auto none = logql::MetricQuery::compile("vector(1)", {at(60), at(60), 0}, true, {});
    unreadable = 7;
    EXPECT_TRUE(evaluate({&path, 1}, **none, {}, damage, unreadable).ok());
    EXPECT_EQ(unreadable, 1U);
  }
}

TEST_F(MetricScanTest, RecordsOfOneTenant) {
  store({{{10, "a", {{"app", "x"}, {"tenant", "red"}}}, {30, "b"}},
         {{20, "c", {{"app", "x"}, {"tenant", "red"}}}, {25, "d", {{"app", "y"}, {"tenant", "blue"}}}},
         {{70, "e", {{"app", "x"}, {"tenant", "blue"}}}}});
  constexpr std::string_view kCount = R"(count_over_time({app=~".+"}[100s]))";
  EXPECT_EQ(ask(kCount, 100, 100, 60), "app=x 100:4 | app=y 100:1");
  EXPECT_EQ(ask(kCount, 100, 100, 60, {.tenant = "red"}), "app=x 100:2");
  EXPECT_EQ(ask(kCount, 100, 100, 60, {.tenant = "blue"}), "app=x 100:1 | app=y 100:1");
  EXPECT_EQ(ask(kCount, 100, 100, 60, {.tenant = ""}), "app=x 100:1");
  EXPECT_EQ(ask(kCount, 100, 100, 60, {.tenant = "green"}), "");

  const auto stored = [&](const WantedTenant& tenant) {
    auto range = stored_time({&path, 1}, tenant);
    EXPECT_TRUE(range.ok());
    return range.ok() && *range ? std::pair((*range)->from, (*range)->to) : std::pair<base::Timestamp, base::Timestamp>();
  };
  EXPECT_EQ(stored({}), std::pair(at(10), at(70) + 1));
  EXPECT_EQ(stored("red"), std::pair(at(10), at(20) + 1));
  EXPECT_EQ(stored("blue"), std::pair(at(25), at(70) + 1));
  EXPECT_EQ(stored(""), std::pair(at(30), at(30) + 1));
  auto none = stored_time({&path, 1}, "green");
  EXPECT_TRUE(none.ok() && !none->has_value());
}

TEST_F(MetricScanTest, WhatTheAnswerMayTakeIsLimited) {
  store({{{10, "a"}, {20, "b", {{"app", "y"}}}}});
  constexpr std::string_view kCount = R"(count_over_time({app=~".+"}[100s]))";
  EXPECT_EQ(ask(kCount, 60, 60, 60, {.limits = {.threads = 2}}, {.series = 2}), "app=x 60:1 | app=y 60:1");
  EXPECT_NE(ask(kCount, 60, 60, 60, {}, {.series = 1}).find("maximum"), std::string::npos);
  EXPECT_NE(ask(kCount, 60, 60, 60, {}, {.memory = 1}).find("memory"), std::string::npos);
}

}  // namespace
}  // namespace weir::scan
