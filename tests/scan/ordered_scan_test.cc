// A scan beside the naive one: all records sorted by time, whatever the blocks, the memory and the threads.
#include "scan/spool_scan.h"

#include "logql/metric_eval.h"
#include "scan/metric_scan.h"
#include "spool/writer.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace weir::scan {
namespace {

using base::Timestamp;

struct Stored {
  Timestamp time;
  std::size_t spool;
  std::string text;  // as shown() shows it
  std::string line;
  std::string pod;
};

std::string shown(record::Record& record, record::Batch& batch) {
  std::string text = fmt::format("{} {} {} {}{}", record.timestamp, record.labels->get("pod"), record.tenant,
                                 record.held ? "held " : "", batch.line(record));
  for (const record::Label& label : record.metadata) text += fmt::format(" {}={}", label.name, label.value);
  if (record.extra != nullptr) text += record.extra->unknown;
  return text;
}

class OrderedScanTest : public ::testing::Test {
 protected:
  // Spools of random blocks, whose times overlap by `spread`.
  void store(unsigned seed, std::size_t spools, std::size_t blocks, std::size_t records, Timestamp spread) {
    std::mt19937 random(seed);
    const auto below = [&random](std::size_t end) { return static_cast<std::size_t>(random() % end); };
    for (std::size_t spool = 0; spool < spools; ++spool) {
      paths.push_back(directory / fmt::format("{}-{}.db", seed, spool));
      auto writer =
          spool::Writer::open({.path = paths.back(), .min_free = 0, .retain = 1000 * base::kHour}, context.clock, nullptr);
      ASSERT_TRUE(writer.ok()) << writer.error().message;
      spool::BlockBuilder builder;
      for (std::size_t block = 0; block < blocks; ++block) {
        record::Batch batch;
        const std::string known = R"("k":)" + std::to_string(block);
        for (std::size_t i = 0, count = below(records) + 1; i < count; ++i) {
          record::Record record;
          record.timestamp = static_cast<Timestamp>(block * 100 + below(static_cast<std::size_t>(spread))) * unit;
          const std::string pod = fmt::format("p{}", below(5));
          record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}, {"pod", pod}}));
          // Hex digits and times, which a block stores as numbers.
          std::string line = fmt::format("{} {} {} {:016x}{:016x} {}", spool, block, i, random() * 0x9e3779b97f4a7c15U, random(),
                                         below(3) == 0 ? "needle" : "hay");
          if (below(10) == 0) line += std::string(below(3000), 'x');
          record.line = record::Text::bytes(batch.copy(line));
          record.tenant = below(4) == 0 ? "t" : "";
          record.held = below(8) == 0;
          const std::vector<record::Label> metadata = {{"level", below(2) == 0 ? "info" : "error"}, {"id", pod}};
          if (below(3) != 0) record.metadata = metadata;
          record::Extra extra;
          extra.unknown = known;
          if (below(9) == 0) record.extra = &extra;
          builder.add(record);
          stored.push_back({record.timestamp, spool, shown(record, batch), line, pod});
        }
        const auto effort = block % 2 == 0 ? spool::Effort::fast : spool::Effort::thorough;
        ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, effort).ok());
        if (!builder.empty()) builder.take();
      }
      ASSERT_TRUE((*writer)->close().ok());
    }
  }

  std::vector<std::string> expected(const std::string& needle, const base::TimeRange& range) const {
    std::vector<Stored> wanted = stored;
    std::erase_if(wanted,
                  [&](const Stored& one) { return !range.contains(one.time) || one.line.find(needle) == std::string::npos; });
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const Stored& a, const Stored& b) { return a.time != b.time ? a.time < b.time : a.spool < b.spool; });
    std::vector<std::string> texts;
    for (const Stored& one : wanted) texts.push_back(one.text);
    return texts;
  }

  std::vector<std::string> scanned(const std::string& query, const base::TimeRange& range, const Limits& limits,
                                   std::uint64_t newest = 0) {
    auto scan = SpoolScan::open(paths, query, range, context.diagnostics);
    EXPECT_TRUE(scan.ok()) << scan.error().message;
    (*scan)->set_limits(limits);
    (*scan)->keep_as_stored();
    if (newest > 0) {
      EXPECT_TRUE((*scan)->keep_newest(newest).ok());
    }
    std::vector<std::string> texts;
    const auto done = (*scan)->run([&](record::Batch& batch) -> base::Result<bool> {
      for (record::Record& record : batch.records) texts.push_back(shown(record, batch));
      return true;
    });
    EXPECT_TRUE(done.ok()) << done.error().message;
    return texts;
  }

  test::TestContext context;
  test::TempDir directory;
  std::vector<std::string> paths;
  std::vector<Stored> stored;
  Timestamp unit = 1;  // of times, in nanoseconds
};

