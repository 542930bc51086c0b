#include "scan/spool_scan.h"

#include "record/jsonl_writer.h"
#include "spool/writer.h"
#include "sqlite/database.h"
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
using record::Batch;
using record::LabelSet;
using record::Record;
using spool::TimeRange;

struct Line {
  Timestamp time;
  std::string text;
  std::string pod = "p";
  bool held = false;
  std::vector<record::Label> metadata = {};
  std::string tenant = {};
};

class SpoolScanTest : public ::testing::Test {
 protected:
  void store(const std::vector<std::vector<Line>>& blocks) {
    auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1000 * base::kHour}, context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    for (const auto& block : blocks) {
      Batch batch;
      for (const Line& line : block) {
        Record record;
        record.timestamp = line.time;
        record.labels = batch.hold(LabelSet::intern({{"namespace", "shop"}, {"pod", line.pod}}));
        record.line = record::Text::bytes(batch.copy(line.text));
        record.held = line.held;
        record.metadata = line.metadata;
        record.tenant = line.tenant;
        builder.add(record);
        stored.push_back(line);
      }
      const auto appended = (*writer)->append(builder, nullptr, nullptr, effort);
      ASSERT_TRUE(appended.ok()) << appended.error().message;
      if (!builder.empty()) builder.take();
    }
    ASSERT_TRUE((*writer)->close().ok());
  }

  std::unique_ptr<SpoolScan> open(const std::string& query, TimeRange range = {}) {
    auto scan = SpoolScan::open(path, query, range, context.diagnostics);
    EXPECT_TRUE(scan.ok()) << scan.error().message;
    return scan.ok() ? std::move(*scan) : nullptr;
  }
  // "TIME LINE" of every record, checking that no time goes back.
  std::vector<std::string> run(SpoolScan& scan) {
    std::vector<std::string> lines;
    Timestamp last = std::numeric_limits<Timestamp>::min();
    const auto result = scan.run([&](Batch& batch) -> base::Result<bool> {
      for (Record& record : batch.records) {
        EXPECT_LE(last, record.timestamp);
        last = record.timestamp;
        EXPECT_FALSE(record.source);
        lines.push_back(fmt::format("{} {}", record.timestamp, batch.line(record)));
      }
      return true;
    });
    EXPECT_TRUE(result.ok()) << result.error().message;
    return lines;
  }
  std::vector<std::string> expected(TimeRange range = {}, std::string_view containing = "") const {
    std::vector<Line> lines = stored;
    std::erase_if(lines,
                  [&](const Line& line) { return !range.contains(line.time) || line.text.find(containing) == std::string::npos; });
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.time < b.time; });
    std::vector<std::string> shown;
    for (const Line& line : lines) shown.push_back(fmt::format("{} {}", line.time, line.text));
    return shown;
  }
  // Blocks whose times overlap at random.
  void store_random(unsigned seed, std::size_t blocks, std::size_t records, Timestamp spread) {
    std::mt19937 random(seed);
    std::vector<std::vector<Line>> all(blocks);
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t i = 0; i < records; ++i) {
        const auto time = static_cast<Timestamp>(b) * 100 + static_cast<Timestamp>(random()) % spread;
        all[b].push_back(
            {time, fmt::format("{} {} {}", b, i, random() % 3 == 0 ? "needle" : "hay"), fmt::format("p{}", random() % 4)});
      }
    }
    store(all);
  }

  test::TestContext context;
  test::TempDir directory;
  std::string path = directory / "spool.db";
  std::vector<Line> stored;
  spool::Effort effort = spool::Effort::fast;
};

TEST_F(SpoolScanTest, WhatIsEvictedMeanwhileIsReportedOnce) {
  store({{{1, "a"}, {2, "b"}}, {{3, "c"}}, {{4, "d"}}});
  auto scan = open("");
  auto database = sqlite::Database::open(path, sqlite::Access::write, 0);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->execute("DELETE FROM bodies WHERE block = 1; DELETE FROM blocks WHERE id = 1").ok());
  EXPECT_EQ(run(*scan), (std::vector<std::string>{"3 c", "4 d"}));
  EXPECT_EQ(context.diagnostics.said(),
            std::vector<std::string>{"up to 2 records are missing: the process that writes the spool removed them meanwhile"});
  EXPECT_EQ(run(*scan).size(), 2U);
  EXPECT_EQ(context.diagnostics.said().size(), 1U);
  EXPECT_EQ(scan->unreadable_blocks(), 0U);
}

