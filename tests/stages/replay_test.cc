#include "stages/replay.h"

#include "spool/consumer.h"
#include "spool/reader.h"
#include "spool/rejected_store.h"
#include "stages/buffer.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;

std::string at(int second, std::string_view text, std::string_view rest = "", std::string_view app = "shop") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:{:02}Z","line":"{}","labels":{{"app":"{}"}}{}}})", second, text, app, rest);
}

class ReplayTest : public testing::Test {
 protected:
  std::string path() const { return dir_ / "spool.db"; }

  void store(const std::vector<Lines>& blocks) {
    BufferSpec spec;
    spec.spool.path = path();
    spec.spool.min_free = 0;
    spec.store_only = true;
    auto buffer = make_buffer(spec, test_.context);
    ASSERT_TRUE(buffer) << buffer.error().message;
    const std::vector<std::unique_ptr<pipeline::Stage>> none;
    const auto outlet = pipeline::make_outlet(none);
    for (const Lines& block : blocks) {
      pipeline::Batch batch = test::batch_of(block);
      ASSERT_TRUE((*buffer)->consume(batch, *outlet));
      ASSERT_TRUE((*buffer)->flush(*outlet, base::kNever));
    }
    ASSERT_TRUE((*buffer)->finish(*outlet, base::kNever));
    test::expect_balance((*buffer)->counters());
  }

  struct Lend : pipeline::Stage {
    explicit Lend(test::Collector& to) : to_(to) {}
    base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override { return to_.consume(batch, out); }
    [[nodiscard]] std::string_view name() const override { return "lend"; }
    test::Collector& to_;
  };

  Lines replay(ReplaySpec spec) {
    spec.spool = path();
    auto source = make_replay(spec, test_.context);
    EXPECT_TRUE(source) << source.error().message;
    if (!source) return {};
    test::Collector collector;
    std::vector<std::unique_ptr<pipeline::Stage>> below;
    below.push_back(std::make_unique<Lend>(collector));
    const auto done = (*source)->run(*pipeline::make_outlet(below), *test_.stop);
    EXPECT_TRUE(done) << done.error().message;
    test::expect_balance((*source)->counters());
    EXPECT_EQ((*source)->counters().records_out, collector.lines().size());
    return collector.all();
  }

  std::unique_ptr<spool::Consumer> consumer() {
    auto consumer = spool::Consumer::open({.path = path(), .name = "main", .spool = 0, .match = "", .wait = 0}, test_.clock);
    EXPECT_TRUE(consumer) << consumer.error().message;
    return std::move(*consumer);
  }

  test::TempDir dir_;
  test::TestContext test_;
};

TEST_F(ReplayTest, EverythingComesBackAsItWas) {
  const Lines in = {at(1, "plain"),
                    at(2, R"(tab\tquote\"back\\slash)"),
                    at(3, "ä€😀"),
                    at(4, R"(\udcff\udc80binary)"),
                    at(5, "meta", R"(,"metadata":{"trace":"1","z":""})"),
                    at(6, "tenant", R"(,"tenant":"team-a")"),
                    at(7, "extra", R"(,"mine":[1,{"a":null}],"b":"c")"),
                    R"({"timestamp":"2024-05-01T10:00:08.000000001Z","line":""})"};
  store({in});
  EXPECT_EQ(replay({}), in);
}

TEST_F(ReplayTest, SortsByTimeOverAllBlocks) {
  store({{at(5, "e"), at(1, "a")}, {at(3, "c"), at(6, "f")}, {at(2, "b"), at(4, "d")}});
  EXPECT_EQ(replay({}), (Lines{at(1, "a"), at(2, "b"), at(3, "c"), at(4, "d"), at(5, "e"), at(6, "f")}));
}

TEST_F(ReplayTest, SelectsByLogqlAndTimeAndChangesNothing) {
  const Lines in = {at(1, R"({\"level\":\"info\"})"), at(2, R"({\"level\":\"error\"})", "", "cart"),
                    at(3, R"({\"level\":\"error\"})")};
  store({in});
  EXPECT_EQ(replay({.query = R"({app="shop"})"}), (Lines{in[0], in[2]}));
  EXPECT_EQ(replay({.query = R"(| json | level="error" | line_format "x")"}), (Lines{in[1], in[2]}));
  const base::Timestamp start = 1714557600 * base::kSecond;
  EXPECT_EQ(replay({.range = {start + 2 * base::kSecond, start + 3 * base::kSecond}}), Lines{in[1]});
}

