#include "loki/query_ranges.h"

#include "support/fake_query_loki.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace weir::loki {
namespace {

using record::Batch;
using record::Record;

class Silent : public base::Diagnostics {
 public:
  void say(std::string_view) override {}
  void warn(std::string_view, std::string_view) override {}
};

class QueryRangesTest : public ::testing::Test {
 protected:
  std::unique_ptr<QueryClient> make_client(std::function<bool()> cancelled) {
    ++clients;
    QueryClientConfig config;
    config.http.base.origin = loki.url();
    config.http.cancelled = std::move(cancelled);
    config.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    config.attempts = 2;
    auto created = QueryClient::create(std::move(config), base::Clock::system(), diagnostics, nullptr);
    if (!created) std::abort();
    return std::move(*created);
  }
  std::unique_ptr<QueryRanges> ranges(base::TimeRange window) {
    first = make_client(nullptr);
    clients = 0;
    return std::make_unique<QueryRanges>(
        *first, [this](auto cancelled) { return make_client(std::move(cancelled)); }, "{}", window, options);
  }
  // All entries, "TIME LINE", checking that no time goes back.
  static std::vector<std::string> all(QueryRanges& ranges) {
    std::vector<std::string> found;
    base::Timestamp last = 0;
    for (;;) {
      Batch batch;
      const auto more = ranges.next(batch);
      EXPECT_TRUE(more.ok()) << more.error().message;
      if (!more || !*more) return found;
      for (Record& record : batch.records) {
        EXPECT_LE(last, record.timestamp);
        last = record.timestamp;
        found.push_back(fmt::format("{} {}", record.timestamp, batch.line(record)));
      }
    }
  }

  test::FakeQueryLoki loki;
  Silent diagnostics;
  QueryRanges::Options options = {.workers = 2, .alone = 3, .pages = 2, .held = 4000, .pager = {.first_page = 10, .max_page = 50}};
  std::unique_ptr<QueryClient> first;
  std::atomic<int> clients = 0;
};

TEST_F(QueryRangesTest, ASmallAnswerNeedsNoWorkers) {
  for (int i = 0; i < 20; ++i) loki.entries.push_back({{{"pod", "a"}}, 100 + i, fmt::to_string(i)});
  const auto read = ranges({0, 1000});
  EXPECT_EQ(all(*read).size(), 20u);
  EXPECT_EQ(clients, 0);
}

TEST_F(QueryRangesTest, EveryEntryOnceInTheOrderOfTime) {
  std::mt19937 random(5);
  for (int round = 0; round < 8; ++round) {
    options.workers = 1 + static_cast<unsigned>(round % 4);
    loki.entries.clear();
    base::Timestamp time = 1000;
    // Dense and empty times, and times that many entries share.
    for (int i = 0; i < 4000; ++i) {
      time += random() % 400 == 0 ? random() % 1'000'000 : random() % 30;
      loki.entries.push_back({{{"pod", fmt::format("p{}", random() % 3)}}, time, fmt::format("line {}", i)});
    }
    std::vector<std::string> expected;
    for (const auto& entry : loki.entries) expected.push_back(fmt::format("{} {}", entry.timestamp, entry.line));
    const auto read = ranges({0, time + 1});
    auto found = all(*read);
    EXPECT_EQ(read->incomplete(), 0u);
    EXPECT_EQ(read->left(), 0);
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(found, expected) << "round " << round;
    if (options.workers > 1) {
      EXPECT_EQ(clients, static_cast<int>(options.workers));
    }
  }
}

TEST_F(QueryRangesTest, AFailedRangeIsAnErrorBehindTheEntriesBeforeIt) {
  for (int i = 0; i < 5000; ++i) loki.entries.push_back({{{"pod", "a"}}, 100 + i, fmt::to_string(i)});
  loki.before_answer = [&](int request) {
    if (request > 40) loki.reply_first({{503, "no"}, {503, "no"}, {503, "no"}});
  };
  const auto read = ranges({0, 6000});
  int expected = 0;
  for (;;) {
    Batch batch;
    const auto more = read->next(batch);
    if (!more) {
      EXPECT_NE(more.error().message.find("503"), std::string::npos);
      break;
    }
    ASSERT_TRUE(*more);
    for (Record& record : batch.records) EXPECT_EQ(batch.line(record), fmt::to_string(expected++));
  }
  EXPECT_GT(expected, 30);
  EXPECT_LT(expected, 5000);
}

TEST_F(QueryRangesTest, TheCallerMayEndEarly) {
  for (int i = 0; i < 5000; ++i) loki.entries.push_back({{{"pod", "a"}}, 100 + i, fmt::to_string(i)});
  auto read = ranges({0, 6000});
  for (int i = 0; i < 5; ++i) {
    Batch batch;
    ASSERT_TRUE(read->next(batch).ok());
  }
  EXPECT_EQ(clients, 2);
  read.reset();
}

}  // namespace
}  // namespace weir::loki
