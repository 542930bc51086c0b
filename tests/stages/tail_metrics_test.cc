// Through a tail that follows, since readers belong to one.
#include "stages/tail_metrics.h"

#include "stages/tail_source.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace weir::stages {
namespace {

// Takes everything, or blocks, and then answers who asks, as a stage does that waits.
class Tap : public pipeline::Stage {
 public:
  Tap(metrics::Driver& driver, base::Stop& stop) : driver_(driver), stop_(stop) {}
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet&) override {
    std::unique_lock lock(mutex_);
    const metrics::Wait waits(&driver_, metrics::On::output);
    while (shut_ && !stop_.stopped()) {
      is_blocked_ = true;
      changed_.wait_for(lock, std::chrono::milliseconds(5));
      driver_.answer(base::Clock::system().monotonic());
    }
    is_blocked_ = false;
    for (const record::Record& record : batch.records) taken_ += record.is_marker() ? 0 : 1;
    return pipeline::Flow::more;
  }
  [[nodiscard]] std::string_view name() const override { return "tap"; }
  void set(bool shut) {
    const std::lock_guard lock(mutex_);
    shut_ = shut;
    changed_.notify_all();
  }
  [[nodiscard]] std::uint64_t taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  [[nodiscard]] bool is_blocked() {
    const std::lock_guard lock(mutex_);
    return is_blocked_;
  }

 private:
  metrics::Driver& driver_;
  base::Stop& stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false, is_blocked_ = false;
  std::uint64_t taken_ = 0;
};

class TailMetricsTest : public testing::Test {
 protected:
  TailMetricsTest() {
    test_.context.clock = &base::Clock::system();
    test_.context.driver = &driver_;
    auto tap = std::make_unique<Tap>(driver_, *test_.stop);
    tap_ = tap.get();
    chain_.push_back(std::move(tap));
  }
  ~TailMetricsTest() override {
    test_.stop->request();
    if (thread_.joinable()) thread_.join();
    source_.reset();
  }
  void start() {
    TailSpec spec;
    spec.inputs = {dir_ / "pods"};
    spec.read.follow = true;
    spec.times.gather = spec.times.spacing = 5 * base::kMillisecond;
    source_ = make_tail_source(std::move(spec), test_.context);
    thread_ = std::thread([this] { EXPECT_TRUE(pipeline::run_chain(*source_, chain_, test_.context).ended); });
  }
  void write(const std::string& pod, const std::string& text, int lines) {
    const std::filesystem::path log = (dir_ / "pods") + ("/shop_" + pod + "_uid-" + pod + "/app/0.log");
    std::filesystem::create_directories(log.parent_path());
    std::ofstream(log, std::ios::app) << [&] {
      std::string all;
      for (int i = 0; i < lines; ++i) all += "2024-05-01T10:00:00Z stdout F " + text + "\n";
      return all;
    }();
  }
  template <typename Condition>
  void wait_for(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never held";
      test_.registry.ask(10 * base::kMillisecond);
    }
  }
  [[nodiscard]] std::optional<std::uint64_t> value(std::string_view name, const std::string& pod = {}) const {
    const std::string row = pod.empty() ? ""
                                        : "shop\x1f" + pod +
                                              "\x1f"
                                              "app";
    for (const metrics::Sample& sample : test_.registry.read())
      if (sample.metric->name == name && sample.label_value == row) return sample.value;
    return std::nullopt;
  }

  test::TempDir dir_;
  test::TestContext test_;
  metrics::Driver driver_{test_.registry, base::Clock::system(), "chain"};
  Tap* tap_ = nullptr;
  std::vector<std::unique_ptr<pipeline::Stage>> chain_;
  std::unique_ptr<pipeline::Source> source_;
  std::thread thread_;
};

