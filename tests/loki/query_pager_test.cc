#include "loki/query_pager.h"

#include "support/fake_query_loki.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace weir::loki {
namespace {

using base::Code;
using record::Batch;
using record::Record;
using test::FakeEntry;
using test::FakeQueryLoki;

using Strings = std::vector<std::string>;

class Silent : public base::Diagnostics {
 public:
  void say(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view key, std::string_view text) override { said.emplace_back(fmt::format("{}: {}", key, text)); }
  std::vector<std::string> said;
};

std::string show(const Record& record, Batch& batch) {
  Record copy = record;
  std::string text = fmt::format("{} {} {}", record.timestamp, record.labels->json(), batch.line(copy));
  for (const auto& [name, value] : record.metadata) text += fmt::format(" {}={}", name, value);
  return text;
}

std::string show(const FakeEntry& entry) {
  std::string text = fmt::format("{} {{", entry.timestamp);
  for (const auto& [name, value] : entry.labels) text += fmt::format("{}\"{}\":\"{}\"", text.back() == '{' ? "" : ",", name, value);
  text += fmt::format("}} {}", entry.line);
  for (const auto& [name, value] : entry.metadata) text += fmt::format(" {}={}", name, value);
  return text;
}

class QueryPagerTest : public ::testing::Test {
 protected:
  QueryClient& client() {
    if (!client_) {
      QueryClientConfig config;
      config.http.base.origin = loki.url();
      config.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
      config.max_body = max_body;
      auto created = QueryClient::create(std::move(config), base::Clock::system(), diagnostics, nullptr);
      if (!created) std::abort();
      client_ = std::move(*created);
    }
    return *client_;
  }

  // Everything that a pager gives, checking the order on the way.
  std::vector<std::string> read(Direction direction, QueryPager::Options options, std::string query = "{}",
                                base::TimeRange window = {0, 1'000'000}) {
    QueryPager pager(client(), std::move(query), window, direction, options);
    std::vector<std::string> shown;
    std::vector<base::Timestamp> times;
    Batch batch;
    for (;;) {
      batch.clear();
      const auto more = pager.next(batch);
      EXPECT_TRUE(more.ok()) << more.error().message;
      if (!more.ok() || !*more) break;
      EXPECT_FALSE(batch.records.empty());
      const auto earlier = [](const Record& a, const Record& b) { return a.timestamp < b.timestamp; };
      EXPECT_TRUE(std::is_sorted(batch.records.begin(), batch.records.end(), earlier));
      if (!times.empty()) {
        EXPECT_TRUE(direction == Direction::forward ? times.back() <= batch.records.front().timestamp
                                                    : times.back() >= batch.records.back().timestamp);
      }
      times.push_back(direction == Direction::forward ? batch.records.back().timestamp : batch.records.front().timestamp);
      for (const Record& record : batch.records) shown.push_back(show(record, batch));
    }
    incomplete = pager.incomplete();
    std::sort(shown.begin(), shown.end());
    return shown;
  }
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> shown;
    for (const FakeEntry& entry : loki.entries) shown.push_back(show(entry));
    std::sort(shown.begin(), shown.end());
    return shown;
  }
  void both_ways(QueryPager::Options options, std::string query = "{}") {
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      EXPECT_EQ(read(direction, options, query), all()) << (direction == Direction::forward ? "forward" : "backward");
      EXPECT_EQ(incomplete, 0u);
    }
  }

  FakeQueryLoki loki;
  Silent diagnostics;
  std::size_t max_body = 8 << 20;
  std::uint64_t incomplete = 0;

 private:
  std::unique_ptr<QueryClient> client_;
};

TEST_F(QueryPagerTest, NothingIsNoPage) {
  both_ways({});
  EXPECT_EQ(loki.requests(), 4) << "each way asks once more, for one entry";
  for (const Direction direction : {Direction::forward, Direction::backward})
    EXPECT_EQ(read(direction, {.check_empty = false}), Strings());
  EXPECT_EQ(loki.requests(), 6);
  EXPECT_EQ(diagnostics.said, Strings());
}

