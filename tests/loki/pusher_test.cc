#include "loki/pusher.h"

#include "support/collect.h"
#include "support/fake_clock.h"
#include "support/fake_loki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace weir::loki {
namespace {

using record::LabelSet;
using record::LabelSetRef;
using Strings = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Keeps requests until the test answers them.
class FakeTransport : public http::Transport {
 public:
  struct Flight {
    http::Request request;
    std::string body;
    Completion completion;
    [[nodiscard]] std::vector<test::PushedStream> streams() const { return test::decode_push(body); }
    [[nodiscard]] std::string tenant() const {
      for (const auto& header : request.headers)
        if (header.name == "X-Scope-OrgID") return header.value;
      return "";
    }
  };
  void submit(http::Request request, Completion completion) override {
    std::string body(request.body_view);
    flights.push_back({std::move(request), std::move(body), std::move(completion)});
  }
  void wake() override {}

  void answer(int status, std::string body = "", std::vector<http::Header> headers = {}, std::size_t index = 0) {
    Flight flight = take(index);
    flight.completion(http::Response{status, std::move(body), false, std::move(headers)});
  }
  void fail(std::size_t index = 0) {
    Flight flight = take(index);
    flight.completion(base::fail(base::Code::network, "cannot reach http://loki: Connection refused"));
  }
  Flight take(std::size_t index) {
    Flight flight = std::move(flights.at(index));
    flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(index));
    answered.push_back(flight.body);
    return flight;
  }

  std::deque<Flight> flights;
  Strings answered;  // bodies
};

class FakeLedger : public PushLedger {
 public:
  void delivered(std::span<const PushToken> tokens) override { settled.insert(settled.end(), tokens.begin(), tokens.end()); }
  void rejected(PushToken token, const RejectedRecord& rejected) override {
    refused.push_back(fmt::format("{} {} {} {}", token, rejected.status, rejected.reason, rejected.record->line.data));
  }
  std::vector<PushToken> settled;
  Strings refused;
};

class PusherTest : public ::testing::Test {
 protected:
  PusherTest() {
    config_.url = "http://loki";
    config_.tracked = true;
    config_.seed = 1;
  }
  ~PusherTest() override { pusher_.reset(); }

  void start() {
    pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, nullptr, &ledger_);
    pusher_->attach(transport_);
  }
  Pusher& pusher() {
    if (!pusher_) start();
    return *pusher_;
  }

  base::Result<void> try_add(const std::string& app, std::string_view line, base::Duration age = 0, std::string_view tenant = "") {
    LabelSetRef& labels = sets_[app];
    if (!labels) labels = LabelSet::intern({{"app", app}});
    record::Record record;
    record.timestamp = clock_.wall() - age;
    record.labels = labels.get();
    record.line = record::Text::bytes(line);
    record.tenant = tenant;
    return pusher().add(record, next_token_++);
  }
  void add(const std::string& app, std::string_view line, base::Duration age = 0, std::string_view tenant = "") {
    auto added = try_add(app, line, age, tenant);
    ASSERT_TRUE(added) << added.error().message;
  }
  // Everything that waits is due.
  void due() {
    clock_.advance(config_.wait);
    static_cast<void>(pusher().tick(clock_.monotonic()));
  }
  void later(base::Duration by) {
    clock_.advance(by);
    static_cast<void>(pusher().timer(clock_.monotonic()));
  }
  // Makes the streams trusted: one passed.
  void trust(const Strings& apps) {
    for (const std::string& app : apps) add(app, "first");
    while (true) {
      due();
      if (transport_.flights.empty()) break;
      transport_.answer(204);
    }
    ledger_.settled.clear();
    transport_.answered.clear();
  }
  static std::string show(const FakeTransport::Flight& flight) {
    std::string out;
    for (const auto& stream : flight.streams()) {
      out += stream.labels.substr(6, stream.labels.size() - 8) + ":";
      for (const auto& entry : stream.entries) out += " " + entry.line.substr(0, 20);
      out += ";";
    }
    return out;
  }
  [[nodiscard]] Strings flying() const {
    Strings out;
    for (const auto& flight : transport_.flights) out.push_back(show(flight));
    return out;
  }

  test::FakeClock clock_;
  test::RememberingDiagnostics diagnostics_;
  FakeLedger ledger_;
  FakeTransport transport_;
  PusherConfig config_;
  std::unique_ptr<Pusher> pusher_;
  std::map<std::string, LabelSetRef> sets_;
  PushToken next_token_ = 0;
};

