// Push behind a spool, stopped, killed and started again at random, with a Loki that limits streams and fails at random: nothing is
// lost, the order of each stream is kept, and what was acknowledged is not sent again.
#include "spool/inspection.h"
#include "spool/reader.h"
#include "spool/writer.h"
#include "stages/filter.h"
#include "stages/push.h"
#include "stages/spool_source.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/fake_loki.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

namespace weir::stages {
namespace {

// Passes batches on until it has had enough, and then says so, or calls for a stop.
class Interruption : public pipeline::Outlet {
 public:
  Interruption(pipeline::Stage& stage, std::size_t after, base::Stop& stop, int signals)
      : stage_(stage), left_(after), stop_(stop), signals_(signals) {}
  base::Result<pipeline::Flow> emit(pipeline::Batch& batch) override {
    if (left_ < batch.records.size()) {
      if (signals_ == 0) return pipeline::Flow::done;  // killed
      while (signals_ > 0) {
        stop_.request();
        --signals_;
      }
    }
    left_ -= std::min(left_, batch.records.size());
    return stage_.consume(batch, *this);
  }
  base::Result<base::Monotonic> nudge(base::Monotonic now) override { return stage_.nudge(now, *this); }
  base::Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }

 private:
  pipeline::Stage& stage_;
  std::size_t left_;
  base::Stop& stop_;
  int signals_;
};

class Story {
 public:
  explicit Story(unsigned seed) : random_(seed), spool_(dir_ / "spool.db") {
    store();
    loki_.decide([this](const test::PushedRequest& request) { return answer(request); });
  }

  void tell() {
    bool delivered = false;
    for (int run = 0; run < 12 && !delivered; ++run) {
      calm_ = run >= 5;
      delivered = deliver(run);
    }
    EXPECT_TRUE(delivered);
    check();
  }

 private:
  static constexpr int kApps = 6;

  void store() {
    auto writer = spool::Writer::open({.path = spool_, .min_free = 0}, base::Clock::system(), nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    spool::BlockBuilder builder;
    int number = 0;
    for (int b = 0; b < 60; ++b) {
      pipeline::Batch batch;
      for (int i = 0; i < 40; ++i) {
        const int app = static_cast<int>(std::min({random_() % kApps, random_() % kApps}));
        record::Record record;
        record.timestamp = base::Clock::system().wall() + number;
        record.labels = batch.hold(record::LabelSet::intern({{"app", std::to_string(app)}}));
        const std::string text =
            fmt::format("{} {}", number, std::string(1000 + random_() % 1500, static_cast<char>('a' + random_() % 26)));
        record.line = record::Text::bytes(batch.copy(text));
        builder.add(record);
        want_[fmt::format(" {{app=\"{}\"}}", app)].push_back(number++);
      }
      ASSERT_TRUE((*writer)->append(builder, nullptr));
      builder.take();
    }
    ASSERT_TRUE((*writer)->close());
    records_ = number;
  }

  test::ScriptedReply answer(const test::PushedRequest& request) {
    const std::lock_guard lock(mutex_);
    const auto& named = request.streams[random_() % request.streams.size()].labels;
    if (!calm_ && limited_.contains(named) && random_() % 8 != 0)
      return {429, fmt::format("maximum active stream limit exceeded when trying to create stream {}, reduce", named)};
    const unsigned dice = calm_ ? 99 : random_() % 100;
    if (dice < 4) limited_.insert(named);
    if (dice >= 4 && dice < 8) limited_.erase(limited_.begin(), limited_.end());
    if (dice >= 8 && dice < 11) return {503, "shutting down"};
    if (dice >= 11 && dice < 14) {
      // Not stored, as far as lines() goes; the connection breaks.
      return {0};
    }
    return {};
  }

  // The server of the run before may still be answering somebody who has left.
  std::uint64_t dice() {
    const std::lock_guard lock(mutex_);
    return random_();
  }

  // True when everything was delivered in this run.
  bool deliver(int run) {
    auto stop = std::move(*base::Stop::create());
    pipeline::Context context = test_.context;
    context.clock = &base::Clock::system();
    context.stop = stop.get();
    PushSpec spec;
    spec.http.base = *http::parse_url(loki_.url());
    spec.backoff = {.base = 5 * base::kMillisecond, .ceiling = 10 * base::kMillisecond};
    spec.memory = 256 << 10;
    auto push = make_push(spec, context);
    EXPECT_TRUE(push);
    auto source = make_spool_source({.spool = spool_, .consumer = "main", .follow = false}, context);
    EXPECT_TRUE(source);
    const int kind = run == 11 ? 3 : static_cast<int>(dice() % 4);  // killed, one signal, two signals, to the end
    const std::size_t after = kind == 3 ? ~std::size_t{0} : dice() % static_cast<std::size_t>(records_);
    Interruption outlet(**push, after, *stop, kind);
    auto ran = (*source)->run(outlet, *stop);
    EXPECT_TRUE(ran || ran.error().code == base::Code::interrupted) << ran.error().message;
    const bool killed = kind == 0;
    if (!killed) {
      auto finished = (*push)->finish(outlet, base::kNever);
      EXPECT_TRUE(finished || finished.error().code == base::Code::interrupted) << finished.error().message;
      test::expect_balance((*push)->counters());
    }
    push->reset();
    // Of a run that was killed, the last second's acknowledgements are lost; so is what was on its way when a second signal came.
    if (killed || kind == 2) forgetful_ = true;
    if (!forgetful_) {
      orderly_ = loki_.requests().size();
    }
    return kind == 3 && ran;
  }

  void check() {
    const auto status = spool::read_status(spool_);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->undelivered, 0U);
    EXPECT_EQ(status->consumers.at(0).behind_records, 0U);
    std::map<std::string, std::vector<int>> got;
    std::set<std::pair<std::string, int>> seen;
    std::size_t at = 0;
    for (const auto& request : loki_.requests()) {
      ++at;
      if (request.status != 204) continue;
      for (const auto& stream : request.streams) {
        for (const auto& entry : stream.entries) {
          const int number = std::stoi(entry.line);
          const bool fresh = seen.insert({stream.labels, number}).second;
          if (fresh) got[" " + stream.labels].push_back(number);
          EXPECT_TRUE(fresh || at > orderly_) << number << " was acknowledged and sent again";
        }
      }
    }
    EXPECT_EQ(got, want_);
    EXPECT_EQ(loki_.most_of_one_stream(), 1);
  }

  std::mt19937 random_;
  std::mutex mutex_;
  test::TempDir dir_;
  test::TestContext test_;
  test::FakeLoki loki_;
  std::string spool_;
  std::map<std::string, std::vector<int>> want_;
  std::set<std::string> limited_;
  std::atomic<bool> calm_ = false;
  bool forgetful_ = false;
  std::size_t orderly_ = 0;  // requests up to here belong to runs that ended in good order
  int records_ = 0;
};

TEST(PushRestart, NothingIsLostOrRepeatedWhereverItStops) {
  const char* more = std::getenv("WEIR_PROPERTY_RUNS");
  const int runs = more == nullptr ? 12 : std::atoi(more);
  for (int seed = 1; seed <= runs && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Story(static_cast<unsigned>(seed)).tell();
  }
}

}  // namespace
}  // namespace weir::stages