TEST_F(SpoolScanTest, EmptyQueryMeansEveryRecord) {
  store({{{5, "b"}, {3, "a"}}, {{4, "c"}}});
  EXPECT_EQ(run(*open("")), (std::vector<std::string>{"3 a", "4 c", "5 b"}));
  EXPECT_EQ(run(*open("{}")), run(*open("")));
}

TEST_F(SpoolScanTest, EqualTimesComeInTheOrderOfStoring) {
  store({{{5, "a"}, {5, "b"}}, {{5, "c"}, {1, "first"}}, {{5, "d"}}});
  EXPECT_EQ(run(*open("")), (std::vector<std::string>{"1 first", "5 a", "5 b", "5 c", "5 d"}));
}

TEST_F(SpoolScanTest, OverlappingBlocksComeInOrderWhateverFits) {
  for (const Timestamp spread : {50, 150, 1000, 100'000}) {
    SCOPED_TRACE(spread);
    stored.clear();
    path = directory / fmt::format("spread{}.db", spread);
    store_random(static_cast<unsigned>(spread), 12, 300, spread);
    for (const std::size_t memory : {1U, 32'000U, 320'000U, 64U << 20}) {
      SCOPED_TRACE(memory);
      const auto scan = open("");
      scan->set_limits({.memory = memory});
      EXPECT_EQ(run(*scan), expected());
    }
  }
}

TEST_F(SpoolScanTest, SeveralSpoolsAreOne) {
  store({{{1, "a"}, {5, "b"}}, {{3, "c"}}});
  const std::string first = path;
  path = directory / "second.db";
  store({{{5, "d", "q"}, {2, "e", "q"}}, {{9, "f", "q"}}});
  const auto lines = [&](const std::vector<std::string>& paths) {
    auto scan = SpoolScan::open(paths, "", {}, context.diagnostics);
    EXPECT_TRUE(scan.ok()) << scan.error().message;
    EXPECT_EQ((*scan)->series()->size(), 2U);
    return run(**scan);
  };
  EXPECT_EQ(lines({first, path}), (std::vector<std::string>{"1 a", "2 e", "3 c", "5 b", "5 d", "9 f"}));
  EXPECT_EQ(lines({path, first}), (std::vector<std::string>{"1 a", "2 e", "3 c", "5 d", "5 b", "9 f"}));
  const std::vector<std::string> paths = {first, path};
  auto scan = SpoolScan::open(paths, "", {}, context.diagnostics);
  EXPECT_TRUE(*(*scan)->keep_newest(2));
  EXPECT_EQ(run(**scan), (std::vector<std::string>{"5 d", "9 f"}));
}

TEST_F(SpoolScanTest, OneTimestampMayTakeMoreThanTheMemory) {
  std::vector<std::vector<Line>> blocks(4);
  for (int i = 0; i < 400; ++i) blocks[static_cast<std::size_t>(i / 100)].push_back({7, fmt::format("{}", i)});
  store(blocks);
  const auto scan = open("");
  scan->set_limits({.memory = 1600});
  EXPECT_EQ(run(*scan), expected());
}

TEST_F(SpoolScanTest, SelectsByTimeLabelsAndLine) {
  store_random(3, 6, 200, 300);
  EXPECT_EQ(run(*open("", {150, 420})), expected({150, 420}));
  EXPECT_EQ(run(*open("|= \"needle\"")), expected({}, "needle"));
  EXPECT_EQ(run(*open("{namespace=\"shop\"} |= `needle`", {150, 420})), expected({150, 420}, "needle"));
  EXPECT_TRUE(run(*open("{namespace=\"other\"}")).empty());
}

// A block that is packed well stores them as numbers (weir-spool.5).
TEST_F(SpoolScanTest, FindsPartsOfIdsAndTimes) {
  for (const spool::Effort one : {spool::Effort::fast, spool::Effort::thorough, spool::Effort::lasting}) {
    SCOPED_TRACE(static_cast<int>(one));
    path = directory / fmt::format("{}.db", static_cast<int>(one));
    stored.clear();
    effort = one;
    std::vector<Line> block;
    for (int i = 0; i < 50; ++i) {
      block.push_back(
          {i, fmt::format("2025-11-30T10:00:{:02}.{:03}Z trace={:016x}{:016x} req=123e4567-e89b-12d3-a456-4266141740{:02}", i,
                          i * 7, 0xfedcba9876543210U - static_cast<unsigned>(i), 0x0123456789abcdefU, i)});
    }
    store({block});
    for (const std::string_view part : {"fedcba9876543201", "9876543210012345", "=fedcba987654320f01", "ef req=123e4567-e89b",
                                        "174000", "74007", "10:00:07.049Z t", "2025-11-30T10:00:0", "trace="}) {
      const auto found = expected({}, part);
      EXPECT_FALSE(found.empty()) << part;
      EXPECT_EQ(run(*open(fmt::format("|= `{}`", part))), found);
    }
    EXPECT_EQ(run(*open("|~ `^2025-11-30T10:00:1[0-9][.][0-9]+Z trace=[0-9a-f]{32} `")).size(), 10U);
    EXPECT_EQ(run(*open("|= `\x16`")).size(), 0U);
    EXPECT_EQ(run(*open("!= `fedcba987654`")).size(), 0U);
  }
}

TEST_F(SpoolScanTest, ShowsWhatTheQueryMakes) {
  store({{{5, R"({"level":"info","n":3})"}, {6, "no json", "p", true}}});
  std::string text;
  const auto scan = open("| json | line_format \"{{.level}}\"");
  ASSERT_TRUE(scan->run([&](Batch& batch) -> base::Result<bool> {
                    for (const Record& record : batch.records) record::append_jsonl(text, record);
                    return true;
                  })
                  .ok());
  EXPECT_EQ(text.substr(0, text.find('\n')),
            R"({"timestamp":"1970-01-01T00:00:00.000000005Z","line":"info","labels":{"namespace":"shop","pod":"p"},)"
            R"("parsed":{"level":"info","n":"3"}})");
  EXPECT_NE(text.find(R"("held":true)"), std::string::npos);
  EXPECT_NE(text.find(R"("__error__":"JSONParserErr")"), std::string::npos);
}

// A query shows what Loki would show, also one that changes nothing; a replay gives back what was stored.
TEST_F(SpoolScanTest, ShowsMetadataAndErrorsAsLokiDoes) {
  store({{{5, "plain", "p", false, {{"pod", "other"}, {"a.b", "1"}}}}});
  const auto shown = [&](const std::string& query, bool as_stored = false) {
    std::string text;
    const auto scan = open(query);
    if (as_stored) scan->keep_as_stored();
    EXPECT_TRUE(scan->run([&](Batch& batch) -> base::Result<bool> {
                      for (const Record& record : batch.records) record::append_jsonl(text, record);
                      return true;
                    })
                    .ok());
    return text;
  };
  const std::string head =
      R"({"timestamp":"1970-01-01T00:00:00.000000005Z","line":"plain","labels":{"namespace":"shop","pod":"p"},)";
  for (const char* query : {"", "{pod=\"p\"}", "|= \"plain\""}) {
    EXPECT_EQ(shown(query), head + R"("metadata":{"a_b":"1","pod_extracted":"other"}})" + "\n") << query;
    EXPECT_EQ(shown(query, true), head + R"("metadata":{"pod":"other","a.b":"1"}})" + "\n") << query;
  }
  EXPECT_EQ(shown("| pod > 5"), head + R"("metadata":{"a_b":"1","pod_extracted":"other"},"parsed":{"__error__":"LabelFilterErr",)" +
                                    R"("__error_details__":"strconv.ParseFloat: parsing \"p\": invalid syntax"}})" + "\n");
}

