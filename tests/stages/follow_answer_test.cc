#include "stages/follow_answer.h"

#include "spool/writer.h"
#include "support/fake_query_loki.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using base::kMillisecond;
using base::kSecond;
using test::FakeQueryLoki;
using test::Lines;
using test::LinesOutlet;
using Verdict = Expectation::Verdict;

class Collected : public base::Diagnostics {
 public:
  void say(std::string_view text) override {
    said.emplace_back(text);
    ++count;
    count.notify_all();
  }
  void warn(std::string_view, std::string_view text) override { said.emplace_back(text); }
  std::vector<std::string> said;
  std::atomic<int> count = 0;  // for other threads
};

class FollowTest : public ::testing::Test {
 protected:
  FollowTest() : stop(std::move(*base::Stop::create())) {
    query.logql = "{}";
    query.range = {now - base::kHour, now};
    follow.follow = true;
    follow.looks.quick = follow.looks.slow = kMillisecond;
    follow.looks.pause = follow.looks.longest_pause = kMillisecond;
  }
  pipeline::Context context() { return {.clock = &base::Clock::system(), .diagnostics = &diagnostics, .stop = stop.get()}; }
  base::Result<void> run(LinesOutlet& out) {
    auto source = make_follow(query, follow, context());
    if (!source) return std::move(source).error();
    auto result = (*source)->run(out, *stop);
    test::expect_balance((*source)->counters());
    EXPECT_EQ((*source)->counters().records_out, out.records);
    summary = (*source)->summary();
    return result;
  }
  // The lines of the records alone.
  std::vector<std::string> lines() {
    LinesOutlet out;
    const auto result = run(out);
    EXPECT_TRUE(result.ok()) << result.error().message;
    std::vector<std::string> found;
    for (const std::string& line : out.lines) {
      const std::size_t at = line.find("\"line\":\"") + 8;
      found.push_back(line.substr(at, line.find('"', at) - at));
    }
    return found;
  }

  const base::Timestamp now = base::Clock::system().wall();
  Collected diagnostics;
  std::unique_ptr<base::Stop> stop;
  QuerySpec query;
  FollowSpec follow;
  std::string summary;
};

class FollowLokiTest : public FollowTest {
 protected:
  FollowLokiTest() {
    query.loki.backoff = {.base = kMillisecond, .ceiling = kMillisecond};
    query.loki.http.base.origin = loki.url();
  }
  void add(base::Duration at, const std::string& line) { loki.entries.push_back({{{"pod", "a"}}, now + at, line}); }
  // From the begin on, `changes` are made before the requests that come then.
  void script(std::map<int, std::function<void()>> changes) {
    loki.before_answer = [changes = std::move(changes)](int request) {
      if (const auto found = changes.find(request); found != changes.end()) found->second();
    };
  }

  FakeQueryLoki loki;
};

TEST_F(FollowLokiTest, SaysOnceWhatLokiDoesNotGive) {
  loki.max_entries = 4;
  script({{3,
           [&] {
             for (int i = 0; i < 6; ++i) add(0, "same");
           }},
          {60, [&] { stop->request(); }}});
  add(-kSecond, "old");
  EXPECT_EQ(lines(), (std::vector<std::string>{"old", "same", "same", "same", "same"}));
  EXPECT_EQ(diagnostics.said,
            std::vector<std::string>{
                "at 1 timestamp there are more equal entries than Loki gives in one answer: some of them are missing"});
}

TEST_F(FollowLokiTest, WhatIsThereThenWhatIsNewAlsoWhenItIsLate) {
  add(-10 * kSecond, "old");
  add(-1, "last");
  script({{2, [&] { add(0, "first"); }}, {4, [&] { add(kMillisecond, "second"), add(-30 * kSecond, "late"); }}, {40, [&] {
                                                                                                                   stop->request();
                                                                                                                 }}});
  follow.looks.late = 40 * kSecond;
  follow.looks.overlap = 40 * kSecond;  // so that each look is as long as a wide one
  EXPECT_EQ(lines(), (std::vector<std::string>{"old", "last", "first", "late", "second"}));
  EXPECT_EQ(summary, "");
  EXPECT_EQ(diagnostics.said, std::vector<std::string>{});
}

TEST_F(FollowLokiTest, WhatTheLimitLeavesOutStaysOut) {
  for (int i = 0; i < 20; ++i) add(-20 * kMillisecond + i, fmt::format("{}", i));
  query.limit = 3;
  script({{5, [&] { add(0, "new"), add(-kSecond, "before what was shown"); }}, {40, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"17", "18", "19", "new"}));
}

TEST_F(FollowLokiTest, EqualEntriesAreShownAsOftenAsTheyAreThere) {
  add(-1, "x");
  add(-1, "x");
  script({{4, [&] { add(-1, "x"); }}, {30, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"x", "x", "x"}));
}