TEST_F(PusherTest, WaitsForCompany) {
  add("a", "1");
  EXPECT_EQ(*pusher().tick(clock_.monotonic()), clock_.monotonic() + config_.wait);
  EXPECT_THAT(flying(), IsEmpty());
  clock_.advance(config_.wait / 2);
  add("a", "2");
  clock_.advance(config_.wait / 2);
  EXPECT_EQ(*pusher().tick(clock_.monotonic()), base::kNever);
  EXPECT_THAT(flying(), ElementsAre("a: 1 2;"));
  EXPECT_EQ(pusher().stats().pending, 2U);
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(0, 1));
  EXPECT_EQ(pusher().stats().pending, 0U);
  EXPECT_EQ(pusher().stats().records, 2U);
  EXPECT_EQ(pusher().memory_in_use(), 0U);
}

TEST_F(PusherTest, AStreamGoesAloneTheFirstTimeAndThenShares) {
  add("a", "1");
  add("b", "1");
  due();
  EXPECT_THAT(flying(), ElementsAre("a: 1;", "b: 1;"));
  transport_.answer(204);
  transport_.answer(204);
  add("a", "2");
  add("b", "2");
  add("c", "1");
  due();
  EXPECT_THAT(flying(), ElementsAre("a: 2;b: 2;", "c: 1;"));
}

TEST_F(PusherTest, OneDueStreamTakesTheOthersAlong) {
  trust({"a", "b"});
  add("a", "2");
  clock_.advance(config_.wait / 2);
  add("b", "2");
  clock_.advance(config_.wait / 2);
  static_cast<void>(pusher().tick(clock_.monotonic()));
  EXPECT_THAT(flying(), ElementsAre("a: 2;b: 2;"));
}

TEST_F(PusherTest, OldDataAndDataBehindWhatWasSentGoAlone) {
  trust({"a", "b", "c", "d"});
  add("a", "old", 11 * base::kMinute);
  add("b", "behind", 5 * base::kMinute);
  add("c", "now");
  add("d", "now");
  due();
  Strings got = flying();
  std::sort(got.begin(), got.end());
  EXPECT_THAT(got, ElementsAre("a: old;", "b: behind;", "c: now;d: now;"));
}

TEST_F(PusherTest, OneRequestOfAStreamFliesInOrder) {
  config_.stream_bytes = 10;
  start();
  add("a", "12345");
  add("a", "67890");
  add("a", "abcde");
  add("a", "fghij");
  EXPECT_THAT(flying(), ElementsAre("a: 12345 67890;"));
  transport_.answer(204);
  EXPECT_THAT(flying(), ElementsAre("a: abcde fghij;"));
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(0, 1, 2, 3));
}

TEST_F(PusherTest, ARequestHoldsNoMoreThanItsBytesAndRecords) {
  config_.request_bytes = 20;
  trust({"a", "b", "c"});
  add("a", "1234567890");
  add("b", "1234567890");
  add("c", "1234567890");
  due();
  EXPECT_EQ(flying().size(), 2U);
  transport_.answer(204);
  transport_.answer(204);
  EXPECT_EQ(pusher().stats().records, 6U);

  pusher_.reset();
  config_ = {};
  config_.request_records = 2;
  for (const char* line : {"1", "2", "3"}) add("a", line);
  EXPECT_THAT(flying(), ElementsAre("a: 1 2;"));
}

