// The pusher against a modelled Loki that answers at random, in virtual time: whatever it says and forgets to say, what it has
// stored in the end is what was sent, once and in order, but for what is bad.
#include "loki/pusher.h"

#include "record/timestamp.h"
#include "support/collect.h"
#include "support/fake_clock.h"
#include "support/fake_loki.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <random>
#include <set>

namespace weir::loki {
namespace {

using base::kMinute;
using base::kSecond;
using base::Monotonic;

enum class Kind { good, too_old, too_long, poison };

struct Sent {
  std::string stream;  // "tenant {labels}"
  std::string line;
  Kind kind = Kind::good;
  base::Timestamp time = 0;
};

// What the test says of itself: "17 good", with padding behind.
std::size_t number_of(const std::string& line) { return std::stoul(line); }
Kind kind_of(const std::string& line) {
  return line.find("too old") != std::string::npos    ? Kind::too_old
         : line.find("too long") != std::string::npos ? Kind::too_long
         : line.find("poison") != std::string::npos   ? Kind::poison
                                                      : Kind::good;
}

// Stores, refuses and fails. What it stores stays in the order of its arrival, for each stream.
class ModelledLoki {
 public:
  explicit ModelledLoki(unsigned seed) : random_(seed) {}

  struct Answer {
    int status = 0;  // 0: none, the connection breaks
    std::string body;
    base::Duration after = kSecond / 50;
    std::string retry_after;
  };

  Answer receive(const std::string& tenant, const std::vector<test::PushedStream>& streams, Monotonic now) {
    ++requests;
    if (down(now)) return {.status = chance(50) ? 503 : 0, .body = "", .after = kSecond / 50, .retry_after = chance(20) ? "2" : ""};
    for (const auto& stream : streams)
      for (const auto& entry : stream.entries)
        if (kind_of(entry.line) == Kind::poison) return {.status = 500, .body = "rpc error: code = Unknown desc = panic"};
    if (calm) return store(tenant, streams);
    switch (random_() % 24) {
      case 0:
        // Of one record alone it would be true for ever.
        if (streams.size() == 1 && streams[0].entries.size() == 1) return store(tenant, streams);
        return {.status = 413, .body = "too large"};
      case 1:
        return {.status = 429,
                .body = "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest"};
      case 2: {
        const auto& named = streams[random_() % streams.size()];
        if (streams.size() > 1) forget(tenant, streams, chance(50));
        return {.status = 429,
                .body = fmt::format("maximum active stream limit exceeded when trying to create stream {}, reduce the number",
                                    named.labels)};
      }
      case 3:
        return {.status = 503, .body = "shutting down"};
      case 4:
      case 5: {
        forget(tenant, streams, chance(50));
        return {.status = 500, .body = "rpc error: code = Unknown desc = something"};
      }
      case 6: {
        forget(tenant, streams, chance(50));
        return {.status = 0, .body = "", .after = chance(50) ? kSecond / 50 : 30 * kSecond};
      }
      case 7: {
        Answer late = store(tenant, streams);
        late.after = 10 * kSecond;
        return late;
      }
      default:
        return store(tenant, streams);
    }
  }

  void outage(Monotonic from, Monotonic to) { outages_.emplace_back(from, to); }

  bool calm = false;
  int requests = 0;
  std::map<std::string, std::vector<std::size_t>> stored;  // numbers
  std::set<std::size_t> known;                             // all of them
  std::set<std::size_t> answer_lost;                       // stored, and the sender was not told

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  [[nodiscard]] bool down(Monotonic now) const {
    return std::any_of(outages_.begin(), outages_.end(), [&](const auto& one) { return one.first <= now && now < one.second; });
  }

  Answer store(const std::string& tenant, const std::vector<test::PushedStream>& streams) {
    std::string complaints;
    for (const auto& stream : streams) {
      for (const auto& entry : stream.entries) {
        std::string why;
        if (kind_of(entry.line) == Kind::too_old) {
          why = fmt::format("entry for stream '{}' has timestamp too old: {}, oldest acceptable timestamp is: 2025-10-01T00:00:00Z",
                            stream.labels, record::to_rfc3339(entry.timestamp / kSecond * kSecond));
        } else if (kind_of(entry.line) == Kind::too_long) {
          why = fmt::format("max entry size '1000' bytes exceeded for stream '{}' while adding an entry with length '{}' bytes",
                            stream.labels, entry.line.size());
        }
        if (why.empty()) {
          stored[tenant + " " + stream.labels].push_back(number_of(entry.line));
          known.insert(number_of(entry.line));
        } else {
          complaints += (complaints.empty() ? "1 errors like: " : "; 1 errors like: ") + why;
        }
      }
    }
    return complaints.empty() ? Answer{.status = 204, .body = ""} : Answer{.status = 400, .body = complaints + "\n"};
  }