TEST_F(QueryPagerTest, EveryPageSizeGivesEverythingOnce) {
  for (int i = 0; i < 100; ++i)
    loki.entries.push_back({{{"pod", fmt::format("p{}", i % 3)}}, 10 + i / 4, fmt::format("line {}", i)});
  for (const std::uint32_t page : {2u, 3u, 4u, 5u, 7u, 50u, 99u, 100u, 101u, 5000u}) {
    SCOPED_TRACE(page);
    both_ways({.first_page = page, .max_page = page});
  }
}

TEST_F(QueryPagerTest, TheWindowIsHalfOpen) {
  for (int i = 0; i < 10; ++i) loki.entries.push_back({{{"a", "b"}}, i, "x"});
  const auto lines = read(Direction::forward, {.first_page = 2, .max_page = 2}, "{}", {3, 6});
  EXPECT_EQ(lines, (std::vector<std::string>{"3 {\"a\":\"b\"} x", "4 {\"a\":\"b\"} x", "5 {\"a\":\"b\"} x"}));
}

TEST_F(QueryPagerTest, EqualLinesOfTwoStreamsAtAPageEdgeBothCome) {
  for (int i = 0; i < 20; ++i) {
    loki.entries.push_back({{{"pod", "one"}}, 100 + i, "same"});
    loki.entries.push_back({{{"pod", "two"}}, 100 + i, "same"});
    loki.entries.push_back({{{"pod", "two"}}, 100 + i, "same", {{"trace_id", "x"}}});
  }
  for (const std::uint32_t page : {2u, 3u, 4u, 5u, 6u}) both_ways({.first_page = page, .max_page = page});
}

TEST_F(QueryPagerTest, ThousandsOfLinesWithOneTimestamp) {
  loki.max_entries = 500;
  loki.entries.push_back({{{"pod", "one"}}, 99, "before"});
  for (int i = 0; i < 3000; ++i) {
    loki.entries.push_back(
        {{{"pod", i % 2 == 0 ? "one" : "two"}}, 100, fmt::format("request {} took {} ms \"quoted\" \\ ä€😀", i, i % 7)});
  }
  loki.entries.push_back({{{"pod", "two"}}, 101, "after"});
  both_ways({.first_page = 100});
}

TEST_F(QueryPagerTest, OneTimestampToldApartBy) {
  struct Case {
    const char* what;
    std::function<FakeEntry(int)> make;
  };
  const std::vector<Case> cases = {
      {"stream labels only",
       [](int i) {
         return FakeEntry{{{"pod", fmt::format("p{}", i)}}, 5, "same"};
       }},
      {"metadata only",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, "same", {{"trace_id", fmt::format("t\"{}", i)}}};
       }},
      {"the end of the line",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, std::string(static_cast<std::size_t>(i), 'x')};
       }},
      {"regular expression characters",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, fmt::format(".*+?()|[]{{}}^$-{}", i)};
       }},
      {"characters beyond ASCII",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, i % 2 == 0 ? fmt::format("ä{}", i) : fmt::format("ö€{}", i)};
       }},
      {"line breaks",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, fmt::format("a\nb\t{}", i)};
       }},
      {"a late byte",
       [](int i) {
         return FakeEntry{{{"pod", "p"}}, 5, std::string(2500, 'y') + fmt::format("{}", i)};
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    loki.entries.clear();
    for (int i = 0; i < 60; ++i) loki.entries.push_back(one.make(i));
    both_ways({.first_page = 4, .max_page = 4});
  }
}

TEST_F(QueryPagerTest, ACommentAtTheEndOfTheQueryDoesNotSwallowFilters) {
  for (int i = 0; i < 10; ++i) loki.entries.push_back({{{"pod", "p"}}, 5, fmt::format("{}", i)});
  both_ways({.first_page = 2, .max_page = 2}, "{} # all");
}