struct Case {
  std::size_t spools, blocks, records;
  Timestamp spread;
};
// One behind the other; overlapping by some; all over each other; many of one time.
const std::vector<Case> kCases = {{1, 20, 60, 50}, {2, 15, 200, 350}, {3, 10, 400, 2000}, {2, 10, 300, 2}};
// From "each time in a round of its own" to "all fits".
const std::vector<std::size_t> kMemories = {1, 40'000, 400'000, 32U << 20U};

TEST_F(OrderedScanTest, AllRecordsComeInOrderWhateverTheMemoryAndTheThreads) {
  for (std::size_t i = 0; i < kCases.size(); ++i) {
    SCOPED_TRACE(i);
    stored.clear();
    paths.clear();
    const Case& one = kCases[i];
    store(static_cast<unsigned>(i), one.spools, one.blocks, one.records, one.spread);
    for (const std::size_t memory : kMemories) {
      // A round for each time reads every block hundreds of times.
      if (memory == 1 && one.spread > 100) continue;
      for (const unsigned threads : {1U, 3U}) {
        SCOPED_TRACE(fmt::format("memory {} threads {}", memory, threads));
        const Limits limits = {.memory = memory, .threads = threads};
        EXPECT_EQ(scanned("", {}, limits), expected("", {}));
        EXPECT_EQ(scanned("|= `needle`", {120, 700}, limits), expected("needle", {120, 700}));
      }
    }
  }
}

TEST_F(OrderedScanTest, TheNewestWithThreads) {
  store(7, 2, 20, 100, 300);
  for (const unsigned threads : {1U, 3U}) {
    for (const std::size_t count : {1U, 17U, 500U}) {
      const auto all = expected("needle", {});
      ASSERT_GT(all.size(), count);
      EXPECT_EQ(scanned("|= `needle`", {}, {.threads = threads}, count),
                std::vector<std::string>(all.end() - static_cast<std::ptrdiff_t>(count), all.end()));
    }
  }
}

TEST_F(OrderedScanTest, WhoTakesFewIsGivenThemWithoutTheRest) {
  store(17, 2, 20, 100, 300);
  const auto all = expected("", {});
  const auto given = [&](std::uint64_t count, const Limits& limits) {
    auto scan = SpoolScan::open(paths, "", {}, context.diagnostics);
    (*scan)->set_limits(limits);
    (*scan)->keep_as_stored();
    (*scan)->expect_at_most(count);
    std::vector<std::string> texts;
    EXPECT_TRUE((*scan)
                    ->run([&](record::Batch& batch) -> base::Result<bool> {
                      for (record::Record& record : batch.records) texts.push_back(shown(record, batch));
                      return true;
                    })
                    .ok());
    return texts;
  };
  for (const unsigned threads : {1U, 3U}) {
    for (const std::size_t memory : {40'000U, 32U << 20U}) {
      for (const std::size_t count : {1U, 17U, 500U}) {
        ASSERT_GT(all.size(), count);
        auto texts = given(count, {.memory = memory, .threads = threads});
        ASSERT_GE(texts.size(), count);
        if (count == 1 && memory > 1'000'000) {
          EXPECT_LE(texts.size(), 40U);  // one of each block
        }
        texts.resize(count);
        EXPECT_EQ(texts, std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)));
      }
    }
  }
}

