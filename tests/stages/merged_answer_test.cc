#include "stages/merged_answer.h"

#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace weir::stages {
namespace {

using test::FakeEntry;
using test::Lines;
using test::StoredRecord;
using What = QuerySpec::What;

class MergedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec.loki.http.base.origin = loki.url();
    spec.loki.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    spec.with_spool = dir / "s.db";
    spec.range = {0, 1'000'000};
    spec.logql = "{}";
  }
  void add(base::Timestamp time, const std::string& line, bool in_loki, bool in_spool) {
    const std::map<std::string, std::string> labels = {{"app", "x"}};
    std::map<std::string, std::string> full = labels;
    full["service_name"] = "x";
    if (in_loki) loki.entries.push_back({full, time, line, {{"detected_level", "unknown"}}});
    if (in_spool) stored.push_back({labels, time, line});
  }
  // "TIME LINE" of each record.
  Lines lines() {
    if (!made_) test::make_spool(spec.with_spool, stored, context);
    made_ = true;
    test::LinesOutlet out;
    auto source = make_query(spec, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) return {result.error().message};
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    return out.lines;
  }
  Lines texts() {
    Lines found;
    for (const std::string& line : lines()) {
      const std::size_t at = line.find("\"line\":\"") + 8;
      found.push_back(line.substr(at, line.find('"', at) - at));
    }
    return found;
  }

  test::FakeQueryLoki loki;
  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::vector<StoredRecord> stored;
  std::string summary;

 private:
  bool made_ = false;
};

TEST_F(MergedTest, TheSpoolFillsInWhatLokiLacks) {
  add(10, "a", true, true);
  add(20, "b", false, true);
  add(30, "c", true, false);
  add(40, "d", false, true);
  EXPECT_EQ(texts(), (Lines{"a", "b", "c", "d"}));
  spec.logql = R"({} |= "b")";
  EXPECT_EQ(lines(), Lines{R"({"timestamp":"1970-01-01T00:00:00.00000002Z","line":"b",)"
                           R"("labels":{"app":"x","service_name":"x"},"metadata":{"detected_level":"unknown"}})"});
}

TEST_F(MergedTest, EqualRecordsAreCounted) {
  for (int i = 0; i < 2; ++i) add(10, "same", true, false);
  for (int i = 0; i < 3; ++i) add(10, "same", false, true);
  add(10, "other", true, false);
  auto found = texts();
  std::sort(found.begin(), found.end());  // Loki gives the entries of one time in any order
  EXPECT_EQ(found, (Lines{"other", "same", "same", "same"}));
}

TEST_F(MergedTest, StreamsApart) {
  loki.entries.push_back({{{"app", "x"}}, 10, "same"});
  stored = {{{{"app", "y"}}, 10, "same"}, {{{"app", "x"}}, 10, "same"}};
  EXPECT_EQ(lines().size(), 2U) << "a Loki without service_name has the same stream";
}

TEST_F(MergedTest, RecordsThatDifferOnlyInMetadataAreDifferent) {
  const std::map<std::string, std::string> full = {{"app", "x"}, {"service_name", "x"}};
  loki.entries.push_back({full, 10, "same", {{"detected_level", "unknown"}, {"span_id", "1"}}});
  for (const char* span : {"1", "2", "2"}) stored.push_back({{{"app", "x"}}, 10, "same", {{"span.id", span}}});
  stored.push_back({{{"app", "x"}}, 10, "same"});
  EXPECT_EQ(lines().size(), 4U);
}