// What one answer has shown must be in the next one, or it is asked for again.
TEST_F(QueryPagerTest, AnAnswerThatIsShortOnceLosesNothing) {
  for (int i = 0; i < 60; ++i) loki.entries.push_back({{{"pod", i % 20 == 0 ? "rare" : "p"}}, 100, fmt::format("{:03d} line", i)});
  for (int i = 0; i < 6; ++i) loki.entries.push_back({{{"pod", "p"}}, 98 + 2 * (i % 2), fmt::format("edge {}", i)});
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    for (int nth = 2; nth < 20; ++nth) {
      SCOPED_TRACE(fmt::format("{} {}", direction == Direction::forward ? "forward" : "backward", nth));
      loki.blind_from = loki.blind_to = loki.requests() + nth;
      diagnostics.said.clear();
      EXPECT_EQ(read(direction, {.first_page = 5, .max_page = 5}), all());
      if (!diagnostics.said.empty()) {
        EXPECT_NE(diagnostics.said.front().find("asking again (2 of 6)"), std::string::npos) << diagnostics.said.front();
      }
    }
  }
}

TEST_F(QueryPagerTest, AnAnswerThatStaysShortIsAnError) {
  for (int i = 0; i < 60; ++i) loki.entries.push_back({{{"pod", "p"}}, 100, fmt::format("{:03d} line", i)});
  for (const int from : {2, 3, 5, 8}) {
    loki.blind_from = loki.requests() + from;
    loki.blind_to = loki.blind_from + 6;  // the one for a single entry as well
    QueryPager pager(client(), "{}", {0, 1000}, Direction::forward, {.first_page = 5, .max_page = 5});
    Batch batch;
    base::Result<bool> more = true;
    while (more.ok() && *more) more = pager.next(batch);
    ASSERT_FALSE(more.ok()) << from;
    EXPECT_EQ(more.error().code, Code::network);
    EXPECT_NE(more.error().message.find("Loki gave 0 entries, where it had given"), std::string::npos) << more.error().message;
  }
}

TEST_F(QueryPagerTest, WhatCannotBeToldApartIsCounted) {
  for (int i = 0; i < 10; ++i) loki.entries.push_back({{{"pod", "p"}}, 5, "same"});
  loki.entries.push_back({{{"pod", "p"}}, 6, "after"});
  const auto lines = read(Direction::forward, {.first_page = 4, .max_page = 4});
  EXPECT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines.back(), "6 {\"pod\":\"p\"} after");
  EXPECT_EQ(incomplete, 1u);
}

TEST_F(QueryPagerTest, AServerThatIgnoresTheWindowIsNoEndlessLoop) {
  for (int i = 0; i < 1000; ++i) loki.entries.push_back({{{"pod", fmt::format("p{}", i % 3)}}, i, fmt::format("line {}", i)});
  loki.ignores_window = true;
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    for (const bool newest_always : {false, true}) {
      for (const std::uint32_t page : {2u, 7u, 100u, 999u}) {
        SCOPED_TRACE(fmt::format("{} {} {}", direction == Direction::forward ? "forward" : "backward", newest_always, page));
        loki.ignores_direction = newest_always;
        const int before = loki.requests();
        QueryPager pager(client(), "{}", {100, 800}, direction, {.first_page = page, .max_page = page});
        Batch batch;
        base::Result<bool> more = true;
        while (more.ok() && *more) more = pager.next(batch);
        ASSERT_FALSE(more.ok());
        EXPECT_EQ(more.error().code, Code::network);
        EXPECT_NE(more.error().message.find("it ignores `start` and `end`"), std::string::npos) << more.error().message;
        EXPECT_LE(loki.requests() - before, 3);
        for (const Record& record : batch.records)
          EXPECT_TRUE(record.timestamp >= 100 && record.timestamp < 800) << record.timestamp;
      }
    }
  }
}

