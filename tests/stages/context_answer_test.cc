#include "stages/context_answer.h"

#include "record/context_mark.h"
#include "spool/writer.h"
#include "sqlite/database.h"
#include "stages/context_lines.h"
#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include <random>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

using record::Batch;
using record::Record;

class Quiet : public base::Diagnostics {
 public:
  void say(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view, std::string_view text) override { said.emplace_back(text); }
  std::vector<std::string> said;
};

// "group: line place".
class GroupsOutlet : public test::LinesOutlet {
 public:
  base::Result<pipeline::Flow> emit(Batch& batch) override {
    for (Record& record : batch.records) {
      const auto number = record::find(record.metadata, record::kContextGroup);
      if (number != last_) groups.emplace_back();
      last_ = number;
      if (!groups.back().empty()) groups.back() += ' ';
      const auto place = record::find(record.metadata, record::kContextPlace);
      groups.back() += fmt::format("{}{}", batch.line(record), place == "before" ? "-" : place == "after" ? "+" : "");
    }
    return LinesOutlet::emit(batch);
  }
  std::vector<std::string> groups;

 private:
  std::string last_;
};

class ContextTest : public ::testing::Test {
 protected:
  ContextTest() : stop(std::move(*base::Stop::create())) { query.range = {0, 1'000'000}; }

  std::vector<std::string> groups(std::size_t before, std::size_t after) {
    auto source =
        make_context(query, {before, after}, {.clock = &base::Clock::system(), .diagnostics = &diagnostics, .stop = stop.get()});
    if (!source) {
      ADD_FAILURE() << source.error().message;
      return {};
    }
    GroupsOutlet out;
    const auto result = (*source)->run(out, *stop);
    EXPECT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ((*source)->counters().records_out, out.records);
    summary = (*source)->summary();
    lost = (*source)->counters().lost;
    return out.groups;
  }

  Quiet diagnostics;
  std::unique_ptr<base::Stop> stop;
  QuerySpec query;
  std::string summary;
  std::uint64_t lost = 0;
};

using Groups = std::vector<std::string>;

class ContextLokiTest : public ContextTest {
 protected:
  std::promise<void> release;
  std::future<void> hanging = release.get_future();
  ContextLokiTest() {
    query.loki.http.base.origin = loki.url();
    query.loki.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    query.logql = R"({pod="p"} |= "X")";
  }
  test::FakeQueryLoki loki;
};

TEST_F(ContextLokiTest, AroundMatches) {
  for (int i = 0; i < 1000; ++i) {
    const bool match = i == 0 || i == 500 || i == 503 || i == 700 || i == 999;
    loki.entries.push_back(
        {{{"pod", "p"}, {"stream", i % 3 == 0 ? "stderr" : "stdout"}}, 100 + i, fmt::format("{}{}", i, match ? "X" : "")});
  }
  EXPECT_EQ(groups(2, 1), (Groups{"0X 1+", "498- 499- 500X 501+ 502- 503X 504+", "698- 699- 700X 701+", "997- 998- 999X"}));
  EXPECT_EQ(groups(0, 0), (Groups{"0X", "500X", "503X", "700X", "999X"}));
  query.limit = 2;
  EXPECT_EQ(groups(1, 1), (Groups{"699- 700X 701+", "998- 999X"}));
  EXPECT_LT(loki.requests(), 60);
}

TEST_F(ContextLokiTest, ManyRecordsOfOneTime) {
  for (int i = 0; i < 300; ++i)
    loki.entries.push_back({{{"pod", "p"}}, 100 + i / 100, fmt::format("{:03}{}", i, i == 250 ? "X" : "")});
  loki.max_entries = 40;
  const auto found = groups(400, 400);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(std::count(found[0].begin(), found[0].end(), ' '), 299);
}

TEST_F(ContextLokiTest, WhatLokiDoesNotGiveIsSaid) {
  loki.max_entries = 4;
  loki.entries.clear();
  for (int i = 0; i < 6; ++i) loki.entries.push_back({{{"pod", "a"}}, 10, "same"});
  loki.entries.push_back({{{"pod", "a"}}, 11, "match"});
  query.logql = R"({} |= "match")";
  EXPECT_EQ(groups(1, 0).size(), 1U);
  EXPECT_EQ(lost, 1U);
  ASSERT_EQ(diagnostics.said.size(), 1U);
  EXPECT_EQ(diagnostics.said.front(),
            "at 1 timestamp there are more equal entries than Loki gives in one answer: some of them are missing");
}

