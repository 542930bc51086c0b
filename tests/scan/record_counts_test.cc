#include "scan/record_counts.h"

#include "logql/parser.h"
#include "support/collect.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <map>

namespace weir::scan {
namespace {

using base::kSecond;
using record::LabelSetRef;

TEST(CellAround, EndsAtMultiplesAndAtTheEndsOfTime) {
  constexpr base::Timestamp kFirst = base::TimeRange::kBeginning, kLast = base::TimeRange::kForever;
  const auto f = [](base::Timestamp time, base::Duration length, base::Timestamp from, base::Timestamp to) {
    const auto cell = cell_around(time, length);
    EXPECT_EQ(std::pair(cell.from, cell.to), std::pair(from, to)) << time << " " << length;
  };
  f(25, 10, 20, 30);
  f(20, 10, 20, 30);
  f(0, 10, 0, 10);
  f(-1, 10, -10, 0);
  f(-10, 10, -10, 0);
  f(25, 0, kFirst, kLast);
  f(kFirst, 10, kFirst, kFirst + 8);
  f(kFirst + 8, 10, kFirst + 8, kFirst + 18);
  f(kLast, 10, kLast - 7, kLast);
  f(kLast, kLast, kLast, kLast);
  f(kFirst, kLast, kFirst, -kLast);
  f(-kLast, kLast, -kLast, 0);
}

class RecordCountsTest : public ::testing::Test {
 protected:
  using Sums = std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>;

  // By the key and the time of the cell in seconds: records, bytes. The key is the stream's labels, or with `by_line` the line.
  Sums counts(const std::string& query, const RecordCounts& how, bool by_line = false) {
    auto parsed = logql::parse(query);
    EXPECT_TRUE(parsed.ok());
    Sums found;
    auto done = count_records(
        {&path, 1}, std::get<logql::LogExpr>(parsed->node), how,
        [by_line] {
          return [by_line](record::Record& record, record::Batch& batch) {
            return by_line ? record::LabelSet::intern({{"line", batch.line(record)}}) : LabelSetRef::share(record.labels);
          };
        },
        context.diagnostics,
        [&](const RecordCount& part) {
          auto& sum = found[std::string(part.key->json()) + " " + std::to_string(part.time / kSecond)];
          sum.first += part.records;
          sum.second += part.bytes;
        });
    EXPECT_TRUE(done.ok());
    return found;
  }
  test::TempDir dir;
  std::string path = dir / "spool.db";
  test::TestContext context;
};

TEST_F(RecordCountsTest, BySetsAndCells) {
  // Blocks overlap, and times are out of order.
  test::make_spool(
      path, {{{{"app", "x"}}, 25 * kSecond, "1"}, {{{"app", "y"}}, 12 * kSecond, "22"}, {{{"app", "x"}}, 11 * kSecond, "333"}},
      context);
  test::make_spool(path, {{{{"app", "x"}}, 12 * kSecond, "4444"}, {{{"app", "x"}}, 39 * kSecond, "5", {}, "red"}}, context);
  EXPECT_EQ(counts(R"({app=~".+"})", {.range = {0, 100 * kSecond}, .cell = 10 * kSecond}), (Sums{{R"({"app":"x"} 10)", {2, 7}},
                                                                                                 {R"({"app":"x"} 20)", {1, 1}},
                                                                                                 {R"({"app":"x"} 30)", {1, 1}},
                                                                                                 {R"({"app":"y"} 10)", {1, 2}}}));
  EXPECT_EQ(counts(R"({app=~".+"})", {.range = {12 * kSecond, 39 * kSecond}, .cell = 10 * kSecond}),
            (Sums{{R"({"app":"x"} 12)", {1, 4}}, {R"({"app":"x"} 20)", {1, 1}}, {R"({"app":"y"} 12)", {1, 2}}}));
  EXPECT_EQ(counts(R"({app="x"})", {.range = {0, 100 * kSecond}}), (Sums{{R"({"app":"x"} 0)", {4, 9}}}));
  EXPECT_EQ(counts(R"({app="x"})", {.range = {0, 100 * kSecond}, .tenant = "red"}), (Sums{{R"({"app":"x"} 0)", {1, 1}}}));
  EXPECT_EQ(counts(R"({app="x"})", {.range = {5, 5}}), Sums());
}

TEST_F(RecordCountsTest, TheKeyIsOfWhatTheQueryShows) {
  test::make_spool(path, {{{{"app", "x"}}, kSecond, "a=1"}, {{{"app", "x"}}, kSecond, "a=2"}, {{{"app", "x"}}, kSecond, "b"}},
                   context);
  const RecordCounts all = {.range = {0, 100 * kSecond}};
  EXPECT_EQ(counts(R"({app="x"} |= "=")", all, true), (Sums{{R"({"line":"a=1"} 0)", {1, 3}}, {R"({"line":"a=2"} 0)", {1, 3}}}));
  EXPECT_EQ(counts(R"({app="x"} | logfmt | a!="" | line_format "{{.app}}")", all, true), (Sums{{R"({"line":"x"} 0)", {2, 2}}}));
  // What label_format made is no label of the stream.
  EXPECT_EQ(counts(R"({app="x"} | label_format app="z" )", all), (Sums{{"{} 0", {3, 7}}}));
}

TEST_F(RecordCountsTest, LittleMemoryChangesNothing) {
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 20'000; ++i) records.push_back({{{"app", i % 3 == 0 ? "x" : "y"}}, (i * 7919 % 20'000) * kSecond, "line"});
  test::make_spool(path, records, context);
  test::make_spool(path, records, context);
  const RecordCounts plenty = {.range = {0, 20'000 * kSecond}, .cell = 100 * kSecond};
  RecordCounts little = plenty;
  little.limits = {.memory = 1 << 20, .threads = 1};
  const Sums sums = counts(R"({app=~".+"})", plenty);
  EXPECT_EQ(sums.size(), 400U);
  EXPECT_EQ(sums, counts(R"({app=~".+"})", little));
}

}  // namespace
}  // namespace weir::scan