TEST_F(SpoolScanTest, KeepsTheNewest) {
  for (const Timestamp spread : {50, 1000}) {
    stored.clear();
    path = directory / fmt::format("newest{}.db", spread);
    store_random(9, 10, 100, spread);
    for (const std::size_t count : {1U, 2U, 10U, 500U, 999U}) {
      SCOPED_TRACE(count);
      const auto scan = open("");
      const auto older = scan->keep_newest(count);
      ASSERT_TRUE(older.ok());
      EXPECT_TRUE(*older);
      const auto all = expected();
      EXPECT_EQ(run(*scan), std::vector<std::string>(all.end() - static_cast<std::ptrdiff_t>(count), all.end()));
    }
    for (const std::size_t count : {1000U, 1001U}) {
      const auto scan = open("");
      EXPECT_FALSE(*scan->keep_newest(count));
      EXPECT_EQ(run(*scan), expected());
    }
  }
}

TEST_F(SpoolScanTest, TheNewestOfWhatMatches) {
  store_random(4, 5, 100, 250);
  const auto scan = open("|= \"needle\"", {100, 500});
  ASSERT_TRUE(*scan->keep_newest(20));
  const auto all = expected({100, 500}, "needle");
  ASSERT_GT(all.size(), 20u);
  EXPECT_EQ(run(*scan), std::vector<std::string>(all.end() - 20, all.end()));
}

