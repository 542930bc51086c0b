// A machine that loses power at a random write: the file is never damaged, what --sync full called stored is there, and positions
// say exactly what the blocks hold.
#include "spool/inspection.h"
#include "spool_fixture.h"
#include "support/power_loss_vfs.h"

namespace weir::spool {
namespace {

constexpr unsigned kSeeds = 250;
constexpr const char* kLog = "/pods/a/0.log";

class PowerLossTest : public SpoolTest {
 protected:
  struct Seen {
    std::uint64_t stored = 0;        // append() said so before the power went
    std::uint64_t acknowledged = 0;  // commit() was called for it, at least
  };

  static void announce(Keeper& keeper) {
    record::Marker marker;
    marker.type = record::Marker::Type::generation;
    marker.log_key = marker.file.path = kLog;
    marker.file.inode = 5;
    marker.file.head_size = 3;
    marker.file.head_hash = 99;
    record::Record record;
    record.marker = &marker;
    record.source = record::Source::in_file(1, 1, 0, 0);
    ASSERT_TRUE(keeper.track(record));
  }

  static WriterOptions options_in(const std::string& path, Sync sync) {
    WriterOptions options;
    options.path = path;
    options.sync = sync;
    options.max_size = 8 << 20;
    options.min_free = 0;
    options.wait = 0;
    return options;
  }

  // Stores record n, which ends at offset n of its log, in block n, until the power goes.
  Seen work(const std::string& path, Sync sync, unsigned seed, const test::PowerLossVfs& power) {
    Seen seen;
    std::mt19937 random(seed);
    auto writer = Writer::open(options_in(path, sync), clock_, nullptr);
    if (!writer) return seen;
    auto keeper = (*writer)->load_keeper();
    EXPECT_TRUE(keeper);
    announce(*keeper);
    std::unique_ptr<Consumer> main;
    const bool consumes = seed % 3 != 0;
    for (std::uint64_t n = 1; n <= 120 && !power.cut(); ++n) {
      clock_.advance(base::kSecond);
      keeper->advance(record::Source::in_file(1, 1, 0, n));
      BlockBuilder builder;
      fill(builder, {{std::to_string(n) + ":" + noise_.substr(random() % noise_.size() / 2, 2000 + random() % 120'000)}});
      auto appended = (*writer)->append(builder, &*keeper);
      EXPECT_TRUE(appended) << appended.error().message;
      if (power.cut()) break;
      seen.stored = n;
      if (consumes && !main) main = consumer_of(path);
      if (main && random() % 4 == 0) {
        acknowledge_before(*main, n, 1);
        seen.acknowledged = n;
        EXPECT_TRUE(main->commit());
      }
      Appended evicted;
      if (random() % 16 == 0) {
        EXPECT_TRUE((*writer)->maintain(evicted));
      }
    }
    return seen;
  }

  const std::string noise_ = noise(1 << 20, 1);

  std::unique_ptr<Consumer> consumer_of(const std::string& path) {
    auto consumer = Consumer::open({.path = path, .name = "main", .spool = 0, .match = "", .wait = 0}, clock_);
    EXPECT_TRUE(consumer) << consumer.error().message;
    return consumer ? std::move(*consumer) : nullptr;
  }

  void check(const std::string& path, Sync sync, const Seen& seen) {
    auto writer = Writer::open(options_in(path, sync), clock_, nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    const Report report = (*writer)->take_report();
    EXPECT_TRUE(report.sentences.empty()) << report.sentences.front();
    auto checked = check_spool(path, 0);
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_TRUE(checked->problems.empty()) << checked->problems.front();

    auto reader = Reader::open(path, 0);
    ASSERT_TRUE(reader) << reader.error().message;
    std::uint64_t last = 0;
    const auto blocks = (*reader)->list({});
    ASSERT_TRUE(blocks);
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      ASSERT_TRUE((*reader)->load(block.id, {}, batch));
      ASSERT_EQ(batch.records.size(), 1U);
      const std::uint64_t n = std::stoull(std::string(batch.records[0].line.data.substr(0, 8)));
      if (last != 0) {
        EXPECT_EQ(n, last + 1) << "a hole";
      }
      last = n;
    }
    if (sync == Sync::full) {
      EXPECT_GE(last, seen.stored);
    }
    const auto positions = read_positions(path, 0);
    ASSERT_TRUE(positions) << positions.error().message;
    const auto log = positions->find(kLog);
    EXPECT_EQ(log == positions->end() ? 0 : log->second.resume.offset, last) << "positions and records differ";
    const auto places = (*reader)->acknowledged("main");
    ASSERT_TRUE(places);
    if (*places) {
      EXPECT_LE((*places)->before().block, seen.acknowledged + 1);
    }
  }
};

TEST_F(PowerLossTest, NothingIsDamagedAndPositionsAreExact) {
  unsigned cuts = 0;
  for (unsigned seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const Sync sync = seed % 2 == 0 ? Sync::normal : Sync::full;
    const test::TempDir before, after;
    Seen seen;
    bool cut = false;
    {
      test::PowerLossVfs power(seed);
      std::mt19937 random(seed * 7919);
      power.cut_after(1 + static_cast<int>(random() % (seed % 4 == 0 ? 6000 : 900)));
      seen = work(before / "spool.db", sync, seed, power);
      cut = power.cut();
      power.restore();
      if (cut) power.leave(after.path());
    }
    if (!cut) continue;
    ++cuts;
    check(after / "spool.db", sync, seen);
  }
  EXPECT_GT(cuts, kSeeds * 3 / 4);
}

}  // namespace
}  // namespace weir::spool
