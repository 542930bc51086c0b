#include "scan/metric_scan.h"

#include "logql/metric_eval.h"
#include "spool/writer.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::scan {
namespace {

using test::at;

class MetricScanTest : public ::testing::Test {
 protected:
  // One block for each element. The times are seconds.
  void store(const std::vector<std::vector<test::TimedLine>>& blocks) {
    auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1'000'000 * base::kHour}, context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    for (const auto& block : blocks) {
      record::Batch batch;
      for (const test::TimedLine& line : block) {
        record::Record record;
        record.timestamp = at(line.seconds);
        record.labels = batch.hold(record::LabelSet::intern(line.labels));
        record.line = record::Text::bytes(batch.copy(line.line));
        builder.add(record);
      }
      ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
      if (!builder.empty()) builder.take();
    }
    ASSERT_TRUE((*writer)->close().ok());
  }

  std::string ask(std::string_view text, double start, double end, double step, const SpoolScan::Watch& watch = nullptr) {
    auto query = logql::MetricQuery::compile(text, {at(start), at(end), at(step)}, false, {});
    if (!query) return query.error().message;
    std::uint64_t unreadable = 0;
    auto answer = evaluate({&path, 1}, **query, {}, context.diagnostics, watch, unreadable);
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
  EXPECT_EQ(ask("vector(1)", 0, 60, 60,
                [&](const SpoolScan::Work&) {
                  ++opened;
                  return true;
                }),
            "0:1 60:1");
  EXPECT_EQ(opened, 0);
}

TEST_F(MetricScanTest, StoredTime) {
  store({{{10, "a"}, {30, "b"}}, {{20, "c"}}});
  auto range = stored_time({&path, 1});
  ASSERT_TRUE(range.ok() && range->has_value());
  EXPECT_EQ((*range)->from, at(10));
  EXPECT_EQ((*range)->to, at(30) + 1);
}

}  // namespace
}  // namespace weir::scan
