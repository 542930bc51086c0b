#include "stages/pod_gate.h"

#include "stages/enrich.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/fake_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <thread>

namespace weir::stages {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Lines = std::vector<std::string>;

std::string of(std::string_view uid, int log, int end, std::string_view line, char stream = 'o') {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","metadata":{{"pod_uid":"{}"}},"source":"f.{}.1.{}.{}"}})",
                     line, uid, log, stream, end);
}
std::string plain(std::string_view uid, std::string_view line) {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","metadata":{{"pod_uid":"{}"}}}})", line, uid);
}
std::string spooled(std::string_view uid, int ordinal, std::string_view line) {
  return fmt::format(
      R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","metadata":{{"pod_uid":"{}"}},"source":"b.0000000000000001.1.{}"}})",
      line, uid, ordinal);
}
std::string position(int log, int end) { return fmt::format(R"({{"source":"f.{}.1.o.{}"}})", log, end); }
std::string generation(int log) {
  return fmt::format(R"({{"source":"f.{}.1.o.0","marker":{{"type":"generation","path":"/p{}","log":"/p{}","inode":1,"device":2,)"
                     R"("head_size":3,"head_hash":"00000000000000aa"}}}})",
                     log, log, log);
}
std::string done(int log, int end) {
  return fmt::format(R"({{"source":"f.{}.1.o.{}","marker":{{"type":"done","gone":true}}}})", log, end);
}
const std::string kBegin = R"({"marker":{"type":"begin","checkpoint":"/c"}})";
const std::string kEnd = R"({"marker":{"type":"end"}})";

// The line of a record, the type of a marker, or the place of a position.
std::string shown(const std::string& json) {
  const auto value = [&](std::string_view key) -> std::string {
    const std::size_t at = json.find(key);
    if (at == std::string::npos) return {};
    return json.substr(at + key.size(), json.find('"', at + key.size()) - at - key.size());
  };
  if (std::string line = value("\"line\":\""); !line.empty()) return line;
  if (std::string type = value("\"type\":\""); !type.empty()) return "<" + type + ">";
  return value("\"source\":\"");
}

class Gate : public testing::Test {
 protected:
  void make(PodKnowledgeSpec spec = {}) {
    EnrichSpec enrich;
    enrich.service_name = false;
    fresh(true);
    enrich.pods = pods;
    knowledge = std::make_shared<PodKnowledge>(std::move(spec), pods, *context.context.clock);
    enrich.knowledge = knowledge;
    stages.push_back(std::move(*make_enrich(enrich, context.context)));
    auto owned = std::make_unique<test::Collector>();
    collector = owned.get();
    stages.push_back(std::move(owned));
    outlet = pipeline::make_outlet(stages);
    ASSERT_TRUE(outlet->attach(wake));
  }
  void fresh(bool on) {
    kube::PodsStatus status;
    status.fresh = on;
    pods->set_status(status);
  }
  void put(std::string uid, std::string name, bool excluded = false) {
    kube::Pod pod = test::pod(std::move(uid), "shop", std::move(name));
    pod.excluded = excluded;
    pods->directory().put(std::move(pod));
  }
  void feed(const Lines& lines) {
    pipeline::Batch batch = test::batch_of(lines);
    const auto flow = outlet->emit(batch);
    EXPECT_TRUE(flow) << flow.error().message;
    test::expect_balance(stages.front()->counters());
  }
  base::Monotonic nudge() {
    const auto due = outlet->nudge(context.context.clock->monotonic());
    EXPECT_TRUE(due);
    test::expect_balance(stages.front()->counters());
    return *due;
  }
  // What came out since it was last asked.
  Lines out() {
    const Lines all = collector->all();
    Lines lines;
    for (; read_ < all.size(); ++read_) lines.push_back(shown(all[read_]));
    return lines;
  }
  [[nodiscard]] std::uint64_t metric(std::string_view name, std::string_view label = {}) const {
    return test::value_of(context.registry, name, label);
  }