TEST_F(PusherTest, SeveralRequestsFlyAtOnceAndStreamsTakeTurns) {
  config_.parallel = 2;
  config_.stream_bytes = config_.request_bytes = 1;
  start();
  for (const char* line : {"1", "2"})
    for (const char* app : {"a", "b", "c"}) add(app, line);
  Strings order;
  while (!transport_.flights.empty()) {
    EXPECT_LE(transport_.flights.size(), 2U);
    order.push_back(show(transport_.flights.front()));
    transport_.answer(204);
  }
  EXPECT_THAT(order, ElementsAre("a: 1;", "b: 1;", "c: 1;", "a: 2;", "b: 2;", "c: 2;"));
}

TEST_F(PusherTest, TenantsHaveRequestsOfTheirOwn) {
  config_.tenant = "default";
  start();
  add("a", "1", 0, "one");
  add("a", "1", 0, "two");
  add("a", "1");
  due();
  Strings tenants;
  for (const auto& flight : transport_.flights) tenants.push_back(flight.tenant());
  EXPECT_THAT(tenants, ElementsAre("one", "two", "default"));
  while (!transport_.flights.empty()) transport_.answer(204);
  add("a", "2", 0, "one");
  add("a", "2", 0, "two");
  add("b", "2", 0, "two");
  due();
  EXPECT_EQ(transport_.flights.size(), 3U);  // b is new and goes alone

  add("a", "x", 0, "no\r\nheader: y");
  EXPECT_THAT(ledger_.refused, ElementsAre("6 0 bad_tenant x"));
}

TEST_F(PusherTest, NetworkErrorsAreTriedAgainWithTheSameBytes) {
  add("a", "1");
  due();
  transport_.fail();
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("Connection refused; trying again for 5m (is a Loki there?")));
  add("a", "2");
  for (int i = 0; i < 6; ++i) {
    later(base::kMinute / 4);
    ASSERT_THAT(flying(), ElementsAre("a: 1;")) << i;
    transport_.answer(i % 2 == 0 ? 503 : 408);
  }
  later(base::kMinute);
  transport_.answer(204);
  EXPECT_THAT(flying(), ElementsAre("a: 2;"));
  transport_.answer(204);
  for (std::size_t i = 1; i < 7; ++i) EXPECT_EQ(transport_.answered[i], transport_.answered[0]);
  EXPECT_EQ(pusher().stats().retries, 7U);
  EXPECT_THAT(ledger_.settled, ElementsAre(0, 1));
  EXPECT_THAT(diagnostics_.said().back(), HasSubstr("takes records again after"));
}

TEST_F(PusherTest, OneProbeAtATimeWhileTheTargetFails) {
  for (const char* app : {"a", "b", "c"}) add(app, "1");
  due();
  ASSERT_EQ(transport_.flights.size(), 3U);
  for (int i = 0; i < 3; ++i) transport_.fail();
  later(base::kMinute);
  EXPECT_EQ(transport_.flights.size(), 1U);
  transport_.fail();
  later(base::kMinute);
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(204);
  EXPECT_EQ(transport_.flights.size(), 2U);
}