TEST_F(MergedTest, ALokiThatTakesNoMetadataHasTheSameRecords) {
  const std::map<std::string, std::string> full = {{"app", "x"}, {"service_name", "x"}};
  loki.entries.push_back({full, 10, "same"});
  stored = {{{{"app", "x"}}, 10, "same", {{"a", "1"}}}, {{{"app", "x"}}, 10, "same", {{"a", "2"}}}};
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(MergedTest, RecordsAreComparedBeforeTheQueryRewritesThem) {
  add(10, "a1", true, true);
  add(10, "a2", true, false);
  add(10, "a3", false, true);
  add(20, "b1", false, true);
  add(20, "c1", false, true);
  spec.logql = R"({} | drop service_name | line_format "{{ __line__ | trunc 1 }}" != "c")";
  EXPECT_EQ(texts(), (Lines{"a", "a", "a", "b"}));
  EXPECT_EQ(loki.last_parameters()["query"], "{}");
  spec.logql = R"({} |= "1" | label_format app="{{ .app }}y" | app="xy")";
  EXPECT_EQ(texts(), (Lines{"a1", "b1", "c1"}));
  EXPECT_EQ(loki.last_parameters()["query"], R"({} |= "1")");
}

TEST_F(MergedTest, NoParserIsAskedOfLoki) {
  for (int i = 0; i < 10; ++i) {
    const std::string line = std::string(i % 2 == 0 ? "error " : "trace=") + std::to_string(i);
    std::map<std::string, std::string> metadata;
    if (i % 2 == 1) metadata["level"] = "error";
    loki.entries.push_back({{{"app", "x"}}, i, line, metadata});
    stored.push_back({{{"app", "x"}}, i, line, metadata});
  }
  for (const std::uint64_t limit : {0, 100}) {
    spec.limit = limit;
    for (const char* stages :
         {R"q(| regexp "(?P<level>error)")q", R"(| logfmt)", R"(| json | __error__!="none")", R"(| pattern "<level> <_>")"}) {
      loki.takes_any_query = limit > 0;  // the time of the newest is asked for with the whole query
      spec.logql = std::string("{} ") + stages;
      EXPECT_EQ(lines().size(), 10U) << spec.logql << limit;
      EXPECT_EQ(loki.last_parameters()["query"], "{}");
      spec.logql += R"( |= "trace")";
      EXPECT_EQ(lines().size(), 5U) << spec.logql << limit;
      EXPECT_EQ(loki.last_parameters()["query"], R"({} |= "trace")");
    }
  }
}

TEST_F(MergedTest, TheLimitTakesTheNewestOfBoth) {
  for (int i = 0; i < 50; ++i) add(10 + i, std::to_string(i), i % 3 != 0, i % 2 == 0 || i % 3 == 0);
  for (const std::uint64_t limit : {1, 7, 49, 50, 60}) {
    spec.limit = limit;
    spec.forward = false;
    Lines newest, oldest;
    for (int i = std::max(0, 50 - static_cast<int>(limit)); i < 50; ++i) newest.push_back(std::to_string(i));
    for (int i = 0; i < std::min(50, static_cast<int>(limit)); ++i) oldest.push_back(std::to_string(i));
    EXPECT_EQ(texts(), newest) << limit;
    EXPECT_EQ(summary.empty(), limit >= 50) << limit << summary;
    spec.forward = true;
    EXPECT_EQ(texts(), oldest) << limit;
  }
}

// Records at random in one, in the other or in both, many at one time: the answer is the union, in the order of time.
TEST_F(MergedTest, AnythingMerges) {
  std::mt19937 random(3);
  loki.max_entries = 16;
  Lines all;
  std::vector<std::pair<base::Timestamp, std::string>> expected;
  for (int i = 0; i < 400; ++i) {
    const base::Timestamp time = 1 + static_cast<base::Timestamp>(random() % 90);
    const auto where = random() % 3;
    const std::string line = std::to_string(time) + "/" + std::to_string(i);
    add(time, line, where != 0, where != 1);
    expected.emplace_back(time, line);
  }
  auto found = texts();
  std::vector<base::Timestamp> times;
  for (const std::string& line : found) times.push_back(std::stoll(line));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  for (const auto& [time, line] : expected) all.push_back(line);
  std::sort(all.begin(), all.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, all);
}

TEST_F(MergedTest, OtherTenantsStayApart) {
  spec.loki.tenant = "mine";
  stored = {
      {{{"app", "x"}}, 10, "mine", {}, "mine"}, {{{"app", "x"}}, 20, "theirs", {}, "theirs"}, {{{"app", "x"}}, 30, "nobody's"}};
  EXPECT_EQ(texts(), (Lines{"mine", "nobody's"}));
}

TEST_F(MergedTest, LabelsAndSeriesOfBoth) {
  loki.entries.push_back({{{"app", "l"}}, 10, "x"});
  stored = {{{{"app", "s"}}, 10, "x"}};
  spec.logql = "";
  spec.what = What::labels;
  EXPECT_EQ(texts(), (Lines{"app", "service_name"}));
  spec.label = "app";
  EXPECT_EQ(texts(), (Lines{"l", "s"}));
  spec.what = What::series;
  EXPECT_EQ(lines().size(), 2U);
}

// Also where Loki has exactly as many as are wanted, and the older ones are in the spool alone.
TEST_F(MergedTest, SaysThatOlderRecordsAreInTheSpool) {
  add(10, "old", false, true);
  add(20, "a", true, true);
  add(30, "b", true, false);
  spec.limit = 2;
  EXPECT_EQ(texts(), (Lines{"a", "b"}));
  EXPECT_NE(summary.find("there are older ones"), std::string::npos) << summary;
  spec.logql = R"({} !~ "old")";
  EXPECT_EQ(texts(), (Lines{"a", "b"}));
  EXPECT_EQ(summary, "");
}

TEST_F(MergedTest, NothingAnywhere) {
  stored = {{{{"app", "x"}}, 10, "x"}};
  spec.logql = R"({app="y"})";
  loki.answer_always(R"({"status":"success","data":{"resultType":"streams","result":[],"stats":{}}})");
  EXPECT_EQ(lines(), Lines());
  EXPECT_NE(summary.find("no app 'y'"), std::string::npos) << summary;
}

}  // namespace
}  // namespace weir::stages