  test::TestContext context;
  std::shared_ptr<test::FakePods> pods = std::make_shared<test::FakePods>();
  std::shared_ptr<PodKnowledge> knowledge;
  base::Wake wake;
  std::vector<std::unique_ptr<pipeline::Stage>> stages;
  test::Collector* collector = nullptr;
  std::unique_ptr<pipeline::Outlet> outlet;

 private:
  std::size_t read_ = 0;
};

TEST_F(Gate, OnlyTheLogOfAnUnknownPodWaits) {
  make();
  put("known", "web");
  feed({generation(1), of("known", 1, 10, "k1"), generation(2), of("new", 2, 10, "n1"), of("known", 1, 20, "k2"),
        of("new", 2, 20, "n2", 'e')});
  EXPECT_THAT(out(), ElementsAre("<generation>", "k1", "<generation>", "k2"));
  EXPECT_EQ(metric("weir_enrich_waiting_records"), 2U);
  put("new", "db");
  nudge();
  EXPECT_THAT(out(), ElementsAre("n1", "n2"));
  EXPECT_EQ(metric("weir_enrich_waiting_records"), 0U);
  EXPECT_EQ(metric("weir_enrich_waited_records_total", "known"), 2U);
  feed({of("new", 2, 30, "n3")});
  EXPECT_THAT(out(), ElementsAre("n3"));
}

TEST_F(Gate, APodWithAForgedConfigHashDropsNoOtherPodsRecords) {
  const auto of_namespace = [](std::string_view name, std::string_view line) {
    return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{"namespace":"{}","pod":"web"}},)"
                       R"("metadata":{{"pod_uid":"hash"}}}})",
                       line, name);
  };
  make();
  put("hash", "web");
  kube::Pod forged = test::pod("hash", "evil", "web");
  forged.excluded = true;
  pods->directory().put(forged);
  feed({of_namespace("evil", "e1"), of_namespace("shop", "s1"), of_namespace("evil", "e2"), of_namespace("shop", "s2")});
  EXPECT_THAT(out(), ElementsAre("s1", "s2"));
}