TEST_F(ReplayTest, SaysWhyNothingCameBack) {
  store({{at(1, "one"), at(2, "two", "", "cart")}});
  const base::Timestamp start = 1714557600 * base::kSecond;
  test_.clock.advance(start + 24 * base::kMinute + 2 * base::kSecond - test_.clock.wall());
  const auto f = [this](ReplaySpec spec, std::string_view wanted) {
    spec.spool = path();
    auto source = make_replay(spec, test_.context);
    ASSERT_TRUE(source);
    test::Collector collector;
    std::vector<std::unique_ptr<pipeline::Stage>> below;
    below.push_back(std::make_unique<Lend>(collector));
    const auto done = (*source)->run(*pipeline::make_outlet(below), *test_.stop);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ((*source)->summary(), wanted);
  };
  f({.query = R"({app="shpo"})"}, "nothing is replayed: no app 'shpo' here; did you mean 'shop'?");
  f({.range = {.from = start + base::kMinute}},
    "nothing is replayed: nothing in the last 23 minutes; the newest record is 24 minutes old");
  f({.range = {.to = start}}, "nothing is replayed: nothing before 2024-05-01T10:00:00Z; the oldest record is 24 minutes old");
  f({.query = R"({app="shop"} |= "three")"},
    "nothing is replayed: there are records of these labels in this time, but none passes the rest of the query");
  f({.held = true}, "nothing is replayed: no record is held");
  f({.rejected = true}, "nothing is replayed: no record is rejected");
  f({.query = R"({app="shop"})"}, "replayed 1 record, 3 B");
}

TEST_F(ReplayTest, ByState) {
  store({{at(1, "delivered"), at(2, "undelivered"), at(3, "held", R"(,"held":true)"), at(4, "rejected")}});
  {
    const auto main = consumer();
    main->acknowledge(2, 0, 0);  // the held one has block 1
    const std::string refused = at(4, "rejected", R"(,"rejected":{"status":400})");
    main->reject(2, 2, {.status = 400, .reason = "too old", .record = refused});
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(replay({}), (Lines{at(1, "delivered"), at(2, "undelivered")}));
  EXPECT_EQ(replay({.undelivered = true}), Lines{at(2, "undelivered")});
  EXPECT_EQ(replay({.held = true}), Lines{at(3, "held")});  // the mark is off
  // Behind the marker that tells push where they come from, each with its row.
  const std::uint64_t id = (*spool::Reader::open(path()))->spool();
  const std::string marker = fmt::format(R"({{"marker":{{"type":"rejected","checkpoint":"{}","spool":"{:016x}"}}}})", path(), id);
  const std::string source = fmt::format(R"(,"source":"r.{:016x}.1","rejected":{{"status":400}})", id);
  EXPECT_EQ(replay({.rejected = true}), (Lines{marker, at(4, "rejected", source)}));
  EXPECT_EQ(replay({.query = "|= `nothing`", .rejected = true}), Lines{marker});
  EXPECT_EQ(replay({.undelivered = true, .held = true}).size(), 2U);
}

// Records that were rejected and stay in their block come out with the reason of their range.
TEST_F(ReplayTest, RejectedInTheirBlock) {
  store({{at(1, "old"), at(2, "fine"), at(3, "old too", R"(,"metadata":{"k":"v"})")}});
  {
    const auto main = consumer();
    for (const std::uint32_t ordinal : {0U, 2U})
      main->reject_in_place(1, ordinal, "old", {.status = 400, .reason = "too old", .url = "u", .tenant = "t"});
    ASSERT_TRUE(main->commit());
  }
  const std::uint64_t id = (*spool::Reader::open(path()))->spool();
  const Lines out = replay({.rejected = true});
  ASSERT_EQ(out.size(), 3U);
  const auto rest = [&](std::uint32_t ordinal) {
    return fmt::format(R"(,"source":"r.{:016x}.{}","rejected":{{"reason":"too old","status":400,"url":"u","tenant":"t",)"
                       R"("time":"2025-10-09T08:53:20Z"}})",
                       id, spool::number_of_place({1, ordinal}));
  };
  EXPECT_EQ(out[1], at(1, "old", rest(0)));
  EXPECT_EQ(out[2], at(3, "old too", R"(,"metadata":{"k":"v"})" + rest(2)));
  EXPECT_EQ(replay({.query = "|= `too`", .rejected = true}).size(), 2U);
  EXPECT_EQ(replay({}), Lines{at(2, "fine")});
}

TEST_F(ReplayTest, RetimeKeepsTheOldTimeAndTheOrder) {
  store({{at(1, "a"), at(2, "b")}});
  const Lines out = replay({.retime = true});
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0], R"({"timestamp":"2025-10-09T08:53:20Z","line":"a","labels":{"app":"shop"},)"
                    R"("metadata":{"weir_original_timestamp":"2024-05-01T10:00:01Z"}})");
  EXPECT_EQ(out[1], R"({"timestamp":"2025-10-09T08:53:20.000000001Z","line":"b","labels":{"app":"shop"},)"
                    R"("metadata":{"weir_original_timestamp":"2024-05-01T10:00:02Z"}})");
}