TEST_F(PusherTest, ASharedRequestThatFailedGoesAgainStreamByStream) {
  trust({"a", "b"});
  add("a", "2");
  add("b", "2");
  due();
  EXPECT_THAT(flying(), ElementsAre("a: 2;b: 2;"));
  transport_.answer(500, "rpc error");
  later(base::kMinute);
  Strings seen;
  while (!transport_.flights.empty()) {
    seen.push_back(show(transport_.flights.front()));
    transport_.answer(204);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_THAT(seen, ElementsAre("a: 2;", "b: 2;"));
  ASSERT_EQ(ledger_.settled.size(), 2U);
}

TEST_F(PusherTest, RetryAfterIsAFloor) {
  add("a", "1");
  due();
  transport_.answer(429, "slow down", {{"retry-after", "20"}});
  later(19 * base::kSecond);
  EXPECT_THAT(flying(), IsEmpty());
  later(4 * base::kSecond);
  EXPECT_THAT(flying(), ElementsAre("a: 1;"));
}

TEST_F(PusherTest, ALimitedStreamIsParkedAlone) {
  trust({"a", "b"});
  add("a", "2", 11 * base::kMinute);
  add("b", "2", 11 * base::kMinute);
  due();
  ASSERT_THAT(flying(), ElementsAre("a: 2;", "b: 2;"));
  transport_.answer(429,
                    "entry with timestamp 2024 ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for "
                    "stream '{app=\"a\"}' totaling 2B', user 'fake', total ignored: 1 out of 1 for stream: {app=\"a\"}");
  transport_.answer(204);
  add("b", "3");
  due();
  EXPECT_THAT(flying(), ::testing::Contains("b: 3;"));
  while (!transport_.flights.empty()) transport_.answer(204);
  later(base::kMinute);
  while (!transport_.flights.empty()) transport_.answer(204);
  EXPECT_EQ(pusher().stats().records, 5U);
  EXPECT_EQ(pusher().stats().pending, 0U);
}

TEST_F(PusherTest, APoisonedRequestDoesNotHoldUpOthers) {
  add("a", "poison");
  add("b", "1");
  add("c", "1");
  due();
  const auto answer_all = [&] {
    for (int i = 0; i < 20 && !transport_.flights.empty(); ++i) {
      const bool poison = show(transport_.flights.front()).find("poison") != std::string::npos;
      transport_.answer(poison ? 500 : 204);
    }
  };
  for (int i = 0; i < 4; ++i) {
    answer_all();
    add("b", std::to_string(i + 2));
    add("c", std::to_string(i + 2));
    due();
    later(10 * base::kSecond);
  }
  answer_all();
  EXPECT_EQ(pusher().stats().records, 10U);
  EXPECT_EQ(pusher().stats().pending, 1U);
}

TEST_F(PusherTest, GivesUpAfterAWhile) {
  add("a", "1", 5 * base::kSecond);
  due();
  const base::Timestamp first = clock_.wall() - 6 * base::kSecond;
  EXPECT_EQ(first, 1'759'999'995 * base::kSecond);
  transport_.fail();
  for (int i = 0; i < 6; ++i) {
    later(base::kMinute);
    if (!transport_.flights.empty()) transport_.fail();
  }
  auto added = try_add("a", "2");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, base::Code::network);
  EXPECT_EQ(added.error().message,
            "cannot push to http://loki: gave up after 5m: cannot reach http://loki: Connection refused; "
            "not delivered: 1 record, the first of 2025-10-09T08:53:15Z");
  EXPECT_FALSE(pusher().drain(base::kNever));
}

TEST_F(PusherTest, NeverGivesUpWhenTold) {
  config_.give_up = 0;
  add("a", "1");
  due();
  for (int i = 0; i < 100; ++i) {
    if (!transport_.flights.empty()) transport_.fail();
    later(10 * base::kMinute);
  }
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(0));
}

TEST_F(PusherTest, TroubleWithTheFirstRequestEndsAOneShotPush) {
  for (const int status : {301, 401, 403, 404, 405, 400}) {
    pusher_.reset();
    add("a", "1");
    due();
    transport_.answer(status, "some words\n");
    auto added = try_add("a", "2");
    ASSERT_FALSE(added) << status;
    EXPECT_THAT(added.error().message, HasSubstr(std::to_string(status)));
    EXPECT_THAT(added.error().message, HasSubstr("some words"));
    EXPECT_FALSE(added.error().hint.empty());
  }
}

TEST_F(PusherTest, TroubleIsWaitedOutBehindASpool) {
  config_.one_shot = false;
  config_.give_up = 0;
  add("a", "1");
  due();
  transport_.answer(401, "no org id\n");
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("401 Unauthorized: no org id; trying again (name a tenant")));
  later(3 * base::kMinute);
  ASSERT_THAT(flying(), ElementsAre("a: 1;"));
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(0));
}

