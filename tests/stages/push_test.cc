#include "stages/push.h"
#include "stages/push_from_spool.h"

#include "record/timestamp.h"
#include "spool/positions_file.h"
#include "spool/reader.h"
#include "spool/writer.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/fake_loki.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PushTest : public ::testing::Test {
 protected:
  PushTest() {
    spec_.http.base = *http::parse_url(loki_.url());
    spec_.http.timeout = 20 * base::kSecond;
    // Waits of the wall clock: the transport's thread counts them.
    context_.clock = &base::Clock::system();
    context_.diagnostics = &test_.diagnostics;
    context_.stop = test_.stop.get();
    context_.environment = test_.context.environment;
    context_.metrics = &test_.registry;
    spec_.wait = 10 * base::kMillisecond;
    base_ = base::Clock::system().wall();
  }

  ~PushTest() override {
    if (!stage_) return;
    // Also of one that was given up in the middle.
    static_cast<void>(stage_->finish(out_, base::Clock::system().monotonic()));
    test::expect_balance(stage_->counters());
    stage_.reset();
    test::expect_balance(test_.registry);
  }

  [[nodiscard]] std::string record(std::string_view line, std::string_view app = "shop", std::string_view rest = "") const {
    return fmt::format(R"({{"timestamp":"{}","line":"{}","labels":{{"app":"{}"}}{}}})", record::to_rfc3339(base_), line, app, rest);
  }

  // Feeds the lines in batches of `cut` and finishes. The stage is kept for counters.
  base::Result<void> push(const Lines& lines, std::size_t cut = 1000) {
    if (!stage_) {
      auto made = make_push(spec_, context_);
      if (!made) return std::move(made).error();
      stage_ = std::move(*made);
    }
    base::Result<void> result = feed(lines, cut);
    auto finished = stage_->finish(out_, base::kNever);
    if (!result) return result;
    return finished;
  }
  base::Result<void> feed(const Lines& lines, std::size_t cut = 1000) {
    for (std::size_t at = 0; at < lines.size(); at += cut) {
      const auto from = lines.begin() + static_cast<std::ptrdiff_t>(at);
      pipeline::Batch batch = test::batch_of({from, from + static_cast<std::ptrdiff_t>(std::min(cut, lines.size() - at))});
      auto flow = stage_->consume(batch, out_);
      if (!flow) return std::move(flow).error();
      auto nudged = stage_->nudge(base::Clock::system().monotonic(), out_);
      if (!nudged) return std::move(nudged).error();
    }
    return {};
  }

  class NoOutlet : public pipeline::Outlet {
    base::Result<pipeline::Flow> emit(pipeline::Batch&) override { return pipeline::Flow::more; }
    base::Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
    base::Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }
  };

  test::FakeLoki loki_;
  test::TestContext test_;
  test::TempDir dir_;
  pipeline::Context context_;
  PushSpec spec_;
  std::unique_ptr<pipeline::Stage> stage_;
  NoOutlet out_;
  base::Timestamp base_ = 0;
};

TEST_F(PushTest, DeliversEveryRecordOnceInOrder) {
  for (const std::size_t cut : {1UL, 7UL, 1000UL}) {
    test::FakeLoki loki;
    spec_.http.base = *http::parse_url(loki.url());
    stage_.reset();
    Lines in;
    std::map<std::string, Lines> want;
    for (int i = 0; i < 300; ++i) {
      const std::string app = "app" + std::to_string(i % 3);
      const std::string line = "line " + std::to_string(i);
      in.push_back(record(line, app));
      want[" {app=\"" + app + "\"}"].push_back(line);
    }
    auto pushed = push(in, cut);
    ASSERT_TRUE(pushed) << pushed.error().message;
    EXPECT_EQ(loki.lines(), want) << cut;
    EXPECT_EQ(loki.most_of_one_stream(), 1);
    const auto counters = stage_->counters();
    EXPECT_EQ(counters.records_in, 300U);
    EXPECT_EQ(counters.records_out, 300U);
    EXPECT_EQ(counters.rejected, 0U);
    EXPECT_THAT(stage_->summary(), HasSubstr("pushed 300 records ("));
  }
}

