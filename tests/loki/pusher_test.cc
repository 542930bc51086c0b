#include "pusher_fixture.h"

namespace weir::loki {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST_F(PusherTest, WhatComesAfterAQuietTimeGoesAtOnceWithAllThatCameWithIt) {
  trust({"a", "b"});
  clock_.advance(config_.wait);
  add("a", "2");
  static_cast<void>(pusher().tick(clock_.monotonic(), true));
  EXPECT_THAT(flying(), IsEmpty());
  add("b", "2");
  static_cast<void>(pusher().tick(clock_.monotonic(), true));
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_EQ(*pusher().tick(clock_.monotonic()), base::kNever);
  EXPECT_THAT(flying(), ElementsAre("a: 2;b: 2;"));
  transport_.answer(204);
  // What follows soon waits, until as long after that.
  const base::Monotonic sent = clock_.monotonic();
  clock_.advance(config_.wait / 4);
  add("a", "3");
  static_cast<void>(pusher().tick(clock_.monotonic(), true));
  EXPECT_EQ(*pusher().tick(clock_.monotonic()), sent + config_.wait);
  EXPECT_THAT(flying(), IsEmpty());
  clock_.advance(sent + config_.wait - clock_.monotonic());
  static_cast<void>(pusher().tick(clock_.monotonic()));
  EXPECT_THAT(flying(), ElementsAre("a: 3;"));
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

// Bytes of the requests that a stream makes which logs a line of 100 bytes `every` so often.
std::vector<std::size_t> sizes_of(const std::deque<FakeTransport::Flight>& flights) {
  std::vector<std::size_t> sizes;
  for (const auto& flight : flights) sizes.push_back(flight.streams()[0].entries.size() * 100);
  return sizes;
}

TEST_F(PusherTest, OnlyAStreamThatLogsFastHasLargeRequests) {
  const auto first_request = [&](base::Duration every, base::Duration age = base::kMinute) {
    pusher_.reset();
    transport_.flights.clear();
    config_ = {};
    config_.calm_bytes = 1000;
    config_.stream_bytes = 4000;
    start();
    const std::string line(100, 'x');
    for (int i = 0; i < 100 && transport_.flights.empty(); ++i) add("a", line, age - i * every);
    const std::size_t bytes = sizes_of(transport_.flights).at(0);
    transport_.flights.clear();
    return bytes;
  };
  EXPECT_EQ(first_request(100 * base::kMillisecond), 1000U);
  EXPECT_EQ(first_request(28 * base::kMillisecond), 1000U);
  EXPECT_EQ(first_request(10 * base::kMillisecond), 2500U);  // what is logged in a quarter of a second
  EXPECT_EQ(first_request(base::kMillisecond), 4000U);
  EXPECT_EQ(first_request(0), 4000U);
  EXPECT_EQ(first_request(-100 * base::kMillisecond), 1000U);              // in the wrong order
  EXPECT_EQ(first_request(100 * base::kMillisecond, base::kHour), 2000U);  // old data, which goes alone
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

TEST_F(PusherTest, ASharedRequestHoldsNoMoreThanItsRecords) {
  config_.request_records = 3;
  trust({"a", "b", "c"});
  for (const char* app : {"a", "b", "c"}) {
    add(app, "1");
    add(app, "2");
  }
  due();
  for (const auto& flight : transport_.flights) {
    std::size_t records = 0;
    for (const auto& stream : flight.streams()) records += stream.entries.size();
    EXPECT_LE(records, 3U);
  }
  EXPECT_EQ(flying().size(), 3U);
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

  // What is no tenant goes to one that is, and can bring no header of its own along.
  while (!transport_.flights.empty()) transport_.answer(204);
  add("a", "x", 0, "no\r\nheader: y");
  due();
  ASSERT_EQ(transport_.flights.size(), 1U);
  EXPECT_EQ(transport_.flights[0].tenant(), "no(0d)(0a)header:(20)y");
  EXPECT_EQ(transport_.flights[0].streams()[0].entries[0].metadata.at(0),
            (std::pair<std::string, std::string>{"weir_tenant", "no\r\nheader: y"}));
  add("a", "x", 0, std::string(151, 'x'));
  EXPECT_THAT(ledger_.refused, ElementsAre("7 0 bad_tenant x"));
}

TEST_F(PusherTest, WhatIsAcceptedBesideARefusalIsNeverSentAgain) {
  const base::Timestamp now = clock_.wall() / base::kSecond * base::kSecond;
  EXPECT_EQ(now, clock_.wall());
  for (int i = 0; i < 5; ++i) add("a", "line " + std::to_string(i), i * base::kHour);
  due();
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(400,
                    "entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: 2025-10-09T05:53:20Z, oldest "
                    "acceptable timestamp is: "
                    "2025-10-09T06:00:00Z; entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: "
                    "2025-10-09T04:53:20Z, oldest "
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
      transport_.answer(400, "timestamp: out of range");
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
  transport_.answer(
      400, "2 errors like: stream '{app=\"a\"}' includes structured metadata, but this feature is disallowed. Please see …");
  ASSERT_THAT(flying(), ElementsAre("a: 1 3;"));
  const auto streams = transport_.flights.front().streams();
  for (const auto& entry : streams[0].entries) EXPECT_THAT(entry.metadata, IsEmpty());
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
    for (char& c : line)
      c = static_cast<char>('!' + (static_cast<unsigned>(taken) * 7919U + static_cast<unsigned>(&c - line.data()) * 104729U) % 90);
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
