#include "logql/range_vector.h"

#include "logql/metric_eval.h"
#include "logql/parser.h"

#include <algorithm>

namespace weir::logql {
namespace {

using test::at;
using test::evaluate_metric;

TEST(MetricTimes, AlignsToMultiplesOfTheStep) {
  const MetricTimes times = MetricTimes{at(67), at(190), at(60)}.aligned();
  EXPECT_EQ(times.start, at(60));
  EXPECT_EQ(times.end, at(240));
  EXPECT_EQ(times.points(), 4U);
  EXPECT_EQ((MetricTimes{at(60), at(120), at(60)}.aligned().end), at(120));
  EXPECT_EQ((MetricTimes{at(-67), at(-1), at(60)}.aligned().start), at(-120));
  EXPECT_EQ((MetricTimes{5, 5, 0}.points()), 1U);
}

RangeAggregation aggregation(std::string_view text) { return std::get<RangeAggregation>(parse(text)->node); }

TEST(RangeVector, ReadsWhatCounts) {
  auto range = RangeVector::compile(aggregation(R"(rate({app="x"}[1m] offset 10s))"), {}, {at(100), at(200), at(50)}, 1 << 20, "");
  ASSERT_TRUE(range.ok());
  EXPECT_EQ((*range)->reads().from, at(30) + 1);
  EXPECT_EQ((*range)->reads().to, at(190) + 1);
}

// Each time is in one cell, and those of a cell count at the same points.
TEST(RangeVector, CellsAreWhatCountsAtTheSamePoints) {
  constexpr base::Duration kUnit = base::kMillisecond;
  for (const MetricTimes times : {MetricTimes{100 * kUnit, 200 * kUnit, 20 * kUnit},
                                  MetricTimes{100 * kUnit, 200 * kUnit, 70 * kUnit}, MetricTimes{100 * kUnit, 100 * kUnit, 0}}) {
    for (const std::string_view text :
         {"rate({app=\"x\"}[30ms])", "rate({app=\"x\"}[20ms])", "rate({app=\"x\"}[7ms] offset 9ms)", "rate({app=\"x\"}[300ms])"}) {
      SCOPED_TRACE(text);
      auto range = RangeVector::compile(aggregation(text), {}, times, 1 << 20, "");
      ASSERT_TRUE(range.ok()) << range.error().message;
      const auto counts_at = [&](base::Timestamp time) {
        const auto points = (*range)->points_of(time);
        return points.first > points.last ? std::pair<std::ptrdiff_t, std::ptrdiff_t>(0, -1) : std::pair(points.first, points.last);
      };
      int cells = 0;
      for (int i = -600; i < 800; ++i) {
        const base::Timestamp time = i / 2 * kUnit + i % 2;
        const base::TimeRange cell = (*range)->cell_of(time);
        ASSERT_TRUE(cell.contains(time)) << time;
        if (cell.from == time) ++cells;
        if (cell.from == base::TimeRange::kBeginning || cell.to == base::TimeRange::kForever) {
          EXPECT_FALSE((*range)->reads().contains(time)) << time;
          continue;
        }
        for (const base::Timestamp other : {cell.from, cell.to - 1}) {
          EXPECT_EQ(counts_at(other), counts_at(time)) << time << " " << other;
          const base::TimeRange same = (*range)->cell_of(other);
          EXPECT_TRUE(same.from == cell.from && same.to == cell.to) << time << " " << other;
        }
      }
      EXPECT_GE(cells, 1);
      EXPECT_LE(cells, 2 * static_cast<int>(((*range)->reads().to - (*range)->reads().from) / kUnit));
    }
  }
}

TEST(RangeVector, ASeriesIsAllLabelsOfItsSamples) {
  const std::vector<test::TimedLine> lines = {
      {1, R"({"code":"1"})", {{"app", "x"}}, {{"tid", "T"}}},
      {2, R"({"code":"2"})", {{"app", "x"}}, {}},
      {3, R"({"code":"1"})", {{"app", "x"}}, {{"app", "m"}}},
      {4, R"({"code":"1"})", {{"app", "x"}}, {{"tid", "T"}}},
  };
  const std::pair<std::string_view, std::string_view> rows[] = {
      {R"(count_over_time({app="x"}[9s]))", "app=x 9:1 | app=x app_extracted=m 9:1 | app=x tid=T 9:2"},
      {R"(count_over_time({app="x"} | json | drop tid, app_extracted [9s]))", "app=x code=1 9:3 | app=x code=2 9:1"},
      {R"(sum by (tid) (count_over_time({app="x"}[9s])))", "9:2 | tid=T 9:2"},
      {R"(sum by (app_extracted) (count_over_time({app="x"}[9s])))", "9:3 | app_extracted=m 9:1"},
      {R"(sum without (tid, app_extracted) (count_over_time({app="x"}[9s])))", "app=x 9:4"},
      {R"(sum_over_time({app="x"} | json | drop tid, app_extracted | unwrap code [9s]))", "app=x 9:5"},
      {R"(max_over_time({app="x"} | json | unwrap code [9s]) by (tid))", "9:2 | tid=T 9:1"},
      {R"(max_over_time({app="x"} | json | unwrap code [9s]) without (tid, app_extracted))", "app=x 9:2"},
      {R"(absent_over_time({app="y", pod=~"z", zone="a"}[9s]))", "app=y zone=a 9:1"},
      {R"(absent_over_time({app="y", app!="z", zone="a"}[9s]))", "zone=a 9:1"},
      {R"(absent_over_time({app="x"}[9s]))", ""},
  };
  for (const auto& [query, expected] : rows) EXPECT_EQ(evaluate_metric(query, lines, 9, 9, 0), expected) << query;
}

// Whoever asks for __error__ gets those of parsers; what cannot be unwrapped fails the query all the same.
TEST(RangeVector, ErrorsThatAreAskedFor) {
  const std::vector<test::TimedLine> lines = {{1, R"({"n":"x"})"}, {2, R"({"n":"1")"}};
  EXPECT_EQ(evaluate_metric(R"(sum by (__error__) (count_over_time({app="x"} | json [9s])))", lines, 9, 9, 0),
            "9:1 | __error__=JSONParserErr 9:1");
  EXPECT_TRUE(evaluate_metric(R"(max_over_time({app="x"} | json | __error__="" | unwrap n [9s]) by ())", lines, 9, 9, 0)
                  .starts_with("ERROR pipeline error: 'SampleExtractionErr'"));
}

TEST(RangeVector, FreesTheWindowsOfPointsThatAreOver) {
  auto range =
      RangeVector::compile(aggregation(R"(count_over_time({app="x"} | logfmt [1s]))"), {}, {at(0), at(10'000), at(1)}, 4096, "");
  ASSERT_TRUE(range.ok());
  MetricVector out;
  std::size_t samples = 0;
  for (int i = 0; i < 10'000; ++i) {
    record::Batch batch;
    record::Record record;
    record.timestamp = at(i) + 1;
    record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}}));
    const std::string line = fmt::format("id={}", i);  // each line is a series of its own
    record.line = record::Text::bytes(line);
    ASSERT_TRUE((*range)->add(record, batch).ok()) << i;
    (*range)->at(static_cast<std::size_t>(i), out);
    samples += out.size();
    out.clear();
  }
  EXPECT_EQ(samples, 9'999U);
}

// A sample is kept once, however many windows it is in. Each point sees those of its own window, also where windows lie apart.
TEST(RangeVector, KeepsEachSampleOnce) {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(fmt::format("v={}", (i * 7919) % 1000));
  std::vector<test::TimedLine> lines;
  for (int i = 0; i < 1000; ++i) lines.push_back({i + 0.5, texts[static_cast<std::size_t>(i)]});
  for (const auto& [seconds, step] : {std::pair(600, 1), {600, 50}, {10, 30}, {1, 1}}) {
    const std::string query = fmt::format(R"(quantile_over_time(0.3, {{app="x"}} | logfmt | unwrap v [{}s]) by ())", seconds);
    std::string expected;
    for (int at = 0; at <= 1000; at += step) {
      std::vector<double> values;
      for (int i = std::max(0, at - seconds); i < at; ++i) values.push_back((i * 7919) % 1000);
      if (values.empty()) continue;
      std::ranges::sort(values);
      const double rank = 0.3 * static_cast<double>(values.size() - 1);
      const auto lower = static_cast<std::size_t>(rank), upper = std::min(values.size() - 1, lower + 1);
      const double weight = rank - static_cast<double>(lower);
      expected += fmt::format(" {}:{}", at, gotext::print_float_f(values[lower] * (1 - weight) + values[upper] * weight));
    }
    logql::MetricLimits limits;
    limits.memory = 128 << 10;
    EXPECT_EQ(" " + evaluate_metric(query, lines, 0, 1000, step, limits), expected) << seconds << " " << step;
  }
}

}  // namespace
}  // namespace weir::logql