TEST_F(PushTest, SurvivesABadDayOfLoki) {
  spec_.batch_bytes = 4096;
  std::atomic<int> count = 0;
  loki_.decide([&count](const test::PushedRequest&) {
    switch (count++ % 7) {
      case 1:
        return test::ScriptedReply{500, "oops"};
      case 2:
        return test::ScriptedReply{0};
      case 4:
        return test::ScriptedReply{429, "slow", {{"Retry-After", "0"}}};
      case 5:
        return test::ScriptedReply{204, "", {}, std::chrono::milliseconds(30)};
      default:
        return test::ScriptedReply{};
    }
  });
  Lines in;
  std::map<std::string, Lines> want;
  for (int i = 0; i < 600; ++i) {
    const std::string line = std::to_string(i) + " " + std::string(60, 'x');
    in.push_back(record(line, i % 2 == 0 ? "a" : "b"));
    want[i % 2 == 0 ? " {app=\"a\"}" : " {app=\"b\"}"].push_back(line);
  }
  auto pushed = push(in);
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(loki_.lines(), want);
  EXPECT_EQ(loki_.most_of_one_stream(), 1);
  EXPECT_THAT(stage_->summary(), HasSubstr("sent again"));
}

TEST_F(PushTest, SendsTenantsHeadersAndPath) {
  spec_.http.base = *http::parse_url(loki_.url() + "/insert?extra=1");
  spec_.http.bearer_token = "tok";
  spec_.http.headers = {{"VL-Debug", "1"}};
  spec_.tenant = "default";
  ASSERT_TRUE(push({record("1"), record("2", "shop", R"(,"tenant":"other")")}));
  std::map<std::string, Lines> want = {{"default {app=\"shop\"}", {"1"}}, {"other {app=\"shop\"}", {"2"}}};
  EXPECT_EQ(loki_.lines(), want);
  for (const auto& request : loki_.requests()) {
    EXPECT_EQ(request.path, "/insert/loki/api/v1/push?extra=1");
    EXPECT_EQ(request.header("authorization"), "Bearer tok");
    EXPECT_EQ(request.header("vl-debug"), "1");
    EXPECT_EQ(request.header("content-type"), "application/x-protobuf");
  }
}

TEST_F(PushTest, HeldRecordsAndSamplesAreNotSent) {
  const std::string sample = R"({"timestamp":"2024-05-01T10:00:00Z","labels":{"app":"shop"},"value":"3"})";
  ASSERT_TRUE(push({record("1"), record("2", "shop", R"(,"held":true)"), record("3", "shop", R"(,"held":true)"), sample}));
  EXPECT_THAT(loki_.lines()[" {app=\"shop\"}"], ElementsAre("1"));
  const auto counters = stage_->counters();
  EXPECT_EQ(counters.dropped.at("held"), 2U);
  EXPECT_EQ(counters.lost, 2U) << "no spool keeps them";
  EXPECT_EQ(counters.rejected, 1U);
  int said = 0;
  for (const std::string& text : test_.diagnostics.said()) said += text.find("held records are not pushed") == 0 ? 1 : 0;
  EXPECT_EQ(said, 1);
}

TEST_F(PushTest, OnlyWhatMatches) {
  spec_.match = R"({app="shop"} |= "yes")";
  ASSERT_TRUE(push({record("yes 1"), record("no 2"), record("yes 3", "other")}));
  EXPECT_THAT(loki_.lines()[" {app=\"shop\"}"], ElementsAre("yes 1"));
  EXPECT_EQ(stage_->counters().dropped.at("not_matched"), 2U);
  spec_.match = "{";
  EXPECT_FALSE(check(spec_));
}

