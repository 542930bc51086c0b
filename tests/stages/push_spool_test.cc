// Push behind a spool: streams that wait there, backlogs, records that were refused once.
#include "pipeline/chain.h"
#include "spool/consumer.h"
#include "spool/inspection.h"
#include "spool/reader.h"
#include "spool/writer.h"
#include "sqlite/database.h"
#include "stages/enrich.h"
#include "stages/filter.h"
#include "stages/push.h"
#include "stages/push_from_spool.h"
#include "stages/replay.h"
#include "stages/spool_source.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/fake_clock.h"
#include "support/fake_loki.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;
using Stages = std::vector<std::unique_ptr<pipeline::Stage>>;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PushSpoolTest : public ::testing::Test {
 protected:
  PushSpoolTest() {
    spec_.http.base = *http::parse_url(loki_.url());
    spec_.backoff = {.base = 20 * base::kMillisecond, .ceiling = 50 * base::kMillisecond};
    spec_.give_up = 0;
    context_.clock = &base::Clock::system();
    context_.diagnostics = &test_.diagnostics;
    context_.stop = test_.stop.get();
    context_.environment = test_.context.environment;
    context_.metrics = &test_.registry;
    spool_ = dir_ / "spool.db";
  }

  struct Line {
    std::string app, text;
  };

  // Appends blocks to the spool, as if that were `age` ago.
  void store(const std::vector<std::vector<Line>>& blocks, base::Duration age = 0) {
    test::FakeClock clock(base::Clock::system().wall() - age);
    auto writer = spool::Writer::open({.path = spool_, .min_free = 0, .retain = 10'000 * base::kHour}, clock, nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    spool::BlockBuilder builder;
    for (const auto& block : blocks) {
      pipeline::Batch batch;
      for (const Line& line : block) {
        record::Record record;
        record.timestamp = clock.wall() + ++stored_;
        record.labels = batch.hold(record::LabelSet::intern({{"app", line.app}}));
        record.line = record::Text::bytes(line.text);
        builder.add(record);
      }
      auto appended = (*writer)->append(builder, nullptr);
      ASSERT_TRUE(appended) << appended.error().message;
      builder.take();
    }
    ASSERT_TRUE((*writer)->close());
  }

  // Bytes that do not compress much, with a number in front.
  static std::string noise(int number, std::size_t size) {
    std::string text = std::to_string(number) + " ";
    for (std::size_t i = text.size(); i < size; ++i)
      text += static_cast<char>('a' + (i * 7919 + static_cast<std::size_t>(number) * 104729 + i * i) % 26);
    return text;
  }

  // `blocks` blocks with 30 lines of 8 KB of a hot stream each, and some of others between.
  std::vector<std::vector<Line>> hot_and_others(int blocks) {
    std::vector<std::vector<Line>> all;
    for (int b = 0; b < blocks; ++b) {
      auto& block = all.emplace_back();
      for (int i = 0; i < 30; ++i) {
        const int number = b * 30 + i;
        block.push_back({"hot", noise(number, 8000)});
        want_[" {app=\"hot\"}"].push_back(block.back().text);
        for (const char* app : {"b", "c"}) {
          block.push_back({app, std::string(app) + " " + std::to_string(number)});
          want_[fmt::format(" {{app=\"{}\"}}", app)].push_back(block.back().text);
        }
      }
    }
    return all;
  }

  // Loki takes nothing of the hot stream until `until` says so.
  void limit_hot(std::function<bool(const test::PushedRequest&)> until) {
    loki_.decide([this, until = std::move(until)](const test::PushedRequest& request) {
      if (!allowed_ && until(request)) allowed_ = true;
      const bool hot = request.streams[0].labels == "{app=\"hot\"}";
      if (allowed_ || !hot) return test::ScriptedReply{};
      ++limited_;
      return test::ScriptedReply{
          429,
          "maximum active stream limit exceeded when trying to create stream {app=\"hot\"}, reduce the number of active streams"};
    });
  }
  static bool has_line(const test::PushedRequest& request, const std::string& line) {
    for (const auto& stream : request.streams)
      for (const auto& entry : stream.entries)
        if (entry.line == line) return true;
    return false;
  }

  // The spool's records through `middle` to push, as in a pipe of several processes.
  base::Result<void> deliver(Stages middle = {}, bool follow = false) {
    SpoolSourceSpec source_spec{.spool = spool_, .consumer = spec_.consumer, .follow = follow};
    auto source = make_spool_source(source_spec, context_);
    if (!source) return std::move(source).error();
    return run(**source, std::move(middle));
  }
  base::Result<void> run(pipeline::Source& source, Stages middle) {
    auto push = make_push(spec_, context_);
    if (!push) return std::move(push).error();
    middle.push_back(std::move(*push));
    auto result = pipeline::run_chain(source, middle, context_);
    summary_ = middle.back()->summary();
    counters_ = middle.back()->counters();
    // Each stage for itself, and between two of them.
    const pipeline::Counters* before = &result.source;
    for (const auto& [name, counters] : result.stages) {
      SCOPED_TRACE(name);
      test::expect_balance(counters);
      if (result.ended) {
        EXPECT_EQ(before->records_out, counters.records_in);
      }
      before = &counters;
    }
    if (!result.ended) return std::move(result.ended).error();
    return {};
  }
  base::Result<void> deliver_directly(bool follow = false) {
    auto source = make_push_from_spool(spec_, {.spool = spool_, .follow = follow}, context_);
    if (!source) return std::move(source).error();
    const std::vector<std::unique_ptr<pipeline::Stage>> none;
    auto outlet = pipeline::make_outlet(none);
    auto ran = (*source)->run(*outlet, *test_.stop);
    summary_ = (*source)->summary();
    test::expect_balance((*source)->counters());
    return ran;
  }

  void expect_delivered() {
    EXPECT_EQ(loki_.lines(), want_);
    EXPECT_EQ(loki_.most_of_one_stream(), 1);
    const auto status = spool::read_status(spool_);
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(status->undelivered, 0U);
    ASSERT_EQ(status->consumers.size(), 1U);
    EXPECT_EQ(status->consumers[0].behind_records, 0U);
  }

  Lines rejected() {
    auto reader = spool::Reader::open(spool_);
    Lines all;
    static_cast<void>((*reader)->rejected(0, 1000, [&](const spool::Reader::RejectedEntry& entry) {
      all.push_back(fmt::format("{} {} {}", entry.status, entry.reason.substr(0, entry.reason.find('\'')), entry.record));
    }));
    std::sort(all.begin(), all.end(),
              [](const std::string& a, const std::string& b) { return a.substr(a.find("line")) < b.substr(b.find("line")); });
    return all;
  }

  test::FakeLoki loki_;
  test::TestContext test_;
  test::TempDir dir_;
  pipeline::Context context_;
  PushSpec spec_;
  std::string spool_;
  std::map<std::string, Lines> want_;
  std::atomic<bool> allowed_ = false;
  std::atomic<int> limited_ = 0;
  std::string summary_;
  pipeline::Counters counters_;
  int stored_ = 0;
};

// 24 MB of a stream that Loki does not take: it stays in the spool, and all others are delivered meanwhile.
TEST_F(PushSpoolTest, AStreamThatLokiLimitsWaitsInTheSpoolAndHoldsUpNobody) {
  store(hot_and_others(100));
  limit_hot([](const test::PushedRequest& request) { return has_line(request, "c 2999"); });
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  EXPECT_GT(limited_, 0);
  expect_delivered();
}

TEST_F(PushSpoolTest, TheSameWithNothingBetween) {
  store(hot_and_others(100));
  limit_hot([](const test::PushedRequest& request) { return has_line(request, "c 2999"); });
  auto delivered = deliver_directly();
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
}

// Their blocks are evicted before Loki takes the stream again.
TEST_F(PushSpoolTest, WhatIsEvictedWhileItIsLeftIsInTheBooks) {
  store(hot_and_others(60));
  limit_hot([this](const test::PushedRequest& request) {
    if (!has_line(request, "c 1799")) return false;
    auto database = std::move(*sqlite::Database::open(spool_, sqlite::Access::write, 10 * base::kSecond));
    EXPECT_TRUE(
        database.execute("DELETE FROM bodies WHERE block BETWEEN 21 AND 30; DELETE FROM blocks WHERE id BETWEEN 21 AND 30"));
    return true;
  });
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  EXPECT_EQ(counters_.records_in, 60U * 90U);
  EXPECT_EQ(counters_.dropped["gone"], 10U * 30U);
  EXPECT_EQ(counters_.records_out, 60U * 90U - 10U * 30U);
}

// Several label sets may be one stream to Loki, and `--match` counts for what is read again, too.
TEST_F(PushSpoolTest, WhatIsReadAgainIsMatchedAndTheSameStream) {
  auto blocks = hot_and_others(60);
  for (auto& block : blocks) block[45].text = "unwanted";  // of the hot stream
  want_.clear();
  for (const auto& block : blocks)
    for (const Line& line : block)
      if (line.text != "unwanted") want_[fmt::format(" {{app=\"{}\"}}", line.app)].push_back(line.text);
  spec_.match = "!= `unwanted`";
  store(blocks);
  limit_hot([](const test::PushedRequest& request) { return has_line(request, "c 1799"); });
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
  EXPECT_EQ(counters_.dropped["not_matched"], 60U);
}

// The run ends while the stream still waits: nothing of the others is sent again by the next one, and nothing of it is lost.
TEST_F(PushSpoolTest, ARestartGoesOnWhereEachStreamStands) {
  store(hot_and_others(100));
  limit_hot([this](const test::PushedRequest& request) {
    if (has_line(request, "c 2999")) test_.stop->request();
    return false;
  });
  std::thread first([&] {
    auto delivered = deliver({}, true);
    EXPECT_TRUE(delivered) << delivered.error().message;
  });
  first.join();
  EXPECT_THAT(summary_, HasSubstr("wait in the spool"));
  auto lines = loki_.lines();
  EXPECT_EQ(lines.count(" {app=\"hot\"}"), 0U);
  EXPECT_EQ(lines[" {app=\"b\"}"], want_[" {app=\"b\"}"]);
  auto status = spool::read_status(spool_);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->undelivered, 3000U);
  EXPECT_EQ(status->consumers[0].behind_records, 3000U);

  // The second run finds the stream limited again, and then not.
  test_.stop = std::move(*base::Stop::create());
  context_.stop = test_.stop.get();
  store({{{"b", "b new"}}});
  want_[" {app=\"b\"}"].emplace_back("b new");
  limit_hot([](const test::PushedRequest& request) { return has_line(request, "b new"); });
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
}

Stages one(std::unique_ptr<pipeline::Stage> stage) {
  Stages stages;
  stages.push_back(std::move(stage));
  return stages;
}

// What is read again would not have been through the stage between: so nothing is left, and the others wait.
TEST_F(PushSpoolTest, WhereRecordsAreChangedOnTheirWayNoneIsLeft) {
  store(hot_and_others(100));
  std::atomic<bool> others_done = false;
  loki_.decide([&](const test::PushedRequest& request) {
    if (has_line(request, "c 2999")) others_done = true;
    const bool hot = request.streams[0].labels.find("hot") != std::string::npos;
    // It is limited for a while; the others cannot come to their end before it goes on.
    if (!hot || ++limited_ > 8) return test::ScriptedReply{};
    EXPECT_FALSE(others_done);
    return test::ScriptedReply{
        429, "maximum active stream limit exceeded when trying to create stream {app=\"hot\", more=\"yes\"}, reduce"};
  });
  EnrichSpec enrich;
  enrich.labels = {{"more", "yes"}};
  enrich.service_name = false;
  auto stage = make_enrich(enrich, context_);
  ASSERT_TRUE(stage) << stage.error().message;
  auto delivered = deliver(one(std::move(*stage)));
  ASSERT_TRUE(delivered) << delivered.error().message;
  EXPECT_THAT(test_.diagnostics.said(), Contains(HasSubstr("something between the spool and push changes or drops records")));
  std::map<std::string, Lines> want;
  for (const auto& [stream, lines] : want_) want[stream.substr(0, stream.size() - 1) + ", more=\"yes\"}"] = lines;
  EXPECT_EQ(loki_.lines(), want);
}

TEST_F(PushSpoolTest, WhatAFilterDropsIsNotReadAgain) {
  auto blocks = hot_and_others(100);
  for (auto& block : blocks) block[30].text = "secret";  // of the hot stream, in the middle of each block
  want_.clear();
  for (const auto& block : blocks)
    for (const Line& line : block)
      if (line.text != "secret") want_[fmt::format(" {{app=\"{}\"}}", line.app)].push_back(line.text);
  store(blocks);
  loki_.decide([&](const test::PushedRequest& request) {
    const bool hot = request.streams[0].labels.find("hot") != std::string::npos;
    if (!hot || ++limited_ > 8) return test::ScriptedReply{};
    return test::ScriptedReply{429, "maximum active stream limit exceeded when trying to create stream {app=\"hot\"}, reduce"};
  });
  FilterSpec filter;
  filter.drop = {"|= `secret`"};
  auto stage = make_filter(filter, context_);
  ASSERT_TRUE(stage) << stage.error().message;
  auto delivered = deliver(one(std::move(*stage)));
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
}

// ---- backlogs
// -----------------------------------------------------------------------------------------------------------------------

TEST_F(PushSpoolTest, StreamsWithoutABacklogDoNotWaitForIt) {
  spec_.drain_rate = 256 << 10;
  spec_.start_jitter = 0;
  spec_.consumer = "second";
  spec_.memory = 256 << 10;
  store(hot_and_others(3), base::kHour);
  std::vector<Line> block;
  for (int i = 0; i < 100; ++i) block.push_back({"new", noise(i, 15'000)});
  for (const Line& line : block) want_[" {app=\"new\"}"].push_back(line.text);
  store({block});
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  EXPECT_THAT(
      test_.diagnostics.said(),
      Contains(HasSubstr(
          "the spool holds records from before this start: the backlog is delivered at up to 256.0 KiB/s above the inflow")));
  expect_delivered();
  const auto requests = loki_.requests();
  const auto at = [&](const std::string& line) {
    return std::find_if(requests.begin(), requests.end(), [&](const auto& request) { return has_line(request, line); }) -
           requests.begin();
  };
  EXPECT_LT(at(block.back().text), at(want_[" {app=\"hot\"}"].back()));
}

TEST_F(PushSpoolTest, WhatIsNewIsNoBacklogAndHasNoPace) {
  spec_.drain_rate = 1024;  // it would take an hour
  spec_.start_jitter = base::kHour;
  store(hot_and_others(12));
  auto delivered = deliver();
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
}

TEST_F(PushSpoolTest, OnceHasNoPaceUnlessItIsGivenOne) {
  spec_.start_jitter = base::kHour;
  store(hot_and_others(12), base::kHour);
  auto delivered = deliver_directly();
  ASSERT_TRUE(delivered) << delivered.error().message;
  expect_delivered();
}

// ---- the rejected store
// ------------------------------------------------------------------------------------------------------------

class RejectedTest : public PushSpoolTest {
 protected:
  // Loki refuses what is too old in its eyes: lines with `old` in them, unless they have been given another time.
  void refuse_old() {
    loki_.decide([this](const test::PushedRequest& request) {
      std::string why;
      for (const auto& stream : request.streams) {
        for (const auto& entry : stream.entries) {
          const bool retimed = !entry.metadata.empty() && entry.metadata[0].first == "weir_original_timestamp";
          if (entry.line.find(refused_) == std::string::npos || retimed) continue;
          if (!why.empty()) why += "; ";
          why += fmt::format(
              "1 errors like: max entry size '1' bytes exceeded for stream '{}' while adding an entry with length '{}' bytes",
              stream.labels, entry.line.size());
        }
      }
      return why.empty() ? test::ScriptedReply{} : test::ScriptedReply{400, why};
    });
  }
  base::Result<void> replay(Stages middle = {}, bool retime = false, const std::string& query = "") {
    auto source = make_replay({.spool = spool_, .query = query, .rejected = true, .retime = retime}, context_);
    if (!source) return std::move(source).error();
    return run(**source, std::move(middle));
  }
  std::string refused_ = "old";
};

TEST_F(RejectedTest, WhatIsDeliveredLeavesTheStoreAndTheRestStaysWithItsNewReason) {
  store({{{"a", "fine"}, {"a", "too old 1"}, {"b", "very old 22"}, {"b", "good"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  ASSERT_THAT(rejected(), ElementsAre(HasSubstr("too old 1"), HasSubstr("very old 22")));
  // Refused again: the record is as it was, with its new reason.
  const Lines before = rejected();
  ASSERT_TRUE(replay());
  ASSERT_EQ(rejected().size(), 2U);
  EXPECT_EQ(rejected()[0].substr(0, 60), before[0].substr(0, 60));
  EXPECT_EQ(counters_.rejected, 2U);

  refused_ = "very";
  ASSERT_TRUE(replay());
  EXPECT_THAT(rejected(), ElementsAre(HasSubstr("very old 22")));
  EXPECT_THAT(loki_.lines()[" {app=\"a\"}"], ElementsAre("too old 1"));
  const auto status = spool::read_status(spool_);
  EXPECT_EQ(status->rejected, 1U);
  EXPECT_EQ(status->undelivered, 0U);

  ASSERT_TRUE(replay({}, true));
  EXPECT_THAT(rejected(), IsEmpty());
  EXPECT_THAT(loki_.lines()[" {app=\"b\"}"], ElementsAre("very old 22"));
  ASSERT_TRUE(replay());
  EXPECT_THAT(summary_, HasSubstr("nothing to push"));
}

TEST_F(RejectedTest, RetimedOrNotARefusedRecordStaysAsItWas) {
  store({{{"a", "too old 1"}}});
  loki_.decide([](const test::PushedRequest& request) {
    return test::ScriptedReply{
        400,
        fmt::format("max entry size '1' bytes exceeded for stream '{{app=\"a\"}}' while adding an entry with length '{}' bytes",
                    request.streams[0].entries[0].line.size())};
  });
  ASSERT_TRUE(deliver());
  const auto record_of = [](const std::string& text) {
    const std::string json = text.substr(text.find('{'));
    return json.substr(0, json.find("\"rejected\""));
  };
  const std::string before = record_of(rejected().at(0));
  ASSERT_TRUE(replay({}, true));
  ASSERT_EQ(rejected().size(), 1U);
  EXPECT_EQ(record_of(rejected()[0]), before);
}

TEST_F(RejectedTest, WhatAStageBetweenDropsOrChangesIsItsOwnBusiness) {
  store({{{"a", "old one"}, {"a", "old two"}, {"a", "old three"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  ASSERT_EQ(rejected().size(), 3U);
  refused_ = "nothing";
  FilterSpec filter;
  filter.drop = {"|= `two`"};
  EnrichSpec enrich;
  enrich.labels = {{"again", "yes"}};
  enrich.service_name = false;
  Stages middle;
  middle.push_back(std::move(*make_filter(filter, context_)));
  middle.push_back(std::move(*make_enrich(enrich, context_)));
  ASSERT_TRUE(replay(std::move(middle)));
  EXPECT_THAT(rejected(), ElementsAre(HasSubstr("old two")));
  EXPECT_THAT(loki_.lines()[" {again=\"yes\", app=\"a\"}"], ElementsAre("old one", "old three"));
}

TEST_F(RejectedTest, ItNeedsNotTheConsumersLockAndIsOneAtATime) {
  store({{{"a", "old one"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  refused_ = "nothing";
  const auto drain = spool::Consumer::open({.path = spool_, .wait = 0}, base::Clock::system());
  ASSERT_TRUE(drain);
  {
    const auto id = (*spool::Reader::open(spool_))->spool();
    const auto other = spool::RejectedRedelivery::open(spool_, id, 0, base::Clock::system(), nullptr);
    ASSERT_TRUE(other);
    const auto second = spool::RejectedRedelivery::open(spool_, id, 0, base::Clock::system(), nullptr);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, base::Code::busy);
    EXPECT_THAT(second.error().message, HasSubstr("rejected store of spool"));
    EXPECT_FALSE(spool::RejectedRedelivery::open(spool_, id + 1, 0, base::Clock::system(), nullptr));
  }
  ASSERT_TRUE(replay());
  EXPECT_THAT(rejected(), IsEmpty());
}

// Emits what one source emits, then what the other one does.
class InTurn : public pipeline::Source {
 public:
  InTurn(std::unique_ptr<pipeline::Source> first, std::unique_ptr<pipeline::Source> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  base::Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    if (auto ran = first_->run(out, stop); !ran) return ran;
    return second_->run(out, stop);
  }
  [[nodiscard]] pipeline::Counters counters() const override {
    pipeline::Counters counters = first_->counters();
    counters.records_in += second_->counters().records_in;
    counters.records_out += second_->counters().records_out;
    return counters;
  }
  [[nodiscard]] std::string_view name() const override { return "in_turn"; }

 private:
  std::unique_ptr<pipeline::Source> first_, second_;
};

// Both stores number their rows from 1, so an answer that came late would take a record out of the wrong one.
TEST_F(RejectedTest, TheRecordsOfTwoStoresLeaveTheirOwn) {
  const std::string first = spool_;
  store({{{"a", "old one"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  ASSERT_EQ(rejected().size(), 1U);
  spool_ = dir_ / "second.db";
  store({{{"a", "old two"}, {"a", "old three"}}});
  ASSERT_TRUE(deliver());
  ASSERT_EQ(rejected().size(), 2U);
  refused_ = "three";
  auto one = make_replay({.spool = first, .rejected = true}, context_);
  auto two = make_replay({.spool = spool_, .rejected = true}, context_);
  ASSERT_TRUE(one && two);
  InTurn both(std::move(*one), std::move(*two));
  const auto ran = run(both, {});
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_THAT(rejected(), ElementsAre(HasSubstr("old three")));
  spool_ = first;
  EXPECT_THAT(rejected(), IsEmpty());
}

// Loki is away: one who delivers again by hand is told so in the end, and nothing has left the store.
TEST_F(RejectedTest, WhatIsNotDeliveredStays) {
  store({{{"a", "old one"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{503}; });
  spec_.give_up = 200 * base::kMillisecond;
  auto pushed = replay();
  ASSERT_FALSE(pushed);
  EXPECT_THAT(pushed.error().message, HasSubstr("gave up after"));
  EXPECT_EQ(rejected().size(), 1U);
}

TEST_F(RejectedTest, ReplaySelects) {
  store({{{"a", "old one"}, {"b", "old two"}}});
  refuse_old();
  ASSERT_TRUE(deliver());
  refused_ = "nothing";
  ASSERT_TRUE(replay({}, false, "{app=\"b\"}"));
  EXPECT_THAT(rejected(), ElementsAre(HasSubstr("old one")));
}

}  // namespace
}  // namespace weir::stages