TEST_F(TailMetricsTest, SaysHowFarEachLogIsBehindWhileTheChainIsBlocked) {
  write("a", "first", 3);
  write("b", "first", 3);
  start();
  wait_for([&] { return tap_->taken() == 6; });
  wait_for([&] { return value("weir_tail_logs") == 2; });
  EXPECT_EQ(value("weir_tail_unread_bytes"), 0U);
  EXPECT_EQ(value("weir_tail_oldest_unread_seconds"), 0U);
  EXPECT_FALSE(value("weir_tail_log_unread_bytes", "a"));

  tap_->set(true);
  write("a", "blocks", 1);
  wait_for([&] { return tap_->is_blocked(); });
  write("a", "more", 1000);
  write("b", "more", 10);
  const std::uint64_t line = std::string_view("2024-05-01T10:00:00Z stdout F more\n").size();
  wait_for([&] { return value("weir_tail_unread_bytes") == 1010 * line; });
  EXPECT_EQ(value("weir_tail_log_unread_bytes", "a"), 1000 * line);
  EXPECT_EQ(value("weir_tail_log_unread_bytes", "b"), 10 * line);
  EXPECT_GT(*value("weir_tail_log_lag_seconds", "a"), static_cast<std::uint64_t>(365 * 24 * base::kHour)) << "by the line's time";
  EXPECT_EQ(value("weir_tail_oldest_unread_seconds") >= value("weir_tail_log_lag_seconds", "a"), true);

  tap_->set(false);
  wait_for([&] { return tap_->taken() == 1017; });
  wait_for([&] { return value("weir_tail_unread_bytes") == 0; });
  EXPECT_EQ(value("weir_tail_log_unread_bytes", "a"), 0U) << "it stays for a while";
  EXPECT_EQ(value("weir_tail_log_lag_seconds", "a"), 0U);
}

// Logs that are read by hand.
struct Logs {
  explicit Logs(test::TempDir& dir) : inputs{dir / "pods"} {}
  void read_all() {
    set.open_some();
    for (tail::Reader* const reader : readers) queue.add(*reader);
    while (!queue.empty()) {
      record::Batch batch;
      tail::Space space{batch.allocate(tail::LogReader::space_needed(options)), tail::LogReader::space_needed(options), true};
      readers.insert(queue.read(batch, space).reader);
    }
  }
  const std::vector<std::string> inputs;
  test::FakeClock clock;
  test::RememberingDiagnostics diagnostics;
  tail::Selection selection;
  tail::Start start;
  tail::ReadOptions options{.follow = true};
  tail::LogRoots roots;
  tail::ReadStats stats;
  tail::TroubleReport troubles{options, stats, diagnostics};
  tail::HeldFiles held{1 << 30, diagnostics};
  tail::ReaderQueue queue;
  std::set<tail::Reader*> readers;
  tail::LogSet set{{inputs, selection, start, options, roots, stats, troubles, held, queue, diagnostics, clock}};
};

TEST_F(TailMetricsTest, SaysWhichLogsGrowMostByWhatTheyWroteSinceTheLastLook) {
  for (int pod = 0; pod < 30; ++pod) write("p" + std::to_string(pod), "a line", 1);
  Logs logs(dir_);
  metrics::Block block(&test_.registry);
  TailMetrics shown(block);
  const auto look = [&](base::Duration later) {
    logs.clock.advance(later);
    shown.look(&logs.set, {}, logs.clock.monotonic(), logs.clock.wall());
  };
  logs.read_all();
  look(0);
  EXPECT_EQ(value("weir_tail_logs"), 30U);
  EXPECT_FALSE(value("weir_tail_log_rate_bytes", "p1")) << "one look gives no rate";

  const std::uint64_t line = std::string_view("2024-05-01T10:00:00Z stdout F a line\n").size();
  for (int pod = 0; pod < 10; ++pod) write("p" + std::to_string(pod), "a line", pod * 20);
  look(5 * base::kSecond);
  EXPECT_FALSE(value("weir_tail_log_rate_bytes", "p9")) << "too soon";
  look(15 * base::kSecond);
  for (int pod = 5; pod < 10; ++pod) EXPECT_EQ(value("weir_tail_log_rate_bytes", "p" + std::to_string(pod)), pod * line) << pod;
  EXPECT_FALSE(value("weir_tail_log_rate_bytes", "p4")) << "five are shown";

  // What was written stays written when it is read.
  logs.read_all();
  write("p1", "a line", 50);
  look(10 * base::kSecond);
  EXPECT_EQ(value("weir_tail_log_rate_bytes", "p1"), 5 * line);
  EXPECT_EQ(value("weir_tail_log_rate_bytes", "p9"), 0U) << "it stays for a while";
}

}  // namespace
}  // namespace weir::stages