TEST_F(PushTest, RejectedRecordsAreCountedByReason) {
  ASSERT_TRUE(push({record("1"), record(std::string(300'000, 'x')), record("3", "shop", R"(,"metadata":{"a.b":"c"})")}));
  EXPECT_THAT(loki_.lines()[" {app=\"shop\"}"], ElementsAre("1", "3"));
  EXPECT_EQ(stage_->counters().rejected, 1U);
  EXPECT_THAT(stage_->summary(), HasSubstr("1 rejected (1 line_too_long)"));
}

TEST_F(PushTest, WrongTargetEndsItAtOnce) {
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{401, "no org id\n"}; });
  auto pushed = push({record("1")});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, base::Code::network);
  EXPECT_THAT(pushed.error().message, HasSubstr("401 Unauthorized: no org id"));
  EXPECT_THAT(pushed.error().hint, HasSubstr("--tenant"));
}

TEST_F(PushTest, WhatComesAfterTheFinalErrorIsNotInTheBooks) {
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{401, "no org id\n"}; });
  ASSERT_FALSE(push({record("1")}));
  ASSERT_FALSE(feed({record("2"), record("3")}));
  EXPECT_EQ(stage_->counters().records_in, 1U);
  EXPECT_EQ(stage_->counters().in_flight, 1U);
}

TEST_F(PushTest, FlushIsABarrier) {
  spec_.wait = base::kHour;
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{204, "", {}, std::chrono::milliseconds(50)}; });
  stage_ = std::move(*make_push(spec_, context_));
  ASSERT_TRUE(feed({record("1"), record("2", "b")}));
  auto flushed = stage_->flush(out_, base::kNever);
  ASSERT_TRUE(flushed);
  EXPECT_EQ(*flushed, pipeline::Flushed::safe);
  EXPECT_EQ(loki_.lines().size(), 2U);
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{503}; });
  ASSERT_TRUE(feed({record("3")}));
  flushed = stage_->flush(out_, base::Clock::system().monotonic() + 100 * base::kMillisecond);
  ASSERT_TRUE(flushed);
  EXPECT_EQ(*flushed, pipeline::Flushed::timed_out);
  auto finished = stage_->finish(out_, base::Clock::system().monotonic());
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().message, HasSubstr("not delivered: 1 record, the first of "));
}

class CheckpointTest : public PushTest {
 protected:
  CheckpointTest() {
    spec_.checkpoint = dir_ / "pos.db";
    spec_.wait = 10 * base::kMillisecond;
  }
  // A batch of a tracked stream: one log, one generation.
  pipeline::Batch stream(std::uint64_t from, std::uint64_t to, bool end = true) {
    pipeline::Batch batch;
    batch.append_marker(record::Marker::Type::begin, {}).checkpoint = batch.copy(spec_.checkpoint);
    auto& generation = batch.append_marker(record::Marker::Type::generation, record::Source::in_file(1, 1, 0, 0));
    generation.log_key = "/var/log/x";
    generation.file = {.path = "/var/log/x", .inode = 7, .head_size = 10, .head_hash = 42};
    for (std::uint64_t i = from; i < to; ++i) {
      auto& record = batch.records.emplace_back();
      record.timestamp = base_ + static_cast<base::Timestamp>(i);
      record.labels = batch.hold(record::LabelSet::intern({{"app", i % 2 == 0 ? "even" : "odd"}}));
      record.line = record::Text::bytes(batch.copy(std::to_string(i)));
      record.source = record::Source::in_file(1, 1, 0, (i + 1) * 10);
    }
    if (end) batch.append_marker(record::Marker::Type::end, {});
    return batch;
  }
  base::Result<void> run(pipeline::Batch batch) {
    auto made = make_push(spec_, context_);
    if (!made) return std::move(made).error();
    stage_ = std::move(*made);
    auto flow = stage_->consume(batch, out_);
    auto finished = stage_->finish(out_, deadline_);
    if (!flow) return std::move(flow).error();
    return finished;
  }
  [[nodiscard]] std::uint64_t position() const {
    auto positions = spool::read_positions(spec_.checkpoint, 0);
    if (!positions || positions->empty()) return 0;
    return positions->begin()->second.end[0].offset;
  }
  base::Monotonic deadline_ = base::kNever;
};

