// buffer and releases: what other processes ask for, and what `release` markers ask for, goes downstream once.
#include "stages/buffer_release.h"

#include "scan/held_selection.h"
#include "spool/inspection.h"
#include "stages/buffer.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;

std::string line(int number, bool held) {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{"app":"shop"}}{}}})", number,
                     held ? R"(,"held":true)" : "");
}

std::string marker(std::string_view type, std::string_view id, std::string_view rest = "") {
  return fmt::format(R"({{"marker":{{"type":"{}","release":"{}"{}}}}})", type, id, rest);
}

class BufferReleaseTest : public testing::Test {
 protected:
  BufferReleaseTest() {
    spec_.spool.path = dir_ / "spool.db";
    spec_.spool.min_free = 0;
    spec_.spool.wait = 0;
    spec_.release_jitter = 0;
    spec_.release_rate = 0;
  }

  void begin() {
    auto made = make_buffer(spec_, test_.context);
    ASSERT_TRUE(made) << made.error().message;
    stage_ = std::move(*made);
    outlet_.reset();
    below_.clear();
    auto below = std::make_unique<test::Collector>();
    collector_ = below.get();
    below_.push_back(std::move(below));
    outlet_ = pipeline::make_outlet(below_);
    ASSERT_TRUE(stage_->attach(wake_));
  }
  void take(const Lines& lines) {
    pipeline::Batch batch = test::batch_of(lines);
    ASSERT_TRUE(stage_->consume(batch, *outlet_));
  }
  void nudge() { ASSERT_TRUE(stage_->nudge(test_.clock.monotonic(), *outlet_)); }
  void flush() {
    auto flushed = stage_->flush(*outlet_, base::kNever);
    ASSERT_TRUE(flushed) << flushed.error().message;
  }
  void finish() {
    ASSERT_TRUE(stage_->finish(*outlet_, base::kNever));
    test::expect_balance(stage_->counters());
    stage_.reset();
  }
  // As the chain would: nudges until it holds.
  void until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      test_.clock.advance(base::kSecond);
      nudge();
      flush();
    }
    ASSERT_TRUE(holds());
  }
  std::size_t delivered() {
    std::size_t count = 0;
    for (const std::string& json : collector_->lines()) count += json.find("weir_release") != std::string::npos ? 1 : 0;
    return count;
  }
  spool::ReleaseStatus status(const std::string& id) {
    auto status = spool::read_status(spec_.spool.path);
    EXPECT_TRUE(status);
    for (const spool::ReleaseStatus& one : status->releases) {
      if (one.id == id) return one;
    }
    return {};
  }
  void ask(const std::string& id) {
    auto asked = scan::ask_for_release(spec_.spool.path, {id, "", {}}, 0, test_.clock, test_.diagnostics, nullptr);
    ASSERT_TRUE(asked) << asked.error().message;
  }

  test::TempDir dir_;
  test::TestContext test_;
  BufferSpec spec_;
  test::Collector* collector_ = nullptr;
  std::vector<std::unique_ptr<pipeline::Stage>> below_;
  base::Wake wake_;
  std::unique_ptr<pipeline::Outlet> outlet_;
  std::unique_ptr<pipeline::Stage> stage_;
};

TEST_F(BufferReleaseTest, WhatIsAskedForWhileItRunsIsDelivered) {
  begin();
  take({line(1, true), line(2, false), line(3, true)});
  flush();
  EXPECT_EQ(delivered(), 0U);
  ask("one");
  until([&] { return delivered() == 2; });
  ask("two");
  flush();
  nudge();
  flush();
  finish();
  EXPECT_EQ(delivered(), 2U);
  EXPECT_EQ(status("one").state, "released");
  EXPECT_EQ(status("two").matched, 0U);
}

