// A pusher over a transport that keeps its requests until the test answers them, on a clock that the test sets.
#pragma once

#include "loki/pusher.h"
#include "support/collect.h"
#include "support/fake_clock.h"
#include "support/fake_loki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>

namespace weir::loki {

using record::LabelSet;
using record::LabelSetRef;
using Strings = std::vector<std::string>;

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
  void fail(std::size_t index = 0, base::Code code = base::Code::network) {
    Flight flight = take(index);
    flight.completion(base::fail(code, "cannot reach http://loki: Connection refused"));
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
  ~PusherTest() override {
    if (pusher_) {
      const PusherStats stats = pusher_->stats();
      EXPECT_EQ(stats.taken, stats.records + stats.rejected + stats.pending);
    }
    pusher_.reset();
  }

  void start() {
    pusher_ = std::make_unique<Pusher>(config_, clock_, diagnostics_, nullptr, &ledger_);
    pusher_->attach(transport_);
  }
  Pusher& pusher() {
    if (!pusher_) start();
    return *pusher_;
  }

  record::Record record_of(const std::string& app, std::string_view line, base::Duration age = 0, std::string_view tenant = "") {
    LabelSetRef& labels = sets_[app];
    if (!labels) labels = LabelSet::intern({{"app", app}});
    record::Record record;
    record.timestamp = clock_.wall() - age;
    record.labels = labels.get();
    record.line = record::Text::bytes(line);
    record.tenant = tenant;
    return record;
  }
  base::Result<StreamNumber> try_add(const std::string& app, std::string_view line, base::Duration age = 0,
                                     std::string_view tenant = "") {
    return pusher().add(record_of(app, line, age, tenant), next_token_++);
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
  // Answers whatever flies, and what flies then, `status_of` each; "" goes with 204.
  void answer_all(const std::function<int(const std::string&)>& status_of) {
    for (int i = 0; i < 10'000 && !transport_.flights.empty(); ++i) {
      const int status = status_of(show(transport_.flights.front()));
      transport_.answer(status, status == 500 ? "rpc error: code = Unknown desc = panic" : "");
    }
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

}  // namespace weir::loki