TEST_F(FollowLokiTest, WaitsThroughAnOutageWithTwoMessages) {
  add(-1, "before");
  script({{3,
           [&] {
             loki.reply_first({{503, "starting"}, {0, ""}, {500, "x"}, {502, "<html>"}});
           }},
          {5, [&] { add(1, "meanwhile"); }},
          {30, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"before", "meanwhile"}));
  ASSERT_EQ(diagnostics.said.size(), 2u);
  EXPECT_EQ(diagnostics.said[0], fmt::format("cannot query {}: 503 starting; asking again until it answers", loki.url()));
  EXPECT_NE(diagnostics.said[1].find("Loki answers again"), std::string::npos);
}

TEST_F(FollowLokiTest, ALokiThatHangsIsReportedWhileItHangs) {
  add(-1, "before");
  follow.patience = kMillisecond;
  script({{4, [&] { diagnostics.count.wait(0); }}, {30, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), std::vector<std::string>{"before"});
  ASSERT_GE(diagnostics.said.size(), 2u);
  EXPECT_NE(diagnostics.said[0].find("has not answered for"), std::string::npos) << diagnostics.said[0];
  EXPECT_NE(diagnostics.said[1].find("Loki answers again"), std::string::npos) << diagnostics.said[1];
}

// Not on every load of the machine: a look of more than a second is what the test waits for.
TEST_F(FollowLokiTest, RecordsThatShowTooLateAreReported) {
  add(-1, "before");
  follow.looks.late = 4 * kSecond;  // so that records should show within a second
  follow.patience = base::kMinute;
  script({{4, [&] { diagnostics.count.wait(0); }}, {5, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), std::vector<std::string>{"before"});
  ASSERT_GE(diagnostics.said.size(), 1u);
  EXPECT_EQ(diagnostics.said[0],
            "new records show more than 1 second after they reach Loki, not within 1 second: so many match that Loki takes long to "
            "give those of 4 seconds again (a filter in the query or a shorter --late makes them fewer)");
}

TEST_F(FollowLokiTest, ALokiThatLacksWhatItHadIsAskedAgain) {
  add(-1, "one");
  loki.blind_from = 3, loki.blind_to = 8;
  script({{6, [&] { add(2, "two"); }}, {30, [&] { stop->request(); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"one", "two"}));
  ASSERT_FALSE(diagnostics.said.empty());
  EXPECT_EQ(diagnostics.said[0], "Loki does not give all that it gave before; asking again until it answers");
}

TEST_F(FollowLokiTest, ALokiThatIsNotThereIsAnError) {
  query.loki.http.base.origin = "http://127.0.0.1:1";
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("cannot query"), std::string::npos);
}

TEST_F(FollowLokiTest, AMetricQueryIsNotFollowed) {
  query.logql = R"(rate({app="x"}[1m]))";
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::usage);
  EXPECT_EQ(result.error().message, "cannot follow a metric query");
}

TEST_F(FollowLokiTest, EndsWhenNobodyReads) {
  class Quitter : public LinesOutlet {
   public:
    base::Result<pipeline::Flow> emit(record::Batch& batch) override {
      static_cast<void>(LinesOutlet::emit(batch));
      return pipeline::Flow::done;
    }
  } out;
  script({{5, [&] { add(0, "new"); }}, {60, [&] { stop->request(); }}});
  ASSERT_TRUE(run(out).ok());
  EXPECT_FALSE(stop->stopped());
  EXPECT_EQ(out.lines.size(), 1u);
}

TEST_F(FollowLokiTest, AnExpectationWithoutATimeToWait) {
  follow.follow = false;
  for (int i = 0; i < 3; ++i) add(-kSecond + i, "x");
  Expectation enough({3, 3}, 0), more({4, Expectation::Bounds::kNoMost}, 0);
  follow.expectation = &enough;
  EXPECT_EQ(lines().size(), 3u);
  EXPECT_EQ(enough.verdict(), Verdict::met);
  EXPECT_EQ(summary, "expected 3 records, found 3");
  follow.expectation = &more;
  EXPECT_EQ(lines().size(), 3u);
  EXPECT_EQ(more.verdict(), Verdict::missed);
  EXPECT_EQ(summary, "expected at least 4 records, found 3");
}

TEST_F(FollowLokiTest, AnExpectationThatIsWaitedFor) {
  follow.follow = false;
  add(-kSecond, "one");
  Expectation expectation({3, 3}, base::kMinute);
  follow.expectation = &expectation;
  script({{4, [&] { add(1, "two"); }}, {8, [&] { add(2, "three"); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(expectation.verdict(), Verdict::met);
}

TEST_F(FollowLokiTest, AnExpectationThatIsExceededEndsAtOnce) {
  follow.follow = false;
  Expectation expectation({0, 0}, base::kMinute);
  follow.expectation = &expectation;
  script({{6, [&] { add(1, "one"); }}});
  EXPECT_EQ(lines(), (std::vector<std::string>{"one"}));
  EXPECT_EQ(expectation.verdict(), Verdict::missed);
  EXPECT_EQ(summary, "expected no record, found at least 1");
}

TEST_F(FollowLokiTest, AnExpectationHoldsUntilTheTimeIsOver) {
  follow.follow = false;
  Expectation expectation({0, 0}, 30 * kMillisecond);
  follow.expectation = &expectation;
  EXPECT_EQ(lines(), std::vector<std::string>{});
  EXPECT_EQ(expectation.verdict(), Verdict::met);
}

TEST_F(FollowLokiTest, NothingAsExpectedIsExplained) {
  follow.follow = false;
  add(-kSecond, "one");
  query.logql = R"({podd="a"})";
  Expectation expectation({0, 0}, 0);
  follow.expectation = &expectation;
  loki.answer_always(R"({"status":"success","data":{"resultType":"streams","result":[],"stats":{}}})");
  EXPECT_EQ(lines(), std::vector<std::string>{});
  EXPECT_EQ(expectation.verdict(), Verdict::met);
  EXPECT_EQ(summary, "expected no record, found none: no label 'podd' here; did you mean 'pod'?");
}

TEST_F(FollowLokiTest, NoVerdictWhileLokiDoesNotAnswer) {
  follow.follow = false;
  Expectation expectation({0, 0}, 50 * kMillisecond);
  follow.expectation = &expectation;
  loki.before_answer = [&](int request) {
    if (request > 2) loki.reply_first({{503, "starting"}});
  };
  LinesOutlet out;
  const auto result = run(out);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(expectation.verdict(), Verdict::open);
}

TEST_F(FollowLokiTest, ALokiThatStartsLaterIsWaitedFor) {
  follow.follow = false;
  query.loki.attempts = 1;
  add(-kSecond, "one");
  Expectation expectation({1, 1}, base::kMinute);
  follow.expectation = &expectation;
  loki.reply_first({{503, "starting"}, {503, "starting"}, {503, "starting"}});
  EXPECT_EQ(lines(), std::vector<std::string>{"one"});
  EXPECT_EQ(expectation.verdict(), Verdict::met);
  ASSERT_EQ(diagnostics.said.size(), 2u);
  EXPECT_NE(diagnostics.said[0].find("asking again until it answers"), std::string::npos);
  EXPECT_TRUE(diagnostics.said[1].starts_with("Loki answers again after "));
}

class FollowSpoolTest : public FollowTest {
 protected:
  FollowSpoolTest() {
    query.spools = {path};
    query.range = {};
    query.logql = "";
    writer = std::move(
        *spool::Writer::open({.path = path, .min_free = 0, .retain = 1000 * base::kHour}, base::Clock::system(), nullptr));
  }
  // A commit.
  void store(const std::vector<std::pair<base::Duration, std::string>>& lines) {
    spool::BlockBuilder builder;
    record::Batch batch;
    for (const auto& [at, line] : lines) {
      record::Record record;
      record.timestamp = now + at;
      record.labels = batch.hold(record::LabelSet::intern({{"pod", "a"}}));
      record.line = record::Text::bytes(batch.copy(line));
      builder.add(record);
    }
    const auto appended = writer->append(builder, nullptr, nullptr);
    ASSERT_TRUE(appended.ok()) << appended.error().message;
  }
  // Commits the next of `commits` when a batch has come; asks the source to end behind the last one.
  class Committer : public LinesOutlet {
   public:
    Committer(FollowSpoolTest& test, std::vector<std::vector<std::pair<base::Duration, std::string>>> commits)
        : test_(test), commits_(std::move(commits)) {}
    base::Result<pipeline::Flow> emit(record::Batch& batch) override {
      auto flow = LinesOutlet::emit(batch);
      if (next_ == commits_.size()) {
        test_.stop->request();
      } else {
        test_.store(commits_[next_++]);
      }
      return flow;
    }

   private:
    FollowSpoolTest& test_;
    std::vector<std::vector<std::pair<base::Duration, std::string>>> commits_;
    std::size_t next_ = 0;
  };

  test::TempDir dir;
  const std::string path = dir / "spool.db";
  std::unique_ptr<spool::Writer> writer;
};

TEST_F(FollowSpoolTest, EachCommitOnceHoweverOldItsRecordsAre) {
  store({{-5, "one"}, {-4, "two"}});
  store({{-3, "three"}});
  Committer out(*this, {{{10, "four"}, {-base::kHour, "long ago"}}, {{-3, "three"}, {5, "five"}}});
  ASSERT_TRUE(run(out).ok());
  std::vector<std::string> found;
  for (const std::string& line : out.lines) found.push_back(line.substr(line.find("\"line\"") + 8, 5));
  EXPECT_EQ(out.lines.size(), 7u);
  EXPECT_EQ(found, (std::vector<std::string>{"one\",", "two\",", "three", "long ", "four\"", "three", "five\""}));
}

TEST_F(FollowSpoolTest, BeginsWithTheNewestOfTheLimit) {
  store({{-5, "one"}, {-4, "two"}, {-3, "three"}});
  query.limit = 1;
  Committer out(*this, {{{1, "four"}, {2, "five"}}});
  ASSERT_TRUE(run(out).ok());
  EXPECT_EQ(out.lines.size(), 3u);
}

// The spool is removed when its first records have come; then an empty file stands there, and later a spool.
class Replacer : public LinesOutlet {
 public:
  explicit Replacer(std::function<void()> remove, std::function<bool()> waits, std::function<void()> make, base::Stop& stop)
      : remove_(std::move(remove)), waits_(std::move(waits)), make_(std::move(make)), stop_(stop) {}
  base::Result<pipeline::Flow> emit(record::Batch& batch) override {
    auto flow = LinesOutlet::emit(batch);
    if (lines.size() == 1) {
      remove_();
    } else {
      stop_.request();
    }
    return flow;
  }
  base::Result<base::Monotonic> nudge(base::Monotonic now) override {
    // Some looks find the empty file.
    if (waits_() && ++looks_ == 4) make_();
    return LinesOutlet::nudge(now);
  }

 private:
  std::function<void()> remove_;
  std::function<bool()> waits_;
  std::function<void()> make_;
  base::Stop& stop_;
  int looks_ = 0;
};

TEST_F(FollowSpoolTest, ANewSpoolThatIsStillEmptyIsWaitedFor) {
  store({{-5, "one"}});
  Replacer out(
      [&] {
        writer.reset();
        for (const char* end : {"", "-wal", "-shm"}) std::remove((path + end).c_str());
        std::ofstream(path).close();
      },
      [&] { return diagnostics.count > 0; },
      [&] {
        writer = std::move(
            *spool::Writer::open({.path = path, .min_free = 0, .retain = 1000 * base::kHour}, base::Clock::system(), nullptr));
        store({{-4, "two"}});
      },
      *stop);
  const auto result = run(out);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(out.lines.size(), 2u);
  EXPECT_NE(out.lines[1].find("\"two\""), std::string::npos) << out.lines[1];
  EXPECT_EQ(diagnostics.said, (std::vector<std::string>{path + " was removed: waiting for a new one",
                                                        path + " was replaced: following the new one"}));
}

TEST_F(FollowSpoolTest, OneTenant) {
  store({{-5, "none"}});
  query.tenant = "shop";
  follow.follow = false;
  Expectation none({0, 0}, 0);
  follow.expectation = &none;
  EXPECT_EQ(lines().size(), 0u);
  EXPECT_EQ(none.verdict(), Verdict::met);
  EXPECT_EQ(summary, "expected no record, found none: no record of the tenant shop here; -o jsonl shows the tenant of each record");
}

TEST_F(FollowSpoolTest, ReadingEndsAtTheFirstRecordTooMany) {
  store({{-5, "one"}, {-4, "two"}, {-3, "three"}, {-2, "four"}, {-1, "five"}});
  follow.follow = false;
  Expectation expectation({0, 2}, 0);
  follow.expectation = &expectation;
  EXPECT_EQ(lines(), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(expectation.verdict(), Verdict::missed);
  EXPECT_EQ(summary, "expected at most 2 records, found at least 3");
}

TEST_F(FollowSpoolTest, AnExpectation) {
  follow.follow = false;
  store({{-5, "one"}, {-4, "two"}});
  query.logql = "|= \"o\"";
  Expectation expectation({4, Expectation::Bounds::kNoMost}, base::kMinute), none({0, 0}, 0), three({3, 3}, 100 * kMillisecond);
  follow.expectation = &three;
  EXPECT_EQ(lines().size(), 2u);
  EXPECT_EQ(three.verdict(), Verdict::missed);
  query.logql = "|= \"nobody\"";
  follow.expectation = &none;
  EXPECT_EQ(lines().size(), 0u);
  EXPECT_EQ(none.verdict(), Verdict::met);
  query.logql = "|= \"o\"";
  follow.expectation = &expectation;
  Committer out(*this, {{{1, "four"}, {2, "five"}}, {{3, "fo"}}});
  ASSERT_TRUE(run(out).ok());
  EXPECT_EQ(expectation.verdict(), Verdict::met);
  EXPECT_EQ(out.lines.size(), 4u);
}

}  // namespace
}  // namespace weir::stages