TEST_F(CheckpointTest, KeepsPositionsOfWhatLokiTook) {
  auto ran = run(stream(0, 10));
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(position(), 100U);
  // A reader that starts too early doubles nothing.
  ran = run(stream(5, 12));
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(position(), 120U);
  EXPECT_EQ(stage_->counters().dropped.at("sent_before"), 5U);
  EXPECT_THAT(loki_.lines()[" {app=\"even\"}"], ElementsAre("0", "2", "4", "6", "8", "10"));
}

// The most of one stream that came in one request, of a log of 100 KiB a second.
TEST_F(CheckpointTest, WhatCanBeSentAgainGoesInSmallRequests) {
  const auto most = [&](bool tracked) {
    test::FakeLoki loki;
    spec_.http.base = *http::parse_url(loki.url());
    spec_.checkpoint = tracked ? dir_ / "sizes.db" : "";
    spec_.wait = base::kSecond;
    pipeline::Batch batch = stream(0, 0, false);
    if (!tracked) batch.records.clear();
    const std::string line(1024, 'x');
    for (std::uint64_t i = 0; i < 1000; ++i) {
      auto& record = batch.records.emplace_back();
      record.timestamp = base_ + static_cast<base::Timestamp>(i) * 10 * base::kMillisecond - base::kMinute;
      record.labels = batch.hold(record::LabelSet::intern({{"app", "a"}}));
      record.line = record::Text::bytes(line);
      if (tracked) record.source = record::Source::in_file(1, 1, 0, (i + 1) * 2000);
    }
    auto ran = run(std::move(batch));
    EXPECT_TRUE(ran) << ran.error().message;
    std::size_t entries = 0;
    for (const auto& request : loki.requests())
      for (const auto& one : request.streams) entries = std::max(entries, one.entries.size());
    stage_.reset();
    return entries;
  };
  EXPECT_EQ(most(true), 32U);
  EXPECT_EQ(most(false), 256U);
}

TEST_F(CheckpointTest, NeverRunsAheadOfALaggingStream) {
  loki_.decide([](const test::PushedRequest& request) {
    if (request.streams[0].labels.find("odd") != std::string::npos) return test::ScriptedReply{503, "", {{"Retry-After", "60"}}};
    return test::ScriptedReply{};
  });
  deadline_ = base::Clock::system().monotonic() + 500 * base::kMillisecond;
  auto ran = run(stream(0, 10));
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_LE(position(), 10U);
  EXPECT_THAT(test_.diagnostics.said().back(), HasSubstr("the next start sends them again"));
}