TEST_F(BufferReleaseTest, ARingWakesTheChain) {
  begin();
  nudge();
  EXPECT_EQ(wake_.fd(), -1) << "nothing is held, so nothing may be watched";
  take({line(1, true)});
  flush();
  nudge();
  ASSERT_NE(wake_.fd(), -1);
  pollfd woken = {wake_.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&woken, 1, 0), 0);
  ask("one");
  EXPECT_EQ(::poll(&woken, 1, 60'000), 1);
  wake_.hear();
  nudge();
  flush();
  EXPECT_EQ(delivered(), 1U);
  finish();
}

TEST_F(BufferReleaseTest, WhatWasAskedForBeforeTheStartIsDelivered) {
  begin();
  take({line(1, true), line(2, true)});
  finish();
  ask("one");
  begin();
  until([&] { return delivered() == 2; });
  finish();
}

TEST_F(BufferReleaseTest, AMarkerAsksOnce) {
  begin();
  take({line(1, true), line(2, false)});
  take({marker("release", "rule", R"(,"query":"{app=\"shop\"}")")});
  until([&] { return delivered() == 1; });
  take({line(3, true), marker("release", "rule", R"(,"query":"{app=\"shop\"}")")});
  for (int i = 0; i < 5; ++i) {
    test_.clock.advance(base::kSecond);
    nudge();
    flush();
  }
  finish();
  EXPECT_EQ(delivered(), 1U);
  EXPECT_EQ(status("rule").released, 1U);
  for (const std::string& json : collector_->all()) EXPECT_EQ(json.find("\"type\":\"release"), std::string::npos) << json;
}

TEST_F(BufferReleaseTest, AMarkerIsActedOnAfterARandomWait) {
  spec_.release_jitter = base::kHour;
  begin();
  take({line(1, true), marker("release", "rule", R"(,"query":"")")});
  auto due = stage_->nudge(test_.clock.monotonic(), *outlet_);
  ASSERT_TRUE(due);
  EXPECT_TRUE(status("rule").id.empty());
  test_.clock.advance(base::kHour);
  until([&] { return delivered() == 1; });
  finish();
}

TEST_F(BufferReleaseTest, ARemovedRuleStopsWhatIsUnsent) {
  spec_.release_rate = 1024;
  begin();
  for (int i = 0; i < 4; ++i) {
    take({line(i, true)});
    flush();
  }
  ask("rule");
  nudge();
  take({marker("release_ended", "rule")});
  flush();
  const std::size_t before = delivered();
  EXPECT_LT(before, 4U);
  EXPECT_EQ(status("rule").state, "cancelled");
  EXPECT_EQ(status("rule").pending, 0U);
  test_.clock.advance(base::kHour);
  nudge();
  flush();
  finish();
  EXPECT_EQ(delivered(), before);
}

TEST_F(BufferReleaseTest, ARemovedRuleThatWasNotActedOnYetDoesNothing) {
  spec_.release_jitter = base::kHour;
  begin();
  take({line(1, true), marker("release", "rule", R"(,"query":"")"), marker("release_ended", "rule")});
  test_.clock.advance(2 * base::kHour);
  nudge();
  flush();
  finish();
  EXPECT_EQ(delivered(), 0U);
  EXPECT_TRUE(status("rule").id.empty());
}

TEST_F(BufferReleaseTest, ABadMarkerIsSaidAndHarmsNothing) {
  begin();
  take({line(1, true), marker("release", "rule", R"(,"query":"{app=")"), marker("release", "a b", R"(,"query":"")")});
  for (const std::string_view id : {"'rule'", "'a b'"}) {
    until([&] {
      return std::ranges::any_of(test_.diagnostics.said(),
                                 [&](const std::string& text) { return text.starts_with(fmt::format("cannot release {}", id)); });
    });
  }
  finish();
  EXPECT_EQ(delivered(), 0U);
}

TEST_F(BufferReleaseTest, WithSpillAsWell) {
  spec_.spill = true;
  spec_.spill_limits.end_wait = 0;
  begin();
  take({line(1, true), line(2, false)});
  flush();
  take({line(3, true)});
  take({marker("release", "rule", R"(,"query":"")")});
  until([&] { return delivered() == 2; });
  finish();
}

}  // namespace
}  // namespace weir::stages