// A request that hangs ends with the stop, not with its timeout.
TEST_F(ContextLokiTest, ASignalEndsARequest) {
  loki.entries.push_back({{{"pod", "a"}}, 11, "match"});
  query.logql = R"({} |= "match")";
  loki.before_answer = [this](int request) {
    if (request < 2) return;
    stop->request();
    // Longer than a cancelled request takes to end, as an answer that does not come.
    hanging.wait_for(std::chrono::seconds(20));
  };
  auto source = make_context(query, {1, 1}, {.clock = &base::Clock::system(), .diagnostics = &diagnostics, .stop = stop.get()});
  ASSERT_TRUE(source.ok());
  GroupsOutlet out;
  const auto begun = std::chrono::steady_clock::now();
  const auto result = (*source)->run(out, *stop);
  release.set_value();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::Code::interrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST_F(ContextLokiTest, NothingMatches) {
  loki.entries.push_back({{{"pod", "p"}}, 100, "a"});
  EXPECT_EQ(groups(1, 1), Groups{});
  EXPECT_EQ(summary, "there are records of these labels in this time, but none passes the rest of the query");
}

TEST_F(ContextLokiTest, AQueryThatChangesLabels) {
  for (const char* stage : {"| drop pod", "| keep pod", "| label_format a=pod"}) {
    query.logql = fmt::format("{{pod=\"p\"}} {}", stage);
    const auto source =
        make_context(query, {1, 1}, {.clock = &base::Clock::system(), .diagnostics = &diagnostics, .stop = stop.get()});
    ASSERT_FALSE(source.ok());
    EXPECT_EQ(source.error().code, base::Code::usage);
  }
}

class ContextSpoolTest : public ContextTest {
 protected:
  ContextSpoolTest() {
    query.spools = {path};
    query.logql = R"(|= "X")";
  }
  void store(const std::vector<std::pair<std::string, std::string>>& lines) {  // pod and line, one a nanosecond
    auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1000 * base::kHour}, base::Clock::system(), nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    Batch batch;
    base::Timestamp time = 100;
    for (const auto& [pod, line] : lines) {
      Record record;
      record.timestamp = time++;
      record.labels = batch.hold(record::LabelSet::intern({{"pod", pod}}));
      record.line = record::Text::bytes(batch.copy(line));
      builder.add(record);
    }
    ASSERT_TRUE((*writer)->append(builder, nullptr).ok());
    ASSERT_TRUE((*writer)->close().ok());
  }

  test::TempDir dir;
  const std::string path = dir / "spool.db";
};

TEST_F(ContextSpoolTest, AroundMatches) {
  store(
      {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"a", "4X"}, {"b", "5"}, {"b", "6"}, {"a", "7"}, {"a", "8"}, {"b", "9X"}, {"a", "10X"}});
  EXPECT_EQ(groups(1, 1), (Groups{"3- 4X 7+ 8- 10X", "6- 9X"}));
  EXPECT_EQ(groups(0, 1), (Groups{"4X 7+", "9X", "10X"}));
  query.limit = 2;
  EXPECT_EQ(groups(1, 0), (Groups{"6- 9X", "8- 10X"}));
  EXPECT_EQ(summary, "only the newest 2 records are shown; there are older ones (--limit 0 shows all)");
  query.forward = true;
  query.limit = 1;
  EXPECT_EQ(groups(1, 1), (Groups{"3- 4X 7+"}));
}

TEST_F(ContextSpoolTest, DamageIsCountedAndSaidOnce) {
  store({{"a", "1"}, {"a", "2X"}});
  {
    auto database = sqlite::Database::open(path, sqlite::Access::write, 0);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->execute("UPDATE bodies SET body = x'00' WHERE block = 1").ok());
  }
  for (const std::uint64_t limit : {0, 5}) {
    diagnostics.said.clear();
    query.limit = limit;
    EXPECT_EQ(groups(1, 1), Groups{});
    EXPECT_EQ(lost, 1u) << limit;
    EXPECT_EQ(diagnostics.said.size(), 1u) << limit;
    EXPECT_EQ(summary, "nothing in what could be read of the spool");
  }
  store({{"a", "3"}, {"a", "4X"}});
  diagnostics.said.clear();
  EXPECT_EQ(groups(1, 1), (Groups{"3- 4X"}));
  EXPECT_EQ(lost, 1u);
  EXPECT_EQ(diagnostics.said.size(), 1u);
}

TEST_F(ContextSpoolTest, OnlyTheStreamsOfTheSelector) {
  store({{"a", "1"}, {"b", "2X"}, {"a", "3X"}, {"b", "4"}, {"a", "5"}});
  query.logql = R"({pod="a"} |= "X")";
  EXPECT_EQ(groups(5, 5), (Groups{"1- 3X 5+"}));
  query.logql = R"({pod="a"} |= "Y")";
  EXPECT_EQ(groups(5, 5), Groups{});
}

}  // namespace
}  // namespace weir::stages