// Floats, whose sum depends on their order, with few and many threads, in much and little memory.
TEST_F(OrderedScanTest, MetricsAreThoseOfOneThread) {
  unit = base::kMillisecond;
  store(11, 2, 30, 120, 900);
  const auto ask = [&](std::string_view text, const Limits& limits) {
    auto query = logql::MetricQuery::compile(text, {0, 4000 * unit, 250 * unit}, false, {});
    EXPECT_TRUE(query.ok()) << query.error().message;
    std::uint64_t unreadable = 0;
    auto answer = evaluate(paths, **query, {.limits = limits}, context.diagnostics, unreadable);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    return test::print_answer(*answer);
  };
  // Record after record, without what the scan does.
  const auto recounted = [&](std::string_view text) {
    auto query = logql::MetricQuery::compile(text, {0, 4000 * unit, 250 * unit}, false, {});
    auto scan = SpoolScan::open(paths, R"({app="x"})", (*query)->reads(), context.diagnostics);
    const auto read = (*scan)->run([&](record::Batch& batch) -> base::Result<bool> {
      for (record::Record& record : batch.records) {
        if (auto ok = (*query)->add(record, batch); !ok) return std::move(ok).error();
      }
      return true;
    });
    EXPECT_TRUE(read.ok()) << read.error().message;
    return test::print_answer(*(*query)->finish());
  };
  const std::vector<std::string_view> texts = {
      R"(sum by (pod) (count_over_time({app="x"}[500ms])))",
      R"(bytes_over_time({app="x"} |= "needle" [300ms]))",
      R"(sum by (level) (rate({app="x"} | level="error" [250ms])))",
      R"(sum by (level) (rate({app="x"}[100ms])))",
      R"q(sum by (pod) (sum_over_time({app="x"} | pattern "<s> <b> <n> <_>" | label_format v="{{ divf .n 7 }}" | unwrap v [400ms]))
         )q",
      R"(sum(count_over_time({pod="p1"}[500ms])) / sum(count_over_time({app="x"}[500ms] offset 250ms)))",
      R"(sum(count_over_time({pod="p1"}[70ms])) + sum(bytes_over_time({app="x"}[330ms] offset 110ms)))",
      // One that adds up, and one that does not.
      R"q(sum(count_over_time({app="x"}[500ms])) / sum(first_over_time({app="x"} | pattern "<s> <n> <_>" | unwrap n [400ms])
         by (pod)))q",
  };
  for (const std::string_view text : texts) {
    SCOPED_TRACE(text);
    const std::string one = ask(text, {.threads = 1});
    EXPECT_NE(one, "");
    EXPECT_EQ(one, recounted(text));
    EXPECT_EQ(ask(text, {.threads = 3}), one);
    for (const std::size_t memory : {1U, 4'000U, 60'000U}) {
      if (memory == 1 && text != texts.front()) continue;  // a round for each cell reads every block again
      EXPECT_EQ(ask(text, {.memory = memory, .threads = 1}), one) << memory;
    }
    EXPECT_EQ(ask(text, {.memory = 4'000, .threads = 3}), one);
  }
  // Beside the records themselves.
  std::size_t of_p1 = 0;
  for (const Stored& stored_one : stored)
    of_p1 += stored_one.pod == "p1" && stored_one.time > 750 * unit && stored_one.time <= 1000 * unit ? 1 : 0;
  auto query = logql::MetricQuery::compile(R"(sum(count_over_time({pod="p1"}[250ms])))", {1000 * unit, 1000 * unit, 0}, false, {});
  std::uint64_t unreadable = 0;
  auto answer = evaluate(paths, **query, {.limits = {.threads = 3}}, context.diagnostics, unreadable);
  ASSERT_TRUE(answer.ok());
  ASSERT_EQ(answer->series.size(), 1U);
  EXPECT_EQ(answer->series[0].points[0].value, static_cast<double>(of_p1));
}

TEST_F(OrderedScanTest, WhoWantsNoMoreEndsTheThreads) {
  store(13, 1, 40, 200, 50);
  auto scan = SpoolScan::open(paths, "", {}, context.diagnostics);
  (*scan)->set_limits({.threads = 3});
  int batches = 0;
  ASSERT_TRUE((*scan)
                  ->run([&](record::Batch&) -> base::Result<bool> {
                    ++batches;
                    return false;
                  })
                  .ok());
  EXPECT_EQ(batches, 1);
  int blocks = 0;
  (*scan)->watch([&](const Work&) { return ++blocks < 10; });
  ASSERT_TRUE((*scan)->run([](record::Batch&) -> base::Result<bool> { return true; }).ok());
  EXPECT_EQ(blocks, 10);
}

}  // namespace
}  // namespace weir::scan