TEST_F(SpoolScanTest, StopsWhenThereIsEnough) {
  store_random(5, 20, 2000, 50);
  const auto scan = open("");
  int batches = 0;
  ASSERT_TRUE(scan->run([&](Batch&) -> base::Result<bool> {
                    ++batches;
                    return false;
                  })
                  .ok());
  EXPECT_EQ(batches, 1);
}

TEST_F(SpoolScanTest, TellsHowFarItIsAlsoWhereNothingMatches) {
  store_random(7, 12, 300, 1000);  // they overlap, and some are read again
  for (const std::string query : {"", "|= \"nowhere\""}) {
    SCOPED_TRACE(query);
    const auto scan = open(query);
    scan->set_limits({.memory = 320'000});
    std::vector<SpoolScan::Work> told;
    scan->watch([&](const SpoolScan::Work& work) {
      told.push_back(work);
      return true;
    });
    EXPECT_EQ(run(*scan).empty(), !query.empty());
    ASSERT_GE(told.size(), 12U);
    EXPECT_EQ(told.front().done, 0U);
    for (std::size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i].all, told[0].all);
      EXPECT_LE(told[i].done, told[i].all);
      EXPECT_LE(told[i - std::min<std::size_t>(i, 1)].done, told[i].done);
    }
    EXPECT_GT(told.back().done, told.back().all / 2);
    EXPECT_GT(told[told.size() / 2].done, 0U);
  }
}

TEST_F(SpoolScanTest, TheNewestAreLookedForFirst) {
  store_random(8, 20, 100, 50);  // one behind the other
  const auto scan = open("");
  std::vector<SpoolScan::Work> told;
  scan->watch([&](const SpoolScan::Work& work) {
    told.push_back(work);
    return true;
  });
  ASSERT_TRUE(scan->keep_newest(150).ok());
  const std::size_t looked = told.size();
  EXPECT_LT(looked, 5U);
  EXPECT_EQ(run(*scan).size(), 150U);
  ASSERT_GT(told.size(), looked);
  EXPECT_GT(told[looked].done, 0U);  // what was read already
  EXPECT_LT(told[looked].all, told[0].all);
  EXPECT_LE(told.back().done, told.back().all);
}

TEST_F(SpoolScanTest, EndsWithinABlock) {
  store_random(9, 1, 1000, 50);
  for (const bool newest : {false, true}) {
    const auto scan = open("");
    int asked = 0;
    bool is_over = false;
    scan->set_limits({.over = [&] { return is_over = ++asked == 3 || is_over; }});
    std::vector<bool> watched;
    scan->watch([&](const SpoolScan::Work&) {
      watched.push_back(is_over);
      return !is_over;
    });
    if (newest) {
      const auto older = scan->keep_newest(10);
      ASSERT_TRUE(older.ok());
      EXPECT_FALSE(*older);
    } else {
      EXPECT_TRUE(run(*scan).empty());
    }
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(watched, std::vector<bool>({false, true})) << newest;
  }
}

TEST_F(SpoolScanTest, WhoWatchesMayEndIt) {
  store_random(9, 20, 100, 50);
  const auto scan = open("|= \"nowhere\"");
  int blocks = 0;
  scan->watch([&](const SpoolScan::Work&) { return ++blocks < 3; });
  EXPECT_TRUE(run(*scan).empty());
  EXPECT_EQ(blocks, 3);
  blocks = 0;
  const auto older = scan->keep_newest(10);
  ASSERT_TRUE(older.ok());
  EXPECT_FALSE(*older);
  EXPECT_EQ(blocks, 3);
}