TEST_F(PusherTest, WhatIsAcceptedBesideARefusalIsNeverSentAgain) {
  const base::Timestamp now = clock_.wall() / base::kSecond * base::kSecond;
  EXPECT_EQ(now, clock_.wall());
  for (int i = 0; i < 5; ++i) add("a", "line " + std::to_string(i), i * base::kHour);
  due();
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(400, "entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: 2025-10-09T05:53:20Z, oldest acceptable timestamp is: "
                         "2025-10-09T06:00:00Z; entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: 2025-10-09T04:53:20Z, oldest "
                         "acceptable timestamp is: 2025-10-09T06:00:00Z");
  EXPECT_THAT(ledger_.settled, ElementsAre(0, 1, 2));
  EXPECT_THAT(ledger_.refused, ElementsAre("3 400 greater_than_max_sample_age line 3", "4 400 greater_than_max_sample_age line 4"));
  later(base::kHour);
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_EQ(pusher().stats().records, 3U);
  EXPECT_EQ(pusher().stats().rejected, 2U);
  EXPECT_EQ(pusher().stats().pending, 0U);
  EXPECT_EQ(pusher().memory_in_use(), 0U);
}

TEST_F(PusherTest, ARefusedRequestIsTakenApartUntilTheCulpritIsAlone) {
  for (int i = 0; i < 9; ++i) add("a", i == 6 ? "bad" : std::to_string(i));
  due();
  Strings passed;
  for (int i = 0; i < 100 && !transport_.flights.empty(); ++i) {
    const std::string text = show(transport_.flights.front());
    if (text.find("bad") != std::string::npos) {
      transport_.answer(400, "couldn't parse labels: 1:2: parse error");
    } else {
      passed.push_back(text);
      transport_.answer(204);
    }
  }
  EXPECT_THAT(passed, ElementsAre("a: 0 1 2 3;", "a: 4 5;", "a: 7 8;"));
  EXPECT_THAT(ledger_.refused, ElementsAre("6 400 refused bad"));
  EXPECT_EQ(ledger_.settled.size(), 8U);
}

TEST_F(PusherTest, TooLargeRequestsGetSmallerForGood) {
  config_.request_bytes = 400 << 10;
  trust({"a", "b", "c", "d"});
  const std::string line(100 << 10, 'x');
  for (const char* app : {"a", "b", "c", "d"}) add(app, line);
  due();
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(413, "too large");
  int requests = 0;
  for (; !transport_.flights.empty(); ++requests) transport_.answer(204);
  EXPECT_EQ(requests, 4);
  for (const char* app : {"a", "b", "c", "d"}) add(app, line);
  due();
  EXPECT_EQ(transport_.flights.size(), 2U);
}

TEST_F(PusherTest, ALokiWithoutStructuredMetadataIsSentNone) {
  const record::Label metadata[] = {{"k", "v"}};
  const auto labels = LabelSet::intern({{"app", "a"}});
  const auto add_with = [&](std::string_view line, bool with) {
    record::Record record;
    record.timestamp = clock_.wall();
    record.labels = labels.get();
    record.line = record::Text::bytes(line);
    if (with) record.metadata = metadata;
    ASSERT_TRUE(pusher().add(record, next_token_++));
  };
  add_with("1", true);
  add_with("2", false);
  add_with("3", true);
  due();
  transport_.answer(400, "2 errors like: stream '{app=\"a\"}' includes structured metadata, but this feature is disallowed. Please see …");
  ASSERT_THAT(flying(), ElementsAre("a: 1 3;"));
  for (const auto& entry : transport_.flights.front().streams()[0].entries) EXPECT_THAT(entry.metadata, IsEmpty());
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(1, 0, 2));
  add_with("4", true);
  due();
  EXPECT_THAT(transport_.flights.front().streams()[0].entries[0].metadata, IsEmpty());
  EXPECT_EQ(diagnostics_.said().size(), 1U);

  pusher_.reset();
  transport_.flights.clear();
  config_.metadata = PusherConfig::Metadata::keep;
  ledger_ = {};
  next_token_ = 0;
  add_with("1", true);
  add_with("2", false);
  due();
  transport_.answer(400, "stream '{app=\"a\"}' includes structured metadata, but this feature is disallowed. Please see …");
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_THAT(ledger_.settled, ElementsAre(1));
  EXPECT_THAT(ledger_.refused, ElementsAre("0 400 disallowed_structured_metadata 1"));
}