  // The sender will not be told what became of it.
  void forget(const std::string& tenant, const std::vector<test::PushedStream>& streams, bool stores) {
    if (!stores) return;
    for (const auto& stream : streams)
      for (const auto& entry : stream.entries)
        if (kind_of(entry.line) == Kind::good) answer_lost.insert(number_of(entry.line));
    static_cast<void>(store(tenant, streams));
  }

  std::mt19937 random_;
  std::vector<std::pair<Monotonic, Monotonic>> outages_;
};

class VirtualTransport : public http::Transport {
 public:
  VirtualTransport(ModelledLoki& loki, base::Clock& clock) : loki_(loki), clock_(clock) {}

  void submit(http::Request request, Completion completion) override {
    std::string tenant;
    for (const auto& header : request.headers)
      if (header.name == "X-Scope-OrgID") tenant = header.value;
    const auto streams = test::decode_push(std::string(request.body_view));
    Flight flight;
    for (const auto& stream : streams) {
      flight.streams.push_back(tenant + " " + stream.labels);
      const int many = ++flying_[flight.streams.back()];
      EXPECT_EQ(many, 1) << "two requests of one stream at once";
    }
    flight.answer = loki_.receive(tenant, streams, clock_.monotonic());
    flight.lands = clock_.monotonic() + flight.answer.after;
    flight.completion = std::move(completion);
    flights_.push_back(std::move(flight));
    most = std::max(most, flights_.size());
  }
  void wake() override {}

  [[nodiscard]] Monotonic next() const {
    Monotonic at = base::kNever;
    for (const Flight& flight : flights_) at = std::min(at, flight.lands);
    return at;
  }
  void land(Monotonic now) {
    for (auto at = flights_.begin(); at != flights_.end();) {
      if (at->lands > now) {
        ++at;
        continue;
      }
      Flight flight = std::move(*at);
      at = flights_.erase(at);
      for (const std::string& stream : flight.streams) --flying_[stream];
      if (flight.answer.status == 0) {
        flight.completion(
            base::fail(++gone_ % 3 == 0 ? base::Code::network : base::Code::unreachable, "cannot reach http://loki: it went away"));
      } else {
        std::vector<http::Header> headers;
        if (!flight.answer.retry_after.empty()) headers.push_back({"retry-after", flight.answer.retry_after});
        flight.completion(http::Response{flight.answer.status, flight.answer.body, false, std::move(headers)});
      }
      at = flights_.begin();
    }
  }
  std::size_t most = 0;

 private:
  struct Flight {
    std::vector<std::string> streams;
    ModelledLoki::Answer answer;
    Monotonic lands = 0;
    Completion completion;
  };
  ModelledLoki& loki_;
  base::Clock& clock_;
  std::list<Flight> flights_;
  std::map<std::string, int> flying_;
  int gone_ = 0;
};

class CheckingLedger : public PushLedger {
 public:
  CheckingLedger(const ModelledLoki& loki, const std::vector<Sent>& sent) : loki_(loki), sent_(sent) {}
  void delivered(std::span<const PushToken> tokens) override {
    for (const PushToken token : tokens) {
      EXPECT_TRUE(loki_.known.contains(token))
          << token << " is said to be delivered and is not: " << sent_[token].line.substr(0, 20);
      settle(token);
    }
  }
  void rejected(PushToken token, const RejectedRecord& why) override {
    EXPECT_NE(sent_[token].kind, Kind::good) << token << " was rejected: " << why.text;
    EXPECT_EQ(std::string(why.record->line.data), sent_[token].line);
    settle(token);
  }
  std::set<std::size_t> settled;