TEST_F(QueryPagerTest, EntriesOutsideTheWindowAreLeftOut) {
  for (int i = 0; i < 50; ++i) loki.entries.push_back({{{"pod", "p"}}, i, fmt::format("{}", i)});
  loki.ignores_window = true;  // but all of them fit into one page
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    EXPECT_EQ(read(direction, {}, "{}", {10, 13}),
              (Strings{"10 {\"pod\":\"p\"} 10", "11 {\"pod\":\"p\"} 11", "12 {\"pod\":\"p\"} 12"}));
  }
  EXPECT_EQ(diagnostics.said.at(0),
            fmt::format("query-outside: {} gave 47 entries that lie outside the time they were asked for; they are left out",
                        loki.url()));
  EXPECT_EQ(read(Direction::forward, {}, "{}", {100, 200}), Strings{});
}

TEST_F(QueryPagerTest, AWindowThatIsALittleWiderStillGivesEverythingOnce) {
  for (int i = 0; i < 300; ++i) loki.entries.push_back({{{"pod", "p"}}, i, fmt::format("{}", i)});
  loki.slack = 3;
  for (const std::uint32_t page : {10u, 50u, 5000u}) {
    SCOPED_TRACE(page);
    both_ways({.first_page = page, .max_page = page});
  }
}

TEST_F(QueryPagerTest, AServerThatGivesMoreThanTheLimit) {
  for (int i = 0; i < 300; ++i) loki.entries.push_back({{{"pod", "p"}}, i / 3, fmt::format("{}", i)});
  loki.ignores_limit = true;
  both_ways({.first_page = 10, .max_page = 10});
}

TEST_F(QueryPagerTest, LimitOfTheServerIsLearned) {
  loki.max_entries = 7;
  for (int i = 0; i < 50; ++i) loki.entries.push_back({{{"pod", "p"}}, i, fmt::format("{}", i)});
  both_ways({.first_page = 1000});
}

// Entries stand at each seam of two parts, and on both sides of it.
TEST_F(QueryPagerTest, ALongTimeIsAskedForInParts) {
  loki.max_query_length = 30 * base::kSecond;
  for (base::Duration second = 0; second < 100; second += 5) {
    for (const base::Duration beside : {-1, 0, 0, 1}) {
      const base::Timestamp time = second * base::kSecond + beside;
      if (time >= 0) loki.entries.push_back({{{"pod", "p"}}, time, fmt::format("{} {}", time, loki.entries.size())});
    }
  }
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    for (const std::uint32_t page : {3U, 7U, 1000U}) {
      EXPECT_EQ(read(direction, {.first_page = page, .max_page = page}, "{}", {0, 100 * base::kSecond}), all()) << page;
    }
  }
  const int before = loki.requests();
  read(Direction::forward, {}, "{}", {0, 100 * base::kSecond});
  EXPECT_EQ(loki.requests() - before, 5) << "a refusal and four parts";
}

TEST_F(QueryPagerTest, AMetricQueryIsNotDivided) {
  loki.max_query_length = 30 * base::kSecond;
  loki.answer_always(R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}})");
  QueryPager pager(client(), "rate({}[1m])", {0, 100 * base::kSecond}, Direction::forward);
  Batch batch;
  const auto more = pager.next(batch);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(
      more.error().message,
      fmt::format("cannot query {}: 400 the query time range exceeds the limit (query length: 100s, limit: 30s)", loki.url()));
}