TEST_F(ReplayTest, RandomBlocksComeOutSorted) {
  std::mt19937 random(4);
  std::vector<Lines> blocks;
  Lines all;
  for (int block = 0; block < 30; ++block) {
    Lines lines;
    for (int i = 0; i < 50; ++i) lines.push_back(at(static_cast<int>(random() % 60), fmt::format("{}-{}", block, i)));
    all.insert(all.end(), lines.begin(), lines.end());
    blocks.push_back(std::move(lines));
  }
  store(blocks);
  std::ranges::stable_sort(all, {}, [](const std::string& json) { return json.substr(0, 35); });
  EXPECT_EQ(replay({}), all);
}

TEST_F(ReplayTest, StoppedInAPauseItSaysWhatItHasReplayed) {
  store({{at(1, "a"), at(3, "b"), at(4, "c")}});
  pipeline::Context real = test_.context;
  real.clock = &base::Clock::system();
  auto source = make_replay({.spool = path(), .speed = 0.001}, real);
  ASSERT_TRUE(source);
  struct Stopping : pipeline::Stage {
    explicit Stopping(base::Stop& to) : stop(to) {}
    base::Result<pipeline::Flow> consume(pipeline::Batch&, pipeline::Outlet&) override { return pipeline::Flow::more; }
    base::Result<base::Monotonic> nudge(base::Monotonic, pipeline::Outlet&) override {
      stop.request();
      return base::kNever;
    }
    [[nodiscard]] std::string_view name() const override { return "stopping"; }
    base::Stop& stop;
  };
  std::vector<std::unique_ptr<pipeline::Stage>> below;
  below.push_back(std::make_unique<Stopping>(*test_.stop));
  ASSERT_TRUE((*source)->run(*pipeline::make_outlet(below), *test_.stop));
  const pipeline::Counters counters = (*source)->counters();
  EXPECT_EQ(counters.records_in, 3U);
  EXPECT_EQ(counters.records_out, 1U);
  EXPECT_EQ(counters.in_flight, 2U);
  test::expect_balance(counters);
  EXPECT_EQ((*source)->summary(), "replayed 1 record, 1 B");
}

TEST_F(ReplayTest, AtItsOwnSpeedTheRecordsKeepTheirDistance) {
  store({{at(1, "a"), at(1, "b"), at(3, "c")}});
  ReplaySpec spec;
  spec.spool = path();
  spec.speed = 100;
  pipeline::Context real = test_.context;
  real.clock = &base::Clock::system();
  auto source = make_replay(spec, real);
  ASSERT_TRUE(source);
  test::Collector collector;
  std::vector<std::unique_ptr<pipeline::Stage>> below;
  below.push_back(std::make_unique<Lend>(collector));
  const base::Monotonic before = real.clock->monotonic();
  ASSERT_TRUE((*source)->run(*pipeline::make_outlet(below), *test_.stop));
  EXPECT_GE(real.clock->monotonic() - before, 20 * base::kMillisecond);
  EXPECT_EQ(collector.batches(), 2U);
}

TEST_F(ReplayTest, FailsAtOnceForABadQueryOrSpool) {
  EXPECT_EQ(make_replay({.spool = path()}, test_.context).error().code, base::Code::io);
  store({{at(1, "a")}});
  EXPECT_EQ(make_replay({.spool = path(), .query = "{app="}, test_.context).error().code, base::Code::config);
}

}  // namespace
}  // namespace weir::stages