 private:
  void settle(std::size_t token) { EXPECT_TRUE(settled.insert(token).second) << token << " was settled twice"; }
  const ModelledLoki& loki_;
  const std::vector<Sent>& sent_;
};

struct Outcome {
  int requests = 0;
  std::size_t left = 0, repeated = 0;
  double minutes = 0;
};

// Feeds a pusher as a spool would: in order, as far as it takes, what it leaves again later.
class Story {
 public:
  Story(unsigned seed, bool can_leave) : random_(seed), loki_(seed + 1), transport_(loki_, clock_) {
    make_records();
    PusherConfig config;
    config.url = "http://loki";
    config.request_bytes = 8000;
    config.calm_bytes = can_leave ? 4000 : 1500;
    config.stream_bytes = 2 * config.calm_bytes;
    config.probe_bytes = 400;
    config.wait = kSecond;
    config.memory = can_leave ? 200 << 10 : 64 << 20;
    config.can_leave = can_leave;
    config.catch_up.rate = can_leave ? 4096 : 0;
    config.give_up = 0;
    config.one_shot = false;
    config.tracked = true;
    config.limits = {.max_line = 0, .max_labels = 0, .max_age = 0, .max_ahead = 0};
    config.seed = seed;
    ledger_ = std::make_unique<CheckingLedger>(loki_, sent_);
    pusher_ = std::make_unique<Pusher>(config, clock_, diagnostics_, nullptr, ledger_.get());
    pusher_->attach(transport_);
    can_leave_ = can_leave;
    memory_ = config.memory;
    for (int i = 0; i < 3; ++i) {
      const Monotonic from = clock_.monotonic() + static_cast<Monotonic>(random_() % 600) * kSecond;
      loki_.outage(from, from + static_cast<Monotonic>(20 + random_() % 200) * kSecond);
    }
  }

  Outcome go() {
    const Monotonic start = clock_.monotonic();
    Monotonic timer = 0;
    Monotonic next_record = start;
    while (!done()) {
      const Monotonic now = clock_.monotonic();
      if (now - start > 100 * base::kHour) {
        ADD_FAILURE() << "it does not end: " << pusher_->undelivered() << ", left " << left_count() << ", memory "
                      << pusher_->memory_in_use() << ", next " << next_ << ", said: " << diagnostics_.said().back();
        break;
      }
      if (now >= next_record && written_ < sent_.size()) {
        written_ = std::min(sent_.size(), written_ + 1 + random_() % 20);
        next_record = now + static_cast<Monotonic>(random_() % 8) * kSecond / 2;
      }
      if (written_ == sent_.size() && now - start > 15 * kMinute) loki_.calm = true;
      feed();
      feed_again();
      auto due = pusher_->tick(clock_.monotonic());
      EXPECT_TRUE(due);
      timer = pusher_->timer(clock_.monotonic());
      Monotonic at = std::min({timer, *due, transport_.next(), now + kSecond});
      if (written_ < sent_.size()) at = std::min(at, next_record);
      clock_.advance(std::max<base::Duration>(at - now, 1'000'000));
      transport_.land(clock_.monotonic());
    }
    check();
    return {loki_.requests, left_in_all_, repeated_, static_cast<double>(clock_.monotonic() - start) / kMinute};
  }

 private:
  void make_records() {
    std::map<std::string, base::Timestamp> old;
    for (std::size_t i = 0; i < 2500; ++i) {
      Sent one;
      const unsigned app = std::min(random_() % 8, random_() % 8);
      const char* tenant = app % 3 == 0 ? "" : "team";
      one.stream = fmt::format("{} {{app=\"{}\"}}", tenant, app);
      const unsigned dice = random_() % 100;
      one.kind = dice == 0 ? Kind::too_old : dice == 1 ? Kind::too_long : dice == 2 && poisons_ < 3 ? Kind::poison : Kind::good;
      if (one.kind == Kind::poison) ++poisons_;
      one.time = clock_.wall() + static_cast<base::Timestamp>(i) * kSecond / 6;  // about as they are written
      one.line = fmt::format("{} {}", i,
                             one.kind == Kind::too_old    ? "too old"
                             : one.kind == Kind::too_long ? "too long"
                             : one.kind == Kind::poison   ? "poison"
                                                          : "good");
      if (one.kind == Kind::too_old) one.time = 1'600'000'000 * kSecond + static_cast<base::Timestamp>(i) * 10 * kSecond;
      one.line += std::string(one.kind == Kind::too_long ? 1001 + i : 100 + random_() % 600, '.');
      if (one.kind != Kind::too_long && one.line.size() > 1000) one.line.resize(1000);
      sent_.push_back(std::move(one));
    }
  }

  record::Record record_of(std::size_t number) {
    const Sent& one = sent_[number];
    const auto space = one.stream.find(' ');
    record::LabelSetRef& labels = sets_[one.stream];
    if (!labels) labels = record::LabelSet::intern({{"app", one.stream.substr(space + 7, one.stream.size() - space - 9)}});
    record::Record record;
    record.timestamp = one.time;
    record.labels = labels.get();
    record.line = record::Text::bytes(one.line);
    record.tenant = std::string_view(one.stream).substr(0, space);
    return record;
  }

