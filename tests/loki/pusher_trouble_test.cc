// What a pusher does while Loki does not take what it sends.
#include "pusher_fixture.h"

namespace weir::loki {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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

TEST_F(PusherTest, ItsHealthNamesTheLatestTroubleAndWhatBlocksIt) {
  PusherHealth health = pusher().health();
  EXPECT_EQ(health.success, 0);
  EXPECT_EQ(health.error_at, 0);
  EXPECT_EQ(health.blocked, "");
  add("a", "1");
  due();
  const base::Timestamp failed_at = clock_.wall();
  transport_.fail();
  health = pusher().health();
  EXPECT_THAT(health.error, HasSubstr("Connection refused"));
  EXPECT_EQ(health.error_at, failed_at);
  EXPECT_EQ(health.blocked, health.error);
  EXPECT_EQ(health.blocked_since, failed_at);
  later(base::kMinute);
  transport_.answer(503);
  health = pusher().health();
  EXPECT_THAT(health.blocked, HasSubstr("503"));
  EXPECT_EQ(health.blocked_since, failed_at) << "nothing passed in between";
  later(base::kMinute);
  transport_.answer(204);
  health = pusher().health();
  EXPECT_EQ(health.blocked, "");
  EXPECT_EQ(health.success, clock_.wall());
  EXPECT_THAT(health.error, HasSubstr("503")) << "also when it is over";
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

TEST_F(PusherTest, AnUnreachableTargetIsTriedEveryFewSecondsAndABusyOneRarely) {
  // Until the next request flies.
  const auto longest_wait = [&](const std::function<void()>& fail) {
    base::Duration longest = 0;
    for (int i = 0; i < 60; ++i) {
      fail();
      base::Duration wait = 0;
      for (; transport_.flights.empty() && wait < base::kHour; wait += base::kSecond / 10) later(base::kSecond / 10);
      longest = std::max(longest, wait);
    }
    return longest;
  };
  config_.give_up = 0;
  add("a", "1");
  due();
  EXPECT_LE(longest_wait([&] { transport_.fail(0, base::Code::unreachable); }), 4 * base::kSecond + base::kSecond / 10);
  EXPECT_GE(longest_wait([&] { transport_.answer(503); }), 30 * base::kSecond);
  EXPECT_GE(longest_wait([&] { transport_.fail(); }), 30 * base::kSecond);
}

// A record that is alone says nothing of itself by failing where nobody answers: it keeps its place.
TEST_F(PusherTest, OneAnswerAfterManyFailuresPutsNothingAside) {
  config_.give_up = 0;
  add("a", "1");
  due();
  add("a", "2");
  for (int i = 0; i < 200; ++i) {
    if (!transport_.flights.empty()) transport_.fail(0, i % 2 == 0 ? base::Code::unreachable : base::Code::network);
    later(5 * base::kSecond);
  }
  later(base::kMinute);
  ASSERT_THAT(flying(), ElementsAre("a: 1;"));
  transport_.answer(500, "rpc error");
  later(base::kMinute);
  EXPECT_THAT(flying(), ElementsAre("a: 1;"));
  transport_.answer(204);
  due();
  EXPECT_THAT(flying(), ElementsAre("a: 2;"));
}

TEST_F(PusherTest, WhatTriesATargetIsSmall) {
  config_.stream_bytes = 100'000;
  config_.wait = 0;
  const auto line = [](int i) { return std::to_string(i) + std::string(1000, 'x'); };
  for (int i = 0; i < 250; ++i) add("a", line(i));  // one flies, one is full, one is open
  add("large", std::string(50'000, 'y'));
  due();
  const auto fail = [&] {
    while (!transport_.flights.empty()) transport_.fail(0, base::Code::unreachable);
  };
  fail();
  for (int i = 0; i < 10; ++i) {
    later(5 * base::kSecond);
    ASSERT_EQ(transport_.flights.size(), 1U);
    const auto stream = transport_.flights[0].streams()[0];
    if (stream.labels == R"({app="large"})") {
      EXPECT_EQ(stream.entries.size(), 1U);  // no record is cut
    } else {
      EXPECT_EQ(stream.entries.size(), 16U);
      EXPECT_EQ(stream.entries[0].line, line(0));
    }
    fail();
  }
  // A stream of which nothing has been sent yet.
  for (int i = 0; i < 60; ++i) add("b", line(i));
  bool seen = false;
  for (int i = 0; i < 10 && !seen; ++i) {
    later(5 * base::kSecond);
    const auto stream = transport_.flights.at(0).streams()[0];
    seen = stream.labels == R"({app="b"})";
    if (seen) {
      EXPECT_EQ(stream.entries.size(), 16U);
    }
    fail();
  }
  EXPECT_TRUE(seen);
  later(5 * base::kSecond);
  std::map<std::string, Strings> lines;
  while (!transport_.flights.empty()) {
    for (const auto& stream : transport_.flights[0].streams())
      for (const auto& entry : stream.entries) lines[stream.labels].push_back(entry.line);
    transport_.answer(204);
  }
  due();
  while (!transport_.flights.empty()) {
    for (const auto& stream : transport_.flights[0].streams())
      for (const auto& entry : stream.entries) lines[stream.labels].push_back(entry.line);
    transport_.answer(204);
  }
  const auto want = [&](int count) {
    Strings all;
    for (int i = 0; i < count; ++i) all.push_back(line(i));
    return all;
  };
  EXPECT_EQ(lines[R"({app="a"})"], want(250));
  EXPECT_EQ(lines[R"({app="b"})"], want(60));
  EXPECT_EQ(pusher().stats().pending, 0U);
  std::sort(ledger_.settled.begin(), ledger_.settled.end());
  ASSERT_EQ(ledger_.settled.size(), 311U);
  for (std::size_t i = 0; i < ledger_.settled.size(); ++i) EXPECT_EQ(ledger_.settled[i], i);
  EXPECT_EQ(pusher().memory_in_use(), 0U);
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
  transport_.answer(
      429,
      "entry with timestamp 2024 ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for "
      "stream '{app=\"a\"}' totaling 2B', user 'fake', total ignored: 1 out of 1 for stream: {app=\"a\"}");
  transport_.answer(204);
  add("b", "3");
  due();
  EXPECT_THAT(flying(), Contains("b: 3;"));
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

// How long it lasts, how often it was tried, and where the records are.
TEST_F(PusherTest, ALongOutageIsToldNowAndThen) {
  config_.give_up = 0;
  config_.one_shot = false;
  std::optional<std::uint64_t> in_spool = 12'345;
  const auto outage = [&] {
    pusher_.reset();
    const std::size_t before = diagnostics_.said().size();
    add("a", "1");
    due();
    for (int second = 0; second < 1300; ++second) {
      while (!transport_.flights.empty()) transport_.fail(0, base::Code::unreachable);
      later(base::kSecond);
    }
    transport_.flights.clear();
    auto said = diagnostics_.said();
    said.erase(said.begin(), said.begin() + static_cast<std::ptrdiff_t>(before));
    return said;
  };
  config_.in_spool = [&] { return in_spool; };
  const auto said = outage();
  ASSERT_EQ(said.size(), 6U);  // at once, and after 31 s, 1.5, 3.5, 7.5, 15.5 minutes
  EXPECT_THAT(said[0], ::testing::StartsWith("cannot reach http://loki: Connection refused; trying again"));
  EXPECT_THAT(said[1], ::testing::ContainsRegex("^cannot reach http://loki: Connection refused; unreachable for 3[1-5]s \\([0-9]+ "
                                                "tries\\); 12,345 records wait in the spool$"));
  EXPECT_THAT(said[5], ::testing::ContainsRegex("; unreachable for 1[56]m \\([0-9]+ tries\\); 12,345 records wait in the spool$"));
  in_spool = std::nullopt;
  EXPECT_THAT(outage()[1], ::testing::EndsWith("; the records wait in the spool"));
  config_.in_spool = nullptr;
  EXPECT_THAT(outage()[1], ::testing::EndsWith("; 1 record waits here, the rest in the log files"));
}

TEST_F(PusherTest, TroubleOfThisMachineIsNoQuestionOfWhoIsThere) {
  config_.one_shot = false;
  for (const base::Code code : {base::Code::io, base::Code::config}) {
    pusher_.reset();
    add("a", "1");
    due();
    transport_.fail(0, code);
    EXPECT_THAT(diagnostics_.said().back(), Not(HasSubstr("is a Loki there?")));
  }
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

TEST_F(PusherTest, LearnsTheRateOfATenant) {
  config_.stream_bytes = 100'000;
  start();
  const std::string line(99'999, 'x');
  add("a", line);
  add("a", line);
  transport_.answer(429,
                    "ingestion rate limit exceeded for user fake (limit: 100000 bytes/sec) while attempting to ingest '1' lines "
                    "totaling '99999' bytes");
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

TEST_F(PusherTest, LearnsTheRateOfAStreamAndHoldsUpNoOther) {
  config_.stream_bytes = 100'000;
  trust({"a", "b"});
  const std::string line(99'999, 'x');
  add("a", line);
  add("a", "closes it");
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(429,
                    "entry with timestamp 2024 ignored, reason: 'Per stream rate limit exceeded (limit: 100kB/sec) while "
                    "attempting to ingest for stream "
                    "'{app=\"a\"}' totaling 100kB', user 'fake', total ignored: 1 out of 1 for stream: {app=\"a\"}");
  later(base::kMinute);
  int sent = 0;
  for (int i = 0; i < 60; ++i) {
    add("b", std::to_string(i));
    due();
    while (!transport_.flights.empty()) {
      if (show(transport_.flights.front()).starts_with("a:")) ++sent;
      transport_.answer(204);
    }
    if (i < 58) add("a", line);
  }
  EXPECT_GE(sent, 50);
  EXPECT_LE(sent, 59);
}

// What a record that Loki cannot bear costs: some requests, and itself.
TEST_F(PusherTest, ARequestThatFailsWhileOthersPassIsSplitDownToTheRecord) {
  config_.give_up = 0;
  for (int i = 0; i < 100; ++i) add("a", i == 37 ? "poison" : std::to_string(i));
  due();
  const auto loki = [](const std::string& request) { return request.find("poison") != std::string::npos ? 500 : 204; };
  int minutes = 0;
  for (; minutes < 60 && pusher().stats().pending > 0; ++minutes) {
    add("b", "other " + std::to_string(minutes));
    due();
    answer_all(loki);
    later(base::kMinute);
    answer_all(loki);
  }
  EXPECT_EQ(pusher().stats().pending, 0U);
  EXPECT_LT(minutes, 30);
  EXPECT_THAT(ledger_.refused, ElementsAre("37 500 server_error poison"));
  EXPECT_EQ(ledger_.settled.size(), 99U + static_cast<std::size_t>(minutes));
  EXPECT_LT(transport_.answered.size(), 60U + static_cast<std::size_t>(minutes));
  std::vector<PushToken> of_a;
  for (const PushToken token : ledger_.settled)
    if (token < 100) of_a.push_back(token);
  EXPECT_TRUE(std::is_sorted(of_a.begin(), of_a.end()));
}

// All that this chain has is one stream, and its first record is what Loki cannot bear: nothing else can show that the target works
// but what stands behind it.
TEST_F(PusherTest, ARecordThatBlocksTheOnlyStreamIsFoundOut) {
  config_.give_up = 0;
  add("a", "poison");
  add("a", "1");
  add("a", "2");
  due();
  const auto loki = [](const std::string& request) { return request.find("poison") != std::string::npos ? 500 : 204; };
  int minutes = 0;
  for (; minutes < 120 && pusher().stats().pending > 0; ++minutes) {
    answer_all(loki);
    later(base::kMinute);
  }
  EXPECT_EQ(pusher().stats().pending, 0U);
  EXPECT_GE(minutes, 5);
  EXPECT_THAT(ledger_.refused, ElementsAre("0 500 server_error poison"));
  EXPECT_THAT(ledger_.settled, ElementsAre(1, 2));
  EXPECT_EQ(pusher().memory_in_use(), 0U);
}

TEST_F(PusherTest, NoRecordIsBlamedForATargetThatIsDown) {
  config_.give_up = 0;
  for (int i = 0; i < 20; ++i) add("a", std::to_string(i));
  for (int i = 0; i < 20; ++i) add("b", std::to_string(i));
  due();
  for (int i = 0; i < 600; ++i) {
    answer_all([](const std::string&) { return 500; });
    later(base::kMinute);
  }
  answer_all([](const std::string&) { return 204; });
  due();
  EXPECT_THAT(ledger_.refused, IsEmpty());
  EXPECT_EQ(ledger_.settled.size(), 40U);
  // In order, whatever was taken apart meanwhile; but one record may have overtaken another.
  for (const char app : {'a', 'b'}) {
    std::vector<PushToken> tokens;
    for (const PushToken token : ledger_.settled)
      if ((token < 20) == (app == 'a')) tokens.push_back(token);
    int overtaken = 0;
    for (std::size_t i = 1; i < tokens.size(); ++i) overtaken += tokens[i] < tokens[i - 1] ? 1 : 0;
    EXPECT_LE(overtaken, 1);
  }
}

// With replication, streams whose servers are gone get a 500 while all others pass.
TEST_F(PusherTest, NoRecordIsBlamedForServersThatAreMissing) {
  config_.give_up = 0;
  add("a", "1");
  add("a", "2");
  due();
  for (int i = 0; i < 300; ++i) {
    add("b", std::to_string(i));
    due();
    for (int n = 0; n < 10 && !transport_.flights.empty(); ++n) {
      const bool a = show(transport_.flights.front()).starts_with("a:");
      transport_.answer(a ? 500 : 204,
                        a ? "at least 2 live replicas required, could only find 1 - unhealthy instances: 10.0.0.7:9095" : "");
    }
    later(base::kMinute);
  }
  EXPECT_EQ(pusher().stats().pending, 2U);
  answer_all([](const std::string&) { return 204; });
  EXPECT_THAT(ledger_.refused, IsEmpty());
  EXPECT_EQ(pusher().stats().pending, 0U);
}

TEST_F(PusherTest, ATenantOverItsLimitHoldsUpNoOther) {
  config_.give_up = 0;
  add("a", "1", 0, "one");
  add("a", "1", 0, "two");
  due();
  ASSERT_EQ(transport_.flights.size(), 2U);
  transport_.answer(429, "ingestion rate limit exceeded for user one (limit: 4194304 bytes/sec) while attempting to ingest",
                    {{"retry-after", "100"}});
  transport_.answer(204);
  add("a", "2", 0, "one");
  add("a", "2", 0, "two");
  due();
  ASSERT_EQ(transport_.flights.size(), 1U);
  EXPECT_EQ(transport_.flights.front().tenant(), "two");
  transport_.answer(204);
  later(2 * base::kMinute);
  ASSERT_EQ(transport_.flights.size(), 1U);  // one try
  EXPECT_EQ(transport_.flights.front().tenant(), "one");
  transport_.answer(204);
  while (!transport_.flights.empty()) transport_.answer(204);
  EXPECT_EQ(pusher().stats().pending, 0U);
}

TEST_F(PusherTest, ABlockedPolicyParksItsStreams) {
  config_.one_shot = false;
  trust({"a", "b"});
  add("a", "2");
  add("b", "2");
  due();
  ASSERT_THAT(flying(), ElementsAre("a: 2;b: 2;"));
  transport_.answer(260, "ingestion blocked for user 'fake' (policy: 'noisy') until '2030-01-01T00:00:00Z' with status code '260'");
  answer_all([](const std::string& request) { return request.starts_with("b:") ? 204 : 429; });
  EXPECT_EQ(pusher().stats().records, 3U);
  EXPECT_EQ(pusher().stats().pending, 1U);
}

// An error of the ingester hides what the distributor had refused before: fewer records came to it than were sent.
TEST_F(PusherTest, WhatAnAnswerHidesIsFoundOut) {
  for (int i = 0; i < 6; ++i) add("a", "line " + std::to_string(i), i * base::kHour);
  due();
  transport_.answer(
      400,
      "entry with timestamp 2025-10-09 05:53:20 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: "
      "2025-10-09T05:53:20Z, "
      "oldest acceptable timestamp is: 2025-10-09T06:00:00Z',\nuser 'fake', total ignored: 2 out of 5 for stream: {app=\"a\"}");
  EXPECT_THAT(ledger_.refused, ElementsAre("4 400 too_far_behind line 4", "5 400 too_far_behind line 5"));
  ASSERT_THAT(flying(), ElementsAre("a: line 0 line 1 line 2 line 3;"));
  transport_.answer(400, "max entry size '5' bytes exceeded for stream '{app=\"a\"}' while adding an entry with length '6' bytes");
  EXPECT_EQ(ledger_.refused.size(), 6U);
}

TEST_F(PusherTest, AnAnswerThatIsCutSpeaksOfAllThatBreakTheSameLimit) {
  for (int i = 0; i < 6; ++i) add("a", "line " + std::to_string(i), i * base::kHour);
  due();
  FakeTransport::Flight flight = transport_.take(0);
  http::Response response{
      400,
      "1 errors like: entry for stream '{app=\"a\"}' has timestamp too old: 2025-10-09T04:53:20Z, oldest acceptable timestamp is: "
      "2025-10-09T06:00:00Z; 1 errors like: entry for str",
      true,
      {}};
  flight.completion(std::move(response));
  EXPECT_THAT(ledger_.settled, ElementsAre(0, 1, 2));
  EXPECT_EQ(ledger_.refused.size(), 3U);
}

TEST_F(PusherTest, ALokiWithoutMetadataRefusesOtherRecordsAllTheSame) {
  const record::Label metadata[] = {{"k", "v"}};
  record::Record with = record_of("a", "with");
  with.metadata = metadata;
  ASSERT_TRUE(pusher().add(with, 0));
  next_token_ = 1;
  add("a", "old", 10 * base::kHour);
  add("a", "fine");
  due();
  transport_.answer(400,
                    "stream '{app=\"a\"}' includes structured metadata, but this feature is disallowed. Please see …; entry for "
                    "stream '{app=\"a\"}' "
                    "has timestamp too old: 2025-10-08T22:53:20Z, oldest acceptable timestamp is: 2025-10-09T06:00:00Z");
  EXPECT_THAT(ledger_.refused, ElementsAre("1 400 greater_than_max_sample_age old"));
  EXPECT_THAT(ledger_.settled, ElementsAre(2));
  ASSERT_THAT(flying(), ElementsAre("a: with;"));
  transport_.answer(204);
  EXPECT_THAT(ledger_.settled, ElementsAre(2, 0));
}

// Labels are wrong for all records that have them: no bisecting of thousands.
TEST_F(PusherTest, LabelsThatLokiCannotReadRefuseTheStreamAtOnce) {
  for (int i = 0; i < 50; ++i) add("a", std::to_string(i));
  due();
  transport_.answer(400, "couldn't parse labels: 1:2: parse error");
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_EQ(ledger_.refused.size(), 50U);
}

// ---- slow streams ---------------------------------------------------------------------------------------------------------------

class SlowTest : public PusherTest {
 protected:
  SlowTest() {
    config_.memory = 1 << 20;
    config_.give_up = 0;
    config_.one_shot = false;
    config_.can_leave = true;
    config_.stream_bytes = 64 << 10;
    // Incompressible, so that what it takes is what it is.
    for (std::size_t i = 0; i < line_.size(); ++i) line_[i] = static_cast<char>('!' + (i * 7919 + i * i) % 90);
  }
  // Loki's word that it has too many streams already.
  void limit(const std::string& app) {
    transport_.answer(429,
                      fmt::format("maximum active stream limit exceeded when trying to create stream {{app=\"{}\"}}, reduce", app));
  }
  std::string line_ = std::string(4000, 'x');
};

TEST_F(SlowTest, AStreamThatLokiLimitsKeepsItsShareAndTheRestIsLeft) {
  trust({"b"});
  add("a", line_);
  due();
  limit("a");
  int taken = 0;
  StreamNumber number = 0;
  for (; taken < 1000 && number == 0; ++taken) number = *try_add("a", line_);
  EXPECT_EQ(number, 1U);
  EXPECT_GT(taken, 60);
  EXPECT_LT(taken, 140);  // half a MiB
  EXPECT_EQ(*try_add("a", "more"), number);
  // The others go on as if nothing had happened.
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(*try_add("b", line_), 0U);
    answer_all([](const std::string& request) { return request.starts_with("a:") ? 503 : 204; });
  }
  EXPECT_THAT(pusher().streams_wanting_more(), IsEmpty());  // it is refused, and has enough to try it with

  config_.wait = base::kMinute;
  for (int i = 0; i < 20 && pusher().streams_wanting_more().empty(); ++i) {
    later(base::kMinute);
    answer_all([](const std::string&) { return 204; });
  }
  ASSERT_THAT(pusher().streams_wanting_more(), ElementsAre(number));
  EXPECT_EQ(*try_add("a", "still left"), number);
  ASSERT_TRUE(pusher().add_again(record_of("a", "again"), next_token_++));
  pusher().resume(number);
  EXPECT_EQ(*try_add("a", "in order"), 0U);
  due();
  answer_all([](const std::string&) { return 204; });
  EXPECT_THAT(pusher().streams_wanting_more(), IsEmpty());
  EXPECT_EQ(pusher().stats().pending, 0U);
}

// The share of slow streams is taken up by one; when there is room again, another one that is refused has its request to try with.
TEST_F(SlowTest, ARefusedStreamIsNotHungry) {
  trust({"a"});
  add("c", "1");
  due();
  limit("c");
  add("a", line_);
  due();
  while (!transport_.flights.empty()) limit(show(transport_.flights.front()).substr(0, 1));
  while (*try_add("a", line_) == 0) continue;
  const StreamNumber number = *try_add("c", "2");
  ASSERT_NE(number, 0U);
  // The first one flows.
  for (int i = 0; i < 100; ++i) {
    later(base::kMinute);
    while (!transport_.flights.empty()) {
      if (show(transport_.flights.front()).starts_with("c:")) {
        limit("c");
      } else {
        transport_.answer(204);
      }
    }
    EXPECT_THAT(pusher().streams_wanting_more(), Not(Contains(number)));
  }
  for (int i = 0; i < 3 && pusher().stats().pending > 0; ++i) {
    later(2 * base::kMinute);
    answer_all([](const std::string&) { return 204; });
  }
  EXPECT_THAT(pusher().streams_wanting_more(), Contains(number));
}

// It took all the memory before Loki's first answer came.
TEST_F(SlowTest, AStreamThatFilledTheMemoryAndIsLimitedThenBlocksNobody) {
  auto stop = std::move(*base::Stop::create());
  pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, stop.get(), &ledger_);
  pusher_->attach(transport_);
  while (pusher_->memory_in_use() + 8000 < config_.memory) ASSERT_EQ(*try_add("a", line_), 0U);
  limit("a");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(try_add("a", line_));  // this would wait for ever
  EXPECT_EQ(*try_add("a", line_), 1U);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(*try_add("b", line_), 0U);
    if (i % 20 == 19) due();
    while (!transport_.flights.empty()) {
      if (show(transport_.flights.front()).starts_with("a:")) {
        limit("a");
      } else {
        transport_.answer(204);
      }
    }
  }
  EXPECT_GE(pusher_->stats().records, 180U);
  EXPECT_LT(pusher_->memory_in_use(), config_.memory * 3 / 2 + (64 << 10));
  pusher_.reset();
}

TEST_F(SlowTest, WithNothingToReadAgainItBlocksInTheEndAndSaysSo) {
  config_.can_leave = false;
  auto stop = std::move(*base::Stop::create());
  pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, stop.get(), &ledger_);
  pusher_->attach(transport_);
  trust({"b"});
  add("a", line_);
  due();
  limit("a");
  stop->request();
  stop->request();  // so that a full pusher says so in place of waiting
  int taken = 0;
  for (; taken < 1000; ++taken) {
    if (auto added = try_add("a", line_); !added) break;
  }
  EXPECT_GT(taken, 60);
  EXPECT_LT(taken, 140);  // half of the memory: the others keep theirs
  EXPECT_LT(pusher_->memory_in_use(), 700U << 10);
  EXPECT_THAT(diagnostics_.said(),
              Contains(HasSubstr("stream {app=\"a\"} holds up the input: Loki takes its records more slowly than they come")));
  pusher_.reset();
}

TEST_F(SlowTest, RecordsThatCannotBeReadAgainAfterAllAreNotLeft) {
  add("a", line_);
  due();
  limit("a");
  pusher().stop_leaving();
  auto taken = 0;
  for (; taken < 100; ++taken) ASSERT_EQ(*try_add("a", line_), 0U);
}

class BacklogTest : public SlowTest {
 protected:
  BacklogTest() {
    config_.catch_up = {.rate = 8 << 10, .jitter = 20 * base::kSecond, .outage = base::kMinute};
    config_.wait = 0;
  }
  void fail_for(base::Duration outage) {
    add("a", "1");
    due();
    transport_.fail();
    for (base::Duration gone = 0; gone < outage; gone += 5 * base::kSecond) {
      later(5 * base::kSecond);
      while (!transport_.flights.empty()) transport_.fail();
    }
  }
  [[nodiscard]] Strings said() const {
    Strings texts;
    for (const std::string& text : diagnostics_.said())
      if (text.find("backlog") != std::string::npos) texts.push_back(text);
    return texts;
  }
  static int all_pass(const std::string&) { return 204; }
};

TEST_F(BacklogTest, AfterAnOutageTheBacklogWaitsAndGoesAtItsPace) {
  fail_for(2 * base::kMinute);
  later(base::kMinute);
  answer_all(all_pass);
  EXPECT_TRUE(pusher().recovered());
  EXPECT_FALSE(pusher().recovered());
  EXPECT_TRUE(pusher().catching_up());
  EXPECT_THAT(said(), ElementsAre(HasSubstr("http://loki takes records again: the backlog is delivered at up to")));
  // Everything is a backlog until somebody knows better.
  for (int i = 0; i < 30; ++i) add("a", line_);
  pusher().backlog_known();
  for (int i = 0; i < 30; ++i) ASSERT_EQ(*pusher().add(record_of("a", line_), next_token_++, true), 0U);
  ASSERT_EQ(*pusher().add(record_of("b", "new"), next_token_++), 0U);
  due();
  EXPECT_THAT(flying(), ElementsAre("b: new;"));  // a stream without a backlog
  transport_.answer(204);
  base::Monotonic first = 0;
  std::size_t sent = 0;
  const base::Monotonic start = clock_.monotonic();
  while (pusher().stats().pending > 0 && clock_.monotonic() - start < base::kHour) {
    later(base::kSecond / 10);
    while (!transport_.flights.empty()) {
      if (first == 0) first = clock_.monotonic();
      sent += transport_.flights.front().streams()[0].entries.size();
      transport_.answer(204);
    }
  }
  EXPECT_EQ(sent, 60U);
  EXPECT_GT(first - start, 0);
  EXPECT_LE(first - start, 21 * base::kSecond);
  const double seconds = static_cast<double>(clock_.monotonic() - first) / base::kSecond;
  EXPECT_GE(seconds, 60 * 4000.0 / (8 << 10) - 10);
  EXPECT_LE(seconds, 60 * 4000.0 / (4 << 10) + 10);
  // It ends when all of it has come and gone.
  static_cast<void>(pusher().tick(clock_.monotonic()));
  EXPECT_TRUE(pusher().catching_up());
  pusher().backlog_passed();
  static_cast<void>(pusher().tick(clock_.monotonic()));
  EXPECT_FALSE(pusher().catching_up());
  EXPECT_THAT(said().back(), "the backlog is delivered");
}

TEST_F(BacklogTest, WhatWaitedThroughTheOutageIsBacklog) {
  config_.catch_up.jitter = base::kHour;
  add("a", "1");
  add("b", "1");
  add("c", "1");
  fail_for(2 * base::kMinute);
  later(base::kMinute);
  ASSERT_EQ(transport_.flights.size(), 1U);
  transport_.answer(204);
  EXPECT_THAT(flying(), IsEmpty());
  EXPECT_GE(pusher().stats().pending, 2U);
}

TEST_F(BacklogTest, AShortOutageLeavesNone) {
  fail_for(30 * base::kSecond);
  later(20 * base::kSecond);
  answer_all(all_pass);
  EXPECT_FALSE(pusher().recovered());
  EXPECT_FALSE(pusher().catching_up());
}

TEST_F(BacklogTest, ABacklogFromBeforeTheStartIsPacedToo) {
  start();
  pusher().begin_backlog();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(*pusher().add(record_of("a", line_), next_token_++, true), 0U);
  ASSERT_EQ(*pusher().add(record_of("b", "new"), next_token_++), 0U);
  due();
  EXPECT_THAT(flying(), Not(Contains(HasSubstr("a:"))));
  EXPECT_THAT(said(), ElementsAre(HasSubstr("the spool holds records from before this start: the backlog is delivered at up to")));
  later(base::kMinute);
  EXPECT_THAT(flying(), Contains(HasSubstr("a:")));
}

TEST_F(BacklogTest, WhatIsTooMuchOfABacklogIsLeftAndNewStreamsPass) {
  start();
  pusher().begin_backlog();
  int left = 0;
  for (int i = 0; i < 400; ++i) {
    auto added = pusher().add(record_of("app" + std::to_string(i % 20), line_), next_token_++, true);
    ASSERT_TRUE(added);
    if (*added != 0) ++left;
  }
  EXPECT_GT(left, 200);
  EXPECT_LT(pusher().memory_in_use(), 1U << 20);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(*try_add("new", line_), 0U);
    due();
    answer_all(all_pass);
  }
  EXPECT_GE(pusher().stats().records, 50U);
}

// Where nothing tells what is a backlog, all is until the input is waited for no more.
TEST_F(BacklogTest, WithoutASpoolItEndsWhenTheInputIsNoLongerHeldUp) {
  config_.can_leave = false;
  fail_for(2 * base::kMinute);
  later(base::kMinute);
  answer_all(all_pass);
  EXPECT_TRUE(pusher().catching_up());
  add("b", "1");
  due();
  EXPECT_THAT(flying(), IsEmpty());
  for (int i = 0; i < 60; ++i) {
    later(base::kSecond);
    answer_all(all_pass);
    static_cast<void>(pusher().tick(clock_.monotonic()));
  }
  EXPECT_FALSE(pusher().catching_up());
  EXPECT_EQ(pusher().stats().pending, 0U);
  add("b", "2");
  due();
  EXPECT_THAT(flying(), ElementsAre("b: 2;"));
}

TEST_F(BacklogTest, WithoutASpoolThePaceBeginsWithWhatIsUsual) {
  config_.can_leave = false;
  config_.catch_up = {.rate = 1 << 20, .jitter = 0, .outage = base::kMinute};
  for (int i = 0; i < 60; ++i) {  // 20,000 bytes a second for a minute
    for (int n = 0; n < 5; ++n) add("a", line_);
    due();
    answer_all(all_pass);
    clock_.advance(base::kSecond);
    static_cast<void>(pusher().tick(clock_.monotonic()));
  }
  fail_for(2 * base::kMinute);
  for (int i = 0; i < 100; ++i) add("a", line_);
  later(base::kMinute);
  int seconds = 0;
  for (; seconds < 600 && pusher().stats().pending > 0; ++seconds) {
    answer_all(all_pass);
    later(base::kSecond);
  }
  EXPECT_GE(seconds, 10);
  EXPECT_LE(seconds, 30);  // of 400,000 bytes; a minute if it had to begin with the least
}

// Started in the middle of the outage: nothing was sent before, but the records have times.
TEST_F(BacklogTest, WithoutASpoolThePaceBeginsWithWhatIsLogged) {
  config_.can_leave = false;
  config_.give_up = 0;
  config_.catch_up = {.rate = 1 << 20, .jitter = 0, .outage = base::kMinute};
  for (int i = 0; i < 100; ++i) add("a", line_, 2 * base::kMinute - i * base::kSecond / 5);  // 20,000 bytes a second
  due();
  for (base::Duration gone = 0; gone < 2 * base::kMinute; gone += 5 * base::kSecond) {
    while (!transport_.flights.empty()) transport_.fail(0, base::Code::unreachable);
    later(5 * base::kSecond);
  }
  const base::Monotonic back = clock_.monotonic();
  while (pusher().stats().pending > 0 && clock_.monotonic() < back + base::kHour) {
    answer_all(all_pass);
    later(base::kSecond / 10);
  }
  // 400,000 bytes, as much again beside what comes in: the writer needed 20 s. With the least pace of all, over a minute.
  EXPECT_GE(clock_.monotonic() - back, 5 * base::kSecond);
  EXPECT_LE(clock_.monotonic() - back, 20 * base::kSecond);
}

TEST_F(BacklogTest, WithoutALimitNothingIsPaced) {
  config_.catch_up.rate = 0;
  fail_for(10 * base::kMinute);
  later(base::kMinute);
  answer_all(all_pass);
  EXPECT_FALSE(pusher().recovered());
  EXPECT_FALSE(pusher().catching_up());
}

TEST_F(PusherTest, CountsAnswersAndTheTimesTheyTook) {
  add("a", "1");
  due();
  clock_.advance(30 * base::kMillisecond);
  transport_.answer(503);
  later(base::kMinute);
  clock_.advance(base::kMinute);
  transport_.fail();
  EXPECT_EQ(pusher().stats().last_success, 0);
  later(base::kMinute);
  clock_.advance(5 * base::kMillisecond);
  transport_.answer(204);
  const PusherStats stats = pusher().stats();
  EXPECT_EQ(stats.answers, (std::map<int, std::uint64_t>{{0, 1}, {204, 1}, {503, 1}}));
  std::array<std::uint64_t, kRequestTimes.size() + 1> times = {};
  times[0] = times[3] = times.back() = 1;  // up to 5 ms, up to 50 ms, longer than all
  EXPECT_EQ(stats.request_times, times);
  EXPECT_EQ(stats.request_time, static_cast<std::uint64_t>(base::kMinute + 35 * base::kMillisecond));
  EXPECT_EQ(stats.last_success, clock_.wall());
}

TEST_F(PusherTest, SaysWhatKeepsRecordsFromBeingDelivered) {
  EXPECT_EQ(pusher().waits().failing_since, base::kNever);
  EXPECT_EQ(pusher().waits().oldest, 0);
  const base::Timestamp written = clock_.wall() - base::kMinute;
  add("a", "1", base::kMinute);
  add("b", "1");
  EXPECT_EQ(pusher().waits().oldest, written);
  due();
  transport_.fail();
  transport_.fail();
  const base::Monotonic since = clock_.monotonic();
  PusherWaits waits = pusher().waits();
  EXPECT_EQ(waits.failing_since, since);
  EXPECT_GT(waits.retry_at, since);
  EXPECT_THAT(waits.cause, HasSubstr("Connection refused"));
  EXPECT_EQ(waits.oldest, written);
  later(base::kMinute);
  EXPECT_EQ(pusher().waits().failing_since, since);
  answer_all([](const std::string&) { return 204; });
  waits = pusher().waits();
  EXPECT_EQ(waits.failing_since, base::kNever);
  EXPECT_EQ(waits.oldest, 0);
}

TEST_F(PusherTest, ALimitedTenantStandsInTheWayWhileNothingElseWaits) {
  const std::string limit = "ingestion rate limit exceeded for user a (limit: 4194304 bytes/sec)";
  trust({"a"});
  add("a", "2");
  due();
  transport_.answer(429, limit);
  EXPECT_EQ(pusher().waits().failing_since, clock_.monotonic());
  EXPECT_THAT(pusher().waits().cause, HasSubstr("ingestion rate limit"));
  add("b", "1", 0, "other");
  EXPECT_EQ(pusher().waits().failing_since, base::kNever) << "records of another tenant may pass";
}

}  // namespace
}  // namespace weir::loki