TEST_F(PusherTest, BadRecordsCostNoOther) {
  add("a", "fine");
  add("a", "old", 8 * 24 * base::kHour);
  add("a", "fine too");
  due();
  EXPECT_THAT(flying(), ElementsAre("a: fine fine too;"));
  EXPECT_THAT(ledger_.refused, ElementsAre("1 0 greater_than_max_sample_age old"));
  EXPECT_EQ(pusher().stats().rejected_by_reason.at("greater_than_max_sample_age"), 1U);
}

TEST_F(PusherTest, LearnsTheRateOfATenant) {
  config_.stream_bytes = 100'000;
  start();
  const std::string line(99'999, 'x');
  add("a", line);
  add("a", line);
  transport_.answer(429, "ingestion rate limit exceeded for user fake (limit: 100000 bytes/sec) while attempting to ingest '1' lines totaling '99999' bytes");
  later(base::kMinute);
  int sent = 0;
  for (int i = 0; i < 60; ++i) {
    while (!transport_.flights.empty()) {
      transport_.answer(204);
      ++sent;
    }
    if (i < 50) add("a", line);
    later(base::kSecond);
  }
  // A minute at 95 % of the rate, and a burst of a second's worth.
  EXPECT_GE(sent, 50);
  EXPECT_EQ(pusher().stats().pending, 0U);
}

TEST_F(PusherTest, MemoryIsBounded) {
  config_.memory = 256 << 10;
  config_.parallel = 2;
  auto stop = std::move(*base::Stop::create());
  pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, stop.get(), &ledger_);
  pusher_->attach(transport_);
  stop->request();
  stop->request();  // so that a full pusher says so in place of waiting
  std::string line(1000, 'x');
  std::size_t most = 0;
  int taken = 0;
  for (; taken < 100'000; ++taken) {
    // Nothing that compresses away.
    for (char& c : line) c = static_cast<char>('!' + (static_cast<unsigned>(taken) * 7919U + static_cast<unsigned>(&c - line.data()) * 104729U) % 90);
    auto added = try_add("app" + std::to_string(taken % 40), line);
    most = std::max(most, pusher_->memory_in_use());
    if (!added) {
      EXPECT_EQ(added.error().code, base::Code::interrupted);
      break;
    }
  }
  EXPECT_LT(taken, 100'000);
  EXPECT_GT(taken, 100);
  EXPECT_LE(most, config_.memory + 8192);
  EXPECT_EQ(transport_.flights.size(), 2U);
}

TEST_F(PusherTest, DrainWithoutADeadlineEndsAfterASignal) {
  auto stop = std::move(*base::Stop::create());
  pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, stop.get(), &ledger_);
  pusher_->attach(transport_);
  add("a", "1");
  stop->request();
  static_cast<void>(stop->deadline(clock_.monotonic()));
  clock_.advance(base::kHour);
  auto drained = pusher_->drain(base::kNever);
  ASSERT_TRUE(drained);
  EXPECT_FALSE(*drained);
  pusher_.reset();
}

TEST_F(PusherTest, DrainEndsAtItsDeadline) {
  add("a", "1");
  auto drained = pusher().drain(clock_.monotonic());
  ASSERT_TRUE(drained);
  EXPECT_FALSE(*drained);
  EXPECT_THAT(flying(), ElementsAre("a: 1;"));
  EXPECT_THAT(pusher().undelivered(), HasSubstr("1 record, the first of "));
  transport_.answer(204);
  drained = pusher().drain(clock_.monotonic());
  ASSERT_TRUE(drained);
  EXPECT_TRUE(*drained);
}

}  // namespace
}  // namespace weir::loki
