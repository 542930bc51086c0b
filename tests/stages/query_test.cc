#include "stages/query.h"

#include "base/count.h"
#include "support/fake_query_loki.h"
#include "support/run_stage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using test::FakeQueryLoki;
using test::Lines;
using test::LinesOutlet;
using What = QuerySpec::What;

class Collected : public base::Diagnostics {
 public:
  void say(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view, std::string_view text) override { said.emplace_back(text); }
  std::vector<std::string> said;
};

// Wants no more after so many batches.
class Quitter : public LinesOutlet {
 public:
  base::Result<pipeline::Flow> emit(record::Batch& batch) override {
    static_cast<void>(LinesOutlet::emit(batch));
    return pipeline::Flow::done;
  }
};

constexpr const char* kNothing = R"({"status":"success","data":{"resultType":"streams","result":[],"stats":{}}})";

class QueryLokiTest : public ::testing::Test {
 protected:
  QueryLokiTest() : stop(std::move(*base::Stop::create())) {
    spec.loki.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    spec.logql = "{}";
    spec.range.to = 1'000'000;
  }
  pipeline::Context context() { return {.clock = &base::Clock::system(), .diagnostics = &diagnostics, .stop = stop.get()}; }

  base::Result<void> run(LinesOutlet& out) {
    spec.loki.http.base.origin = loki.url();
    auto source = make_query(spec, context());
    if (!source) return std::move(source).error();
    auto result = (*source)->run(out, *stop);
    counters = (*source)->counters();
    test::expect_balance(counters);
    EXPECT_EQ(counters.records_out, out.records);
    summary = (*source)->summary();
    return result;
  }
  Lines lines() {
    LinesOutlet out;
    const auto result = run(out);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return out.lines;
  }
  // The lines of the records alone.
  std::vector<int> numbers() {
    std::vector<int> found;
    for (const std::string& line : lines()) {
      const std::size_t at = line.find("\"line\":\"");
      found.push_back(std::atoi(line.c_str() + at + 8));
    }
    return found;
  }
  static std::vector<int> range(int from, int to) {
    std::vector<int> all;
    for (int i = from; i < to; ++i) all.push_back(i);
    return all;
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) loki.entries.push_back({{{"pod", fmt::format("p{}", i % 3)}}, 100 + i, fmt::format("{}", i)});
  }

  FakeQueryLoki loki;
  Collected diagnostics;
  std::unique_ptr<base::Stop> stop;
  QuerySpec spec;
  pipeline::Counters counters;
  std::string summary;
};

TEST_F(QueryLokiTest, RecordsAreLossless) {
  loki.entries = {{{{"namespace", "shop"}, {"pod", "a"}}, 1'700'000, "a \"line\"\n", {{"trace_id", "x"}}}};
  spec.range.to = 2'000'000;
  EXPECT_EQ(lines(),
            (Lines{R"({"timestamp":"1970-01-01T00:00:00.0017Z","line":"a \"line\"\n","labels":{"namespace":"shop","pod":"a"},)"
                   R"("metadata":{"trace_id":"x"}})"}));
  EXPECT_EQ(counters.records_out, 1u);
}

TEST_F(QueryLokiTest, NothingMatches) {
  spec.when_empty = "nothing";
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(counters.records_out, 0u);
  EXPECT_EQ(summary, "nothing");
}

TEST_F(QueryLokiTest, NothingMatchesAndANameIsWrong) {
  loki.answer_always(R"({"status":"success","data":{"resultType":"streams","result":[],"stats":{}}})");
  loki.entries = {{{{"namespace", "checkout"}, {"pod", "a"}}, 1, ""}, {{{"namespace", "payments"}, {"pod", "b"}}, 2, ""}};
  spec.when_empty = "nothing";
  const auto f = [&](const std::string& query, std::string_view wanted, int requests) {
    spec.logql = query;
    const int before = loki.requests();
    EXPECT_EQ(lines(), Lines{});
    EXPECT_EQ(summary, wanted);
    EXPECT_EQ(loki.requests() - before, requests) << query;
  };
  f(R"({namespace="chekout"})", "no namespace 'chekout' here; did you mean 'checkout'?", 4);
  f(R"({namespace="checkout"} |= "x")", "nothing", 4);
  f(R"({namspace="checkout"})", "no label 'namspace' here; did you mean 'namespace'?", 5);
}