TEST_F(QueryPagerTest, LargeEntriesMakeSmallPages) {
  max_body = 100'000;
  for (int i = 0; i < 40; ++i) loki.entries.push_back({{{"pod", "p"}}, i / 2, fmt::format("{} ", i) + std::string(30'000, 'x')});
  both_ways({.first_page = 1000, .page_bytes = 50'000});
}

// As a Loki whose query frontend gets answers as JSON: 200 and nothing instead of what it cannot send.
TEST_F(QueryPagerTest, AnEmptyAnswerInPlaceOfALargeOneIsNotBelieved) {
  loki.most_bytes = 100'000;
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = i < 80 ? 10 : 20'000;  // the first pages say nothing about the later ones
    loki.entries.push_back({{{"pod", "p"}}, i / 2, fmt::format("{} ", i) + std::string(size, 'x')});
  }
  for (const std::uint32_t first_page : {500u, 150u, 20u, 7u}) {
    SCOPED_TRACE(first_page);
    both_ways({.first_page = first_page, .max_page = 1000, .page_bytes = 60'000});
  }
  ASSERT_EQ(diagnostics.said.size(), 1u) << "one message, not one for each page";
  EXPECT_EQ(diagnostics.said.front(),
            "query-hidden: Loki gave no entries when it was asked for up to 500, but one when it was asked for one: its answer may "
            "be over grpc_server_max_send_msg_size (4 MiB by default); asking for fewer at a time");
}

TEST_F(QueryPagerTest, OneTimestampThatCannotBeSentAtOnce) {
  loki.most_bytes = 100'000;
  for (int i = 0; i < 100; ++i)
    loki.entries.push_back({{{"pod", fmt::format("p{}", i % 7)}}, 5, fmt::format("{} ", i) + std::string(9'000, 'x')});
  both_ways({.page_bytes = 60'000});
}

TEST_F(QueryPagerTest, AnEntryThatComesAfterAnEmptyAnswerIsNoHiddenAnswer) {
  loki.entries.push_back({{{"pod", "p"}}, 5, "late"});
  loki.blind_from = loki.blind_to = 1;
  EXPECT_EQ(read(Direction::forward, {}), all());
  EXPECT_EQ(diagnostics.said, Strings());
}

TEST_F(QueryPagerTest, TwoEntriesThatCannotBeSentAreAnError) {
  loki.most_bytes = 100'000;
  for (int i = 0; i < 2; ++i) loki.entries.push_back({{{"pod", "p"}}, i, std::string(60'000, 'x')});
  QueryPager pager(client(), "{}", {0, 1000}, Direction::forward);
  Batch batch;
  const auto more = pager.next(batch);
  ASSERT_FALSE(more.ok());
  EXPECT_NE(more.error().message.find("Loki gave 0 entries, where it had given 1 before"), std::string::npos)
      << more.error().message;
}

TEST_F(QueryPagerTest, ALargerPageThanAllowedForOneEntryStillComes) {
  max_body = 1000;
  loki.entries.push_back({{{"pod", "p"}}, 1, std::string(30'000, 'x')});
  both_ways({});
}

TEST_F(QueryPagerTest, ExpectationKeepsPagesSmall) {
  for (int i = 0; i < 1000; ++i) loki.entries.push_back({{{"pod", "p"}}, i, fmt::format("{}", i)});
  QueryPager pager(client(), "{}", {0, 10'000}, Direction::backward);
  pager.expect_at_most(5);
  Batch batch;
  ASSERT_TRUE(pager.next(batch).ok());
  EXPECT_EQ(batch.records.size(), 5u);
  EXPECT_EQ(batch.records.back().timestamp, 999);
  EXPECT_EQ(loki.last_parameters()["limit"], "6");
}

TEST_F(QueryPagerTest, ErrorsOfThePipelineAreLokis) {
  QueryPager pager(client(), "{} | nonsense", {0, 10}, Direction::forward);
  Batch batch;
  const auto more = pager.next(batch);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().code, Code::config);
  EXPECT_NE(more.error().message.find("parse error at line 1, col 1: syntax error: unexpected |"), std::string::npos)
      << more.error().message;
}

}  // namespace
}  // namespace weir::loki