TEST_F(Gate, TheDirectoryRingsOnlyWhileSomethingWaits) {
  make();
  put("one", "web");
  pollfd ready{wake.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
  feed({of("new", 1, 10, "n1")});
  put("new", "db");
  EXPECT_EQ(::poll(&ready, 1, 0), 1);
  wake.hear();
  nudge();
  EXPECT_THAT(out(), ElementsAre("n1"));
  put("two", "web");
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
}

TEST_F(Gate, AfterTheWaitTheyGoOnAndNobodyWaitsAgain) {
  make();
  feed({of("new", 1, 10, "n1")});
  const base::Monotonic due = nudge();
  EXPECT_EQ(due, context.clock.monotonic() + 2 * base::kSecond);
  context.clock.advance(base::kSecond);
  feed({of("new", 1, 20, "n2")});
  EXPECT_EQ(nudge(), due);
  EXPECT_THAT(out(), IsEmpty());
  context.clock.advance(base::kSecond);
  EXPECT_EQ(nudge(), base::kNever);
  EXPECT_THAT(out(), ElementsAre("n1", "n2"));
  EXPECT_EQ(metric("weir_enrich_waited_records_total", "unknown"), 2U);
  feed({of("new", 1, 30, "n3")});
  put("other", "web");
  feed({of("new", 1, 40, "n4")});
  EXPECT_THAT(out(), ElementsAre("n3", "n4"));
}

TEST_F(Gate, TheNextBatchComesBehindWhatWaited) {
  make();
  feed({of("new", 1, 10, "n1")});
  put("new", "db");
  feed({of("new", 1, 20, "n2")});
  EXPECT_THAT(out(), ElementsAre("n1", "n2"));
}

TEST_F(Gate, MarkersOfTheLogNeverOvertakeItsRecords) {
  make();
  put("known", "web");
  feed({kBegin, generation(1), of("new", 1, 10, "n1"), position(1, 15), generation(1), position(2, 15), done(1, 20)});
  feed({position(1, 30), done(2, 20), of("known", 2, 40, "k")});
  EXPECT_THAT(out(), ElementsAre("<begin>", "<generation>", "f.2.1.o.15", "<done>", "k"));
  put("new", "db");
  nudge();
  EXPECT_THAT(out(), ElementsAre("n1", "f.1.1.o.15", "<generation>", "<done>", "f.1.1.o.30"));
}

TEST_F(Gate, TheEndOfAStreamComesBehindEverythingOfIt) {
  ASSERT_TRUE(context.stop);
  context.stop->request();  // so that nothing is waited for
  for (const std::string& marker : {kEnd, kBegin}) {
    stages.clear();
    make();
    put("known", "web");
    const std::string uid = marker == kEnd ? "new-1" : "new-2";
    feed({of(uid, 1, 10, "n1"), of("known", 2, 10, "k")});
    EXPECT_EQ(collector->all().size(), 1U);
    feed({of("known", 2, 20, "k2"), of(uid, 1, 20, "n2"), marker, generation(1)});
    const Lines all = collector->all();
    Lines lines;
    for (const std::string& one : all) lines.push_back(shown(one));
    EXPECT_THAT(lines, ElementsAre("k", "k2", "n1", "n2", shown(marker), "<generation>"));
    outlet.reset();
  }
}

// A short stream is one batch, with its end.
TEST_F(Gate, ARecordDoesNotOvertakeTheMarkerThatIntroducesItsLog) {
  make({.wait = base::kMillisecond});
  context.stop->request();
  put("out", "noisy", true);
  put("known", "web");
  feed({kBegin, generation(1), of("new", 1, 10, "n1"), generation(2), of("known", 2, 10, "k1"), of("out", 3, 10, "o1"),
        generation(4), of("newer", 4, 10, "n4"), of("new", 1, 20, "n2"), kEnd});
  EXPECT_THAT(
      out(), ElementsAre("<begin>", "<generation>", "<generation>", "k1", "f.3.1.o.10", "<generation>", "n1", "n2", "n4", "<end>"));
  // Two streams in one batch, whose logs have the same numbers.
  feed({kBegin, generation(1), of("third", 1, 10, "a"), kBegin, generation(1), of("fourth", 1, 10, "b"), kEnd});
  EXPECT_THAT(out(), ElementsAre("<begin>", "<generation>", "a", "<begin>", "<generation>", "b", "<end>"));
  EXPECT_EQ(metric("weir_enrich_waiting_records"), 0U);
}

TEST_F(Gate, FlushAndFinishLetEverythingGo) {
  make();
  feed({of("new", 1, 10, "n1")});
  ASSERT_TRUE(outlet->flush(base::kNever));
  EXPECT_THAT(out(), ElementsAre("n1"));
  feed({of("newer", 2, 10, "n2")});
  EXPECT_THAT(out(), IsEmpty());
  context.stop->request();
  const auto rest = pipeline::make_outlet(std::span(stages).subspan(1));
  ASSERT_TRUE(stages.front()->finish(*rest, base::kNever));
  EXPECT_THAT(out(), ElementsAre("n2"));
  test::expect_balance(stages.front()->counters());
}

TEST_F(Gate, BehindASpoolNothingWaits) {
  make();
  feed({spooled("new", 0, "n1"), R"({"source":"b.0000000000000001.1.1"})"});
  EXPECT_THAT(out(), ElementsAre("n1", "b.0000000000000001.1.1"));
}

TEST_F(Gate, UntrackedRecordsWaitByTheirPod) {
  make();
  put("known", "web");
  feed({plain("new", "n1"), plain("known", "k1"), plain("new", "n2")});
  EXPECT_THAT(out(), ElementsAre("k1"));
  put("new", "db");
  nudge();
  EXPECT_THAT(out(), ElementsAre("n1", "n2"));
}

TEST_F(Gate, ARecordWithoutAPodPasses) {
  make();
  feed({R"({"timestamp":"2024-05-01T10:00:00Z","line":"x","labels":{"job":"cron"}})"});
  EXPECT_THAT(out(), ElementsAre("x"));
}

TEST_F(Gate, ThePodComesFromMetadataPathOrNames) {
  make();
  put("u1", "web", true);
  const std::string time = R"({"timestamp":"2024-05-01T10:00:00Z",)";
  feed({time + R"("line":"uid","metadata":{"pod_uid":"u1"}})",
        time + R"("line":"path","labels":{"filename":"/var/log/pods/shop_web_u1/app/0.log"}})",
        time + R"("line":"metadata path","metadata":{"filename":"/var/log/pods/shop_web_u1/app/0.log"}})",
        time + R"("line":"names","labels":{"namespace":"shop","pod":"web"}})", time + R"("line":"none"})"});
  EXPECT_THAT(out(), ElementsAre("none"));
  EXPECT_EQ(metric("weir_enrich_dropped_records_total", "excluded"), 4U);
}

TEST_F(Gate, ExcludedRecordsLeaveTheirPositions) {
  make();
  put("known", "web");
  put("out", "noisy", true);
  feed({kBegin, generation(1), of("out", 1, 10, "o1"), of("known", 2, 10, "k1"), of("out", 1, 20, "o2"), done(1, 20),
        of("out", 3, 10, "o3")});
  EXPECT_THAT(out(), ElementsAre("<begin>", "<generation>", "k1", "f.1.1.o.20", "<done>", "f.3.1.o.10"));
  EXPECT_EQ(metric("weir_enrich_dropped_records_total", "excluded"), 3U);
}

TEST_F(Gate, AGapOfAnExcludedPodIsDroppedToo) {
  make();
  put("out", "noisy", true);
  feed({R"({"timestamp":"2024-05-01T10:00:00Z","line":"gap","metadata":{"pod_uid":"out","weir_gap_bytes":"12"},)"
        R"("source":"f.1.1.o.10"})"});
  EXPECT_THAT(out(), ElementsAre("f.1.1.o.10"));
}

TEST_F(Gate, WhatWaitedIsDroppedWhenItsPodTurnsOutToBeExcluded) {
  make();
  feed({generation(1), of("out", 1, 10, "o1"), position(1, 15), of("out", 1, 20, "o2")});
  EXPECT_THAT(out(), ElementsAre("<generation>"));
  put("out", "noisy", true);
  nudge();
  EXPECT_THAT(out(), ElementsAre("f.1.1.o.15", "f.1.1.o.20"));
  EXPECT_EQ(metric("weir_enrich_waited_records_total", "excluded"), 2U);
  put("out", "noisy");
  feed({of("out", 1, 30, "o3")});
  EXPECT_THAT(out(), ElementsAre("o3"));
}

TEST_F(Gate, ADropInTheSameBatchDoesNotOvertakeByALogThatGoesOn) {
  make();
  put("out", "noisy", true);
  put("known", "web");
  context.stop->request();
  feed({of("new", 1, 10, "n1")});
  feed({of("known", 2, 10, "k1"), of("out", 3, 10, "o1"), of("known", 2, 20, "k2"), kEnd});
  // The position of log 3 with its own batch; the waiting record before the end.
  EXPECT_THAT(out(), ElementsAre("k1", "k2", "f.3.1.o.10", "n1", "<end>"));
}

TEST_F(Gate, DoneBelowIsSaidAbove) {
  make();
  collector->limit = 1;
  put("known", "web");
  feed({of("new", 1, 10, "n1")});
  put("new", "db");
  pipeline::Batch batch = test::batch_of({of("known", 2, 10, "k1")});
  const auto flow = outlet->emit(batch);
  ASSERT_TRUE(flow);
  EXPECT_EQ(*flow, pipeline::Flow::done);
  EXPECT_THAT(out(), ElementsAre("n1"));
}

// About a megabyte and a half.
Lines much(std::string_view uid, int log) {
  Lines lines;
  for (int i = 0; i < 150; ++i) lines.push_back(of(uid, log, (i + 1) * 10, std::string(5'000, 'x')));
  return lines;
}

class Full : public Gate {
 protected:
  Full() { context.context.clock = &base::Clock::system(); }
  // Feeds too much; `meanwhile` runs once it has to wait.
  void fill(const std::function<void()>& meanwhile) {
    std::thread other([&] {
      while (test::value_of(context.registry, "weir_enrich_waiting_records") < 150) std::this_thread::yield();
      meanwhile();
    });
    feed(much("new", 1));
    other.join();
  }
};

TEST_F(Full, TooMuchHoldsTheChainBackUntilTheWaitIsOver) {
  make({.wait = 300 * base::kMillisecond});
  const auto begun = std::chrono::steady_clock::now();
  feed(much("new", 1));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(300));
  EXPECT_EQ(collector->all().size(), 150U);
  EXPECT_EQ(metric("weir_enrich_waited_records_total", "unknown"), 150U);
}

TEST_F(Full, ItEndsWhenThePodIsKnown) {
  make({.wait = base::kMinute});
  fill([&] { put("new", "db"); });
  EXPECT_EQ(collector->all().size(), 150U);
  EXPECT_EQ(metric("weir_enrich_waited_records_total", "known"), 150U);
}

TEST_F(Full, ItEndsAtAStop) {
  make({.wait = base::kMinute});
  fill([&] { context.stop->request(); });
  EXPECT_EQ(collector->all().size(), 150U);
}

TEST_F(Full, AtTheEndTheWaitIsKept) {
  for (const bool by_marker : {true, false}) {
    const std::string uid = by_marker ? "new-1" : "new-2";
    outlet.reset();
    stages.clear();
    make({.wait = base::kMinute});
    feed({of(uid, 1, 10, "n1")});
    EXPECT_THAT(collector->all(), IsEmpty());
    std::thread other([&] { put(uid, "db", !by_marker); });
    if (by_marker) {
      feed({kEnd});
    } else {
      const auto rest = pipeline::make_outlet(std::span(stages).subspan(1));
      EXPECT_TRUE(stages.front()->finish(*rest, base::kNever));
    }
    other.join();
    Lines lines;
    for (const std::string& one : collector->all()) lines.push_back(shown(one));
    EXPECT_EQ(lines, by_marker ? (Lines{"n1", "<end>"}) : (Lines{"f.1.1.o.10"}));
  }
}

TEST_F(Full, PodsThatAreGoneHoldTheOthersBackForAWhileOnly) {
  make({.wait = base::kSecond});
  auto held_back = [&, log = 0](const std::string& uid) mutable {
    feed(much(uid, ++log));
    // Nobody waits for it any more, or nobody has.
    return knowledge->look({uid, "", ""}, base::Clock::system().monotonic()).state != PodKnowledge::State::awaited;
  };
  for (const char* const uid : {"gone-1", "gone-2", "gone-3"}) EXPECT_TRUE(held_back(uid)) << uid;
  for (const char* const uid : {"gone-4", "gone-5"}) EXPECT_FALSE(held_back(uid)) << uid;
  EXPECT_EQ(collector->all().size(), 5 * 150U);
}

TEST_F(Full, APodThatBecomesKnownIsWorthAWaitAgain) {
  make({.wait = base::kSecond});
  for (int log = 1; log <= 3; ++log) feed(much(fmt::format("gone-{}", log), log));
  feed({of("new", 7, 10, "n1")});
  put("new", "db");
  feed({of("new", 7, 20, "n2")});
  feed(much("gone-4", 4));
  EXPECT_NE(knowledge->look({"gone-4", "", ""}, base::Clock::system().monotonic()).state, PodKnowledge::State::awaited);
  EXPECT_EQ(collector->all().size(), 4 * 150U + 2);
}

TEST_F(Full, LessThanThatDoesNotHoldBack) {
  make({.wait = base::kMinute});
  Lines some = much("new", 1);
  some.resize(50);
  feed(some);
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_EQ(metric("weir_enrich_waiting_records"), 50U);
}

}  // namespace
}  // namespace weir::stages