TEST_F(SpoolScanTest, Series) {
  store({{{1, "", "a"}, {2, "", "b"}}, {{100, "", "a"}, {101, "", "c"}}});
  const auto pods = [&](const std::string& query, TimeRange range) {
    std::vector<std::string> found;
    const auto sets = open(query, range)->series();
    for (const auto& set : *sets) found.emplace_back(set->get("pod"));
    return found;
  };
  EXPECT_EQ(pods("", {}), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(pods("", {50, 200}), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(pods("{pod=~\"a|b\"}", {}), (std::vector<std::string>{"a", "b"}));
}

TEST_F(SpoolScanTest, RecordsOfOneTenant) {
  const auto line = [](Timestamp time, std::string text, std::string pod, std::string tenant) {
    return Line{time, std::move(text), std::move(pod), false, {}, std::move(tenant)};
  };
  store({{line(1, "a", "p", "red"), line(2, "b", "p", "blue"), line(3, "c", "p", "")},
         {line(1, "d", "q", "blue"), line(4, "e", "q", "red"), line(4, "f", "r", "")},
         {line(2, "g", "q", "blue")}});
  using List = std::vector<std::string>;
  const auto lines = [&](const std::string& tenant, const std::string& query = "", std::uint64_t newest = 0) {
    const auto scan = open(query);
    scan->take_tenant(tenant);
    if (newest > 0) {
      EXPECT_TRUE(*scan->keep_newest(newest));
    }
    return run(*scan);
  };
  EXPECT_EQ(lines("red"), (List{"1 a", "4 e"}));
  EXPECT_EQ(lines("blue"), (List{"1 d", "2 b", "2 g"}));
  EXPECT_EQ(lines(""), (List{"3 c", "4 f"}));
  EXPECT_EQ(lines("green"), List{});
  EXPECT_EQ(lines("blue", R"({pod="q"})"), (List{"1 d", "2 g"}));
  EXPECT_EQ(lines("red", R"(|= "e")"), List{"4 e"});
  EXPECT_EQ(lines("blue", "", 1), List{"2 g"});
  EXPECT_EQ(run(*open("")), expected());
  const auto pods = [&](const std::string& tenant) {
    List found;
    const auto scan = open("");
    scan->take_tenant(tenant);
    const auto sets = scan->series();
    for (const auto& set : *sets) found.emplace_back(set->get("pod"));
    return found;
  };
  EXPECT_EQ(pods("red"), (List{"p", "q"}));
  EXPECT_EQ(pods(""), (List{"p", "r"}));
  EXPECT_EQ(pods("green"), List{});
  EXPECT_EQ(open("")->series()->size(), 3U);
  const auto blocks = [&](const WantedTenant& tenant, const std::string& query) {
    const auto scan = open(query);
    scan->take_tenant(tenant);
    return *scan->count_blocks();
  };
  EXPECT_EQ(blocks({}, ""), 3U);
  EXPECT_EQ(blocks("blue", ""), 3U);
  EXPECT_EQ(blocks("", ""), 2U);
  EXPECT_EQ(blocks("green", ""), 0U);
  EXPECT_EQ(blocks({}, R"({pod="r"})"), 1U);

  // The third block holds nothing of the others, so what it holds does not matter to them.
  auto database = sqlite::Database::open(path, sqlite::Access::write, 0);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->execute("UPDATE bodies SET body = x'00' WHERE block = 3").ok());
  EXPECT_EQ(lines("red"), (List{"1 a", "4 e"}));
  EXPECT_TRUE(context.diagnostics.said().empty());
  EXPECT_EQ(lines("blue"), (List{"1 d", "2 b"}));
  EXPECT_EQ(context.diagnostics.said().size(), 1U);
}

TEST_F(SpoolScanTest, Failure) {
  store({{{1, "a"}}});
  const auto code = [&](const std::string& file, const std::string& query) {
    return SpoolScan::open(file, query, {}, context.diagnostics).error().code;
  };
  EXPECT_EQ(code(directory / "absent.db", ""), base::Code::io);
  EXPECT_EQ(code(path, "{pod="), base::Code::config);
  EXPECT_EQ(code(path, "rate({pod=\"a\"}[1m])"), base::Code::config);
}

TEST_F(SpoolScanTest, GapsAreKeptWhereTheSelectorTakesThem) {
  const std::vector<record::Label> gap = {{"weir_gap_bytes", "17"}};
  store({{{1, "an error"}, {2, "lost", "p", false, gap}}, {{3, "lost too", "q", false, gap}, {4, "fine"}}});
  const auto lines = [&](const std::string& query, bool gaps) {
    auto scan = open(query);
    scan->keep_as_stored();
    if (gaps) scan->keep_gaps();
    return run(*scan);
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(lines(R"({pod="p"} |= "error")", false), List{"1 an error"});
  EXPECT_EQ(lines(R"({pod="p"} |= "error")", true), (List{"1 an error", "2 lost"}));
  EXPECT_EQ(lines(R"({pod="q"} |= "error")", true), List{"3 lost too"});
}

}  // namespace
}  // namespace weir::scan