TEST_F(CheckpointTest, ARejectedRecordDoesNotStopThePosition) {
  auto batch = stream(0, 3);
  const std::string longer(300'000, 'x');
  batch.records[3].line = record::Text::bytes(longer);
  auto ran = run(std::move(batch));
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(position(), 30U);
  EXPECT_EQ(stage_->counters().rejected, 1U);
  auto reader = spool::Reader::open(spec_.checkpoint);
  ASSERT_TRUE(reader) << reader.error().message;
  Lines rejected;
  auto last = (*reader)->rejected(0, 10, [&](const spool::Reader::RejectedEntry& entry) {
    rejected.emplace_back(entry.reason);
    EXPECT_THAT(std::string(entry.record), HasSubstr(R"("rejected":{"reason":"max entry size)"));
    EXPECT_THAT(std::string(entry.record), ::testing::Not(HasSubstr(R"("source")")));
  });
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_THAT(rejected, ElementsAre(HasSubstr("max entry size '262144' bytes exceeded")));
}

class SpoolTest : public PushTest {
 protected:
  void store(const std::vector<Lines>& blocks) {
    spool_ = dir_ / "spool.db";
    auto writer =
        spool::Writer::open({.path = spool_, .min_free = 0, .retain = 1000 * base::kHour}, base::Clock::system(), nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    spool::BlockBuilder builder;
    for (const Lines& block : blocks) {
      pipeline::Batch batch;
      for (const std::string& line : block) {
        record::Record record;
        record.timestamp = base_;
        record.labels = batch.hold(record::LabelSet::intern({{"app", line.substr(0, 1)}}));
        record.line = record::Text::bytes(batch.copy(line));
        builder.add(record);
      }
      auto appended = (*writer)->append(builder, nullptr);
      ASSERT_TRUE(appended) << appended.error().message;
      if (!builder.empty()) builder.take();
    }
    ASSERT_TRUE((*writer)->close());
  }
  base::Result<void> drain() {
    SpoolSourceSpec source;
    source.spool = spool_;
    source.follow = false;
    auto made = make_push_from_spool(spec_, source, context_);
    if (!made) return std::move(made).error();
    source_ = std::move(*made);
    auto ran = source_->run(out_, *test_.stop);
    test::expect_balance(source_->counters());
    return ran;
  }
  std::string spool_;
  std::unique_ptr<pipeline::Source> source_;
};

TEST_F(SpoolTest, DeliversWhatAConsumerHasNotHad) {
  store({{"a 1", "b 2", "a 3"}, {"a 4", "b 5"}});
  spec_.match = "!= `5`";
  auto drained = drain();
  ASSERT_TRUE(drained) << drained.error().message;
  EXPECT_THAT(loki_.lines()[" {app=\"a\"}"], ElementsAre("a 1", "a 3", "a 4"));
  EXPECT_THAT(loki_.lines()[" {app=\"b\"}"], ElementsAre("b 2"));
  drained = drain();
  ASSERT_TRUE(drained) << drained.error().message;
  EXPECT_EQ(loki_.lines()[" {app=\"a\"}"].size(), 3U);

  spec_.match = {};
  spec_.consumer = "other";
  ASSERT_TRUE(drain());
  EXPECT_THAT(loki_.lines()[" {app=\"b\"}"], ElementsAre("b 2", "b 2", "b 5"));
}

TEST_F(SpoolTest, WhatLokiRefusesIsAcknowledgedAndKept) {
  store({{"a 1", "a " + std::string(300'000, 'x'), "b 3"}});
  auto drained = drain();
  ASSERT_TRUE(drained) << drained.error().message;
  EXPECT_EQ(source_->counters().rejected, 1U);
  auto reader = spool::Reader::open(spool_);
  ASSERT_TRUE(reader);
  int rejected = 0;
  ASSERT_TRUE((*reader)->rejected(0, 10, [&](const spool::Reader::RejectedEntry& entry) {
    ++rejected;
    EXPECT_EQ(entry.consumer, "main");
    EXPECT_EQ(entry.place, (spool::BlockPlace{1, 1}));
  }));
  EXPECT_EQ(rejected, 1);
  auto acknowledged = (*reader)->acknowledged("main");
  ASSERT_TRUE(acknowledged);
  ASSERT_TRUE(*acknowledged);
  EXPECT_TRUE((*acknowledged)->contains({1, 2}));
  EXPECT_EQ(loki_.requests().size(), 2U);
}

TEST_F(PushTest, AStreamThatNamesASpoolItCannotReachEnds) {
  spec_.checkpoint = dir_ / "pos.db";
  pipeline::Batch batch;
  auto& marker = batch.append_marker(record::Marker::Type::begin, {});
  marker.checkpoint = "/nonexistent/spool.db";
  marker.spool = 0xaa;
  stage_ = std::move(*make_push(spec_, context_));
  auto flow = stage_->consume(batch, out_);
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::usage);
  EXPECT_THAT(flow.error().message, HasSubstr("cannot use --checkpoint behind a buffer"));

  spec_.checkpoint.clear();
  stage_ = std::move(*make_push(spec_, context_));
  flow = stage_->consume(batch, out_);
  EXPECT_FALSE(flow);
}

}  // namespace
}  // namespace weir::stages