  void note_backlog() {
    pusher_->set_inflow(0);  // slow, so that much is left
    backlog_end_ = written_;
    pusher_->backlog_known();
  }

  void feed() {
    while (next_ < written_) {
      if (can_leave_ && pusher_->recovered()) {
        note_backlog();
      }
      if (next_ >= backlog_end_) pusher_->backlog_passed();
      // The real one blocks here; in virtual time it waits outside.
      if (pusher_->memory_in_use() + (24 << 10) > memory_) return;
      auto added = pusher_->add(record_of(next_), next_, next_ < backlog_end_);
      ASSERT_TRUE(added) << added.error().message;
      if (*added != 0) {
        left_[*added].push_back(next_);
        ++left_in_all_;
      }
      ++next_;
    }
    if (can_leave_ && next_ >= backlog_end_) pusher_->backlog_passed();
  }

  void feed_again() {
    if (!can_leave_) return;
    if (pusher_->recovered()) {
      note_backlog();
    }
    for (const StreamNumber number : pusher_->streams_wanting_more()) {
      auto& waiting = left_[number];
      for (int i = 0; i < 5 && !waiting.empty(); ++i) {
        ASSERT_TRUE(pusher_->add_again(record_of(waiting.front()), waiting.front()));
        waiting.pop_front();
      }
      if (waiting.empty()) {
        left_.erase(number);
        pusher_->resume(number);
      }
    }
  }

  [[nodiscard]] std::size_t left_count() const {
    std::size_t count = 0;
    for (const auto& [number, waiting] : left_) count += waiting.size();
    return count;
  }
  [[nodiscard]] bool done() const { return next_ == sent_.size() && left_count() == 0 && pusher_->stats().pending == 0; }

  void check() {
    EXPECT_EQ(ledger_->settled.size(), sent_.size());
    std::set<std::size_t> rejected;
    for (std::size_t i = 0; i < sent_.size(); ++i)
      EXPECT_EQ(loki_.known.contains(i), sent_[i].kind == Kind::good) << sent_[i].line.substr(0, 20);
    for (const auto& [stream, numbers] : loki_.stored) {
      std::set<std::size_t> seen;
      for (const std::size_t number : numbers) {
        EXPECT_EQ(sent_[number].stream, stream);
        if (seen.insert(number).second) {
          EXPECT_EQ(*seen.rbegin(), number) << "out of order in " << stream;
          continue;
        }
        ++repeated_;
        EXPECT_TRUE(loki_.answer_lost.contains(number)) << number << " was accepted, and sent again";
      }
    }
    EXPECT_LE(transport_.most, 4U);
    EXPECT_EQ(pusher_->memory_in_use(), 0U);
    EXPECT_EQ(pusher_->stats().rejected, sent_.size() - loki_.known.size());
  }

  std::mt19937 random_;
  test::FakeClock clock_;
  test::RememberingDiagnostics diagnostics_;
  ModelledLoki loki_;
  VirtualTransport transport_;
  std::vector<Sent> sent_;
  std::map<std::string, record::LabelSetRef> sets_;
  std::unique_ptr<CheckingLedger> ledger_;
  std::unique_ptr<Pusher> pusher_;
  std::map<StreamNumber, std::deque<std::size_t>> left_;
  std::size_t left_in_all_ = 0, repeated_ = 0;
  std::size_t written_ = 0, next_ = 0, backlog_end_ = 0, memory_ = 0;
  int poisons_ = 0;
  bool can_leave_ = false;
};

// WEIR_PROPERTY_RUNS makes it longer.
int runs() {
  const char* more = std::getenv("WEIR_PROPERTY_RUNS");
  return more == nullptr ? 25 : std::atoi(more);
}

TEST(PusherProperty, WhateverLokiAnswersNothingIsLostRepeatedOrOutOfOrder) {
  std::size_t repeated = 0;
  for (int seed = 1; seed <= runs() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    repeated += Story(static_cast<unsigned>(seed), false).go().repeated;
  }
  EXPECT_GT(repeated, 0U) << "the answers that are lost do not come to anything";
}

TEST(PusherProperty, AndWhereRecordsAreLeftAndReadAgain) {
  std::size_t left = 0;
  for (int seed = 1; seed <= runs() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    left += Story(static_cast<unsigned>(seed) * 1000, true).go().left;
  }
  EXPECT_GT(left, 1000U);
}

}  // namespace
}  // namespace weir::loki