TEST_F(QueryLokiTest, NothingMatchesAndTheTimeIsWrong) {
  loki.entries = {{{{"app", "x"}}, 1'000, "old"}};
  spec.logql = R"({app="x"})";
  spec.range = {2'000, 3'000};
  loki.reply_first({{200, kNothing}, {200, kNothing}});
  EXPECT_EQ(lines(), Lines{});
  EXPECT_NE(summary.find("the newest record is "), std::string::npos) << summary;
  spec.range = {0, 3'000};
  spec.logql = R"({app="x"} |= "new")";
  loki.reply_first({{200, kNothing}, {200, kNothing}});
  EXPECT_EQ(lines(), Lines{});
  EXPECT_EQ(summary, "there are records of these labels in this time, but none passes the rest of the query");
}

TEST_F(QueryLokiTest, NothingMatchesAndTheRangeIsEmpty) {
  loki.entries = {{{{"app", "x"}}, 1'000, "old"}};
  spec.logql = R"(count_over_time({app="x"}[5m]))";
  spec.instant = true;
  spec.range = {0, 60 * base::kMinute};  // the record lies in it, but not in the range of the query
  spec.when_empty = "nothing matched in the last hour";
  loki.reply_first({{200, R"({"status":"success","data":{"resultType":"vector","result":[]}})"}});
  EXPECT_EQ(lines(), Lines{});
  EXPECT_NE(summary.find("nothing since 1970-01-01T00:55:00.000000001Z; the newest record is "), std::string::npos) << summary;
}

TEST_F(QueryLokiTest, NothingMatchesAndNothingBetterCanBeSaid) {
  spec.logql = R"({app="x"})";
  spec.range = {2'000, 3'000};
  EXPECT_EQ(lines(), Lines{});
  EXPECT_NE(summary.find("nothing between"), std::string::npos) << summary;
}

TEST_F(QueryLokiTest, AnInstantIsAskedForAtTheEnd) {
  loki.reply_first(
      {{200, R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[7,"3"]}]}})"}});
  spec.logql = R"(sum by (pod) (rate({app="x"}[1m])))";
  spec.instant = true;
  spec.range = {0, 7 * base::kSecond};
  EXPECT_EQ(lines(), Lines{R"({"timestamp":"1970-01-01T00:00:07Z","labels":{"pod":"a"},"value":"3"})"});
  EXPECT_EQ(loki.last_parameters()["time"], "7000000000");
  // As the frontend of Loki 3.7.6 gives it.
  loki.reply_first({{200, R"({"status":"success","data":{"resultType":"scalar","result":[7000,"2"]}})"}});
  spec.logql = "1 + 1";
  EXPECT_EQ(lines(), Lines{R"({"timestamp":"1970-01-01T00:00:07Z","value":"2"})"});
}

TEST_F(QueryLokiTest, AnInstantOfRecordsIsRefused) {
  spec.logql = R"({app="x"})";
  spec.instant = true;
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::config);
  EXPECT_EQ(loki.requests(), 0);
}

TEST_F(QueryLokiTest, LabelsThatNobodyWants) {
  loki.entries = {{{{"namespace", "shop"}, {"pod", "a"}}, 1, "x", {{"trace_id", "t"}}}};
  const auto f = [&](LabelChoice choice, std::string_view rest) {
    spec.labels = std::move(choice);
    EXPECT_EQ(lines(), Lines{R"({"timestamp":"1970-01-01T00:00:00.000000001Z","line":"x")" + std::string(rest)});
  };
  f({}, R"(,"labels":{"namespace":"shop","pod":"a"},"metadata":{"trace_id":"t"}})");
  f({.none = true}, "}");
  f({.include = {"pod"}}, R"(,"labels":{"pod":"a"}})");
  f({.exclude = {"pod"}}, R"(,"labels":{"namespace":"shop"},"metadata":{"trace_id":"t"}})");
  f({.exclude = {"trace_id", "namespace"}}, R"(,"labels":{"pod":"a"}})");
}

TEST_F(QueryLokiTest, SmallPagesAndNoSummary) {
  fill(50);
  spec.page = 7;
  spec.limit = 20;
  EXPECT_EQ(numbers(), range(30, 50));
  EXPECT_NE(summary, "");
  EXPECT_LE(std::stoi(loki.last_parameters()["limit"]), 7);
  spec.quiet = true;
  EXPECT_EQ(numbers(), range(30, 50));
  EXPECT_EQ(summary, "");
}

TEST_F(QueryLokiTest, AQueryThatLokiDoesNotRefuseButCannotRun) {
  loki.answer_always(R"({"status":"success","data":{"resultType":"streams","result":[],"stats":{}}})");
  spec.logql = R"({app="x"} |~ "(")";
  EXPECT_EQ(lines(), Lines{});
  ASSERT_FALSE(diagnostics.said.empty());
  EXPECT_EQ(
      diagnostics.said[0].substr(0, diagnostics.said[0].find('\n')),
      "Loki gave no entries; the query may be why: parse error : stage '|~ \"(\"' : error parsing regexp: missing closing ): `(`");
  diagnostics.said.clear();
  for (const char* query : {R"({app="x"} |~ "x")", R"(sum(rate({app="x"}[1m])))"}) {
    spec.logql = query;
    EXPECT_EQ(lines(), Lines{});
    EXPECT_TRUE(diagnostics.said.empty()) << query;
  }
}

TEST_F(QueryLokiTest, UnlimitedIsEverythingOldestFirst) {
  fill(2500);
  EXPECT_EQ(numbers(), range(0, 2500));
  EXPECT_EQ(summary, "");
}

TEST_F(QueryLokiTest, ALimitTakesTheNewestOldestFirst) {
  fill(2500);
  for (const int limit : {1, 2, 10, 999, 1000, 2499}) {
    spec.limit = static_cast<std::uint64_t>(limit);
    EXPECT_EQ(numbers(), range(2500 - limit, 2500));
    EXPECT_EQ(summary, fmt::format("only the newest {} shown; there are older ones (--limit 0 shows all)",
                                   base::count_of(limit, "record is", "records are")));
  }
  for (const int limit : {2500, 2501, 100'000}) {
    spec.limit = static_cast<std::uint64_t>(limit);
    EXPECT_EQ(numbers(), range(0, 2500)) << limit;
    EXPECT_EQ(summary, "") << limit;
  }
}

TEST_F(QueryLokiTest, ForwardTakesTheOldest) {
  fill(2500);
  spec.forward = true;
  for (const int limit : {1, 2, 10, 999, 1000, 2499}) {
    spec.limit = static_cast<std::uint64_t>(limit);
    EXPECT_EQ(numbers(), range(0, limit));
    EXPECT_EQ(summary, fmt::format("only the oldest {} shown; there are later ones (--limit 0 shows all)",
                                   base::count_of(limit, "record is", "records are")));
  }
  spec.limit = 2500;
  EXPECT_EQ(numbers(), range(0, 2500));
  EXPECT_EQ(summary, "");
}

TEST_F(QueryLokiTest, ALimitWithinOneTimestamp) {
  loki.max_entries = 50;
  loki.entries.push_back({{{"pod", "p"}}, 1, "0"});
  for (int i = 0; i < 300; ++i) loki.entries.push_back({{{"pod", "p"}}, 5, fmt::format("{} same time", i + 1)});
  loki.entries.push_back({{{"pod", "p"}}, 9, "301"});
  spec.limit = 120;
  const auto newest = numbers();
  EXPECT_EQ(newest.size(), 120u);
  EXPECT_EQ(newest.back(), 301);
  spec.forward = true;
  const auto oldest = numbers();
  EXPECT_EQ(oldest.size(), 120u);
  EXPECT_EQ(oldest.front(), 0);
}

TEST_F(QueryLokiTest, ALimitOfMoreThanFitsIntoMemoryReadsTwice) {
  for (int i = 0; i < 300; ++i) {
    loki.entries.push_back({{{"pod", "p"}}, 100 + i / 3, fmt::format("{} ", i) + std::string(100'000, 'x')});
  }
  spec.limit = 200;
  auto found = numbers();
  EXPECT_EQ(found.size(), 200u);
  // 100 is in the middle of a timestamp of three; which of them is left out is not defined.
  std::sort(found.begin(), found.end());
  EXPECT_GE(found.front(), 99);
  EXPECT_EQ(std::vector<int>(found.begin() + 2, found.end()), range(102, 300));
  EXPECT_NE(summary, "");
}

TEST_F(QueryLokiTest, StopsWhenNobodyReads) {
  fill(5000);
  Quitter out;
  EXPECT_TRUE(run(out).ok());
  EXPECT_LT(out.lines.size(), 5000u);
}

TEST_F(QueryLokiTest, AStopInterrupts) {
  fill(10);
  stop->request();
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::interrupted);
}

TEST_F(QueryLokiTest, LossIsCountedAndSaid) {
  loki.max_entries = 4;
  for (int i = 0; i < 10; ++i) loki.entries.push_back({{{"pod", "p"}}, 5, "same"});
  lines();
  EXPECT_EQ(counters.lost, 1u);
  ASSERT_EQ(diagnostics.said.size(), 1u);
  EXPECT_NE(diagnostics.said[0].find("some of them are missing"), std::string::npos);
}

TEST_F(QueryLokiTest, SamplesOfAMetricQuery) {
  loki.answer_always(R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"pod":"a"},)"
                     R"("values":[[1700000000,"3"],[1700000060,"4"]]}]}})");
  spec.limit = 1;  // has no say in samples
  spec.step = base::kMinute;
  const Lines expected = {R"({"timestamp":"2023-11-14T22:13:20Z","labels":{"pod":"a"},"value":"3"})",
                          R"({"timestamp":"2023-11-14T22:14:20Z","labels":{"pod":"a"},"value":"4"})"};
  EXPECT_EQ(lines(), expected);
  EXPECT_EQ(loki.last_parameters()["step"], "60");
  spec.forward = true;
  EXPECT_EQ(lines(), expected);
}

TEST_F(QueryLokiTest, LabelsAndSeries) {
  loki.entries = {{{{"namespace", "shop"}, {"pod", "b\"q"}}, 1, ""}, {{{"namespace", "shop"}, {"pod", "a"}}, 2, ""}};
  const auto only_lines = [&] {
    std::vector<std::string> found;
    for (const std::string& line : lines()) {
      const std::size_t at = line.find("\"line\":\"") + 8;
      found.push_back(line.substr(at, line.size() - at - 2));  // such a record has no labels: its line ends it
    }
    return found;
  };
  spec.logql = "";
  spec.what = What::labels;
  EXPECT_EQ(only_lines(), (std::vector<std::string>{"namespace", "pod"}));
  spec.label = "pod";
  EXPECT_EQ(only_lines(), (std::vector<std::string>{"a", R"(b\"q)"}));
  spec.json = true;
  EXPECT_EQ(only_lines(), (std::vector<std::string>{R"(\"a\")", R"(\"b\\\"q\")"}));
  spec.json = false;
  spec.what = What::series;
  EXPECT_EQ(only_lines(),
            (std::vector<std::string>{R"({namespace=\"shop\", pod=\"a\"})", R"({namespace=\"shop\", pod=\"b\\\"q\"})"}));
}

TEST_F(QueryLokiTest, LokisRefusalIsTheError) {
  loki.reply_first({{400, "parse error at line 1, col 2: syntax error: unexpected }, expecting STRING"}});
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::config);
  EXPECT_NE(result.error().message.find("expecting STRING"), std::string::npos);
}

TEST_F(QueryLokiTest, WhatLokiRefusesIsPointedOut) {
  loki.reply_first({{400, "parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip"}});
  spec.logql = "{app=\"x\"} |= error";
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().hint, "{app=\"x\"} |= error\n             ^\nput the text in double quotes: |= \"error\"");
}

}  // namespace
}  // namespace weir::stages
