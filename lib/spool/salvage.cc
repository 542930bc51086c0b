#include "spool/salvage.h"

#include "base/count.h"
#include "base/unique_fd.h"
#include "spool/damage.h"
#include "spool/keeper.h"
#include "spool/raw_pages.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"
#include "spool/tables/positions.h"
#include "spool/tables/rejected.h"
#include "spool/tables/schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

namespace weir::spool {
namespace {

using base::Result;
using Kind = RawValue::Kind;

constexpr int kBlocksPerCommit = 16;
constexpr std::int64_t kCopyLogAt = 2048;  // frames

struct Saved {
  BlockRow row = {};
  bool done = false;
};

class Salvage {
 public:
  Salvage(const std::string& path, RawPages pages, SpoolFile& fresh) : path_(path), pages_(std::move(pages)), fresh_(fresh) {}

  Result<void> run() {
    auto roots = table_roots();
    if (!roots) return std::move(roots).error();
    const auto walk = [&](const char* table, void (Salvage::*each)(const RawRow&)) {
      pages_.walk((*roots)[table], [this, each](const RawRow& row) { (this->*each)(row); });
    };
    if (auto begun = begin(); !begun) return begun;
    walk("meta", &Salvage::take_meta);
    walk("consumers", &Salvage::take_consumer);
    walk("positions", &Salvage::take_snapshot);
    walk("blocks", &Salvage::take_block);
    walk("released", &Salvage::take_released);
    walk("rejected", &Salvage::take_rejected);
    // In a file that an older release made they begin where its first page says, if that can be read.
    if (auto first = RawPages::open(path_)) {
      first->walk(1, [&](const RawRow& row) {
        using enum RawValue::Kind;
        if (row.is_of({bytes, bytes, bytes, integer, bytes}) && row.values[1].bytes == "rejected_ranges")
          (*roots)["rejected_ranges"] = static_cast<std::uint32_t>(row.values[3].integer);
      });
    }
    walk("bodies", &Salvage::take_body);
    walk("rejected_ranges", &Salvage::take_range);
    if (pages_.damaged()) scan();
    for (auto& [id, block] : blocks_) {
      if (block.row.info.records == 0) store(block);
    }
    store_positions();
    if (!error_) keep(raise_meta(fresh_.database, Meta::reserved_block, highest_));
    if (error_) return *error_;
    return transaction_->commit();
  }

  // What was saved and what was lost.
  Report report(const base::Error& cause, const std::string& kept) const {
    std::uint64_t saved = 0, lost = 0, lost_blocks = 0, saved_blocks = 0;
    for (const auto& [id, block] : blocks_) {
      if (block.row.info.records == 0) continue;
      (block.done ? saved : lost) += block.row.info.records;
      ++(block.done ? saved_blocks : lost_blocks);
    }
    Report report;
    report.sentences.push_back(fmt::format("spool '{}' was damaged ({}): {} in {} saved, the damaged file is kept as '{}'", path_,
                                           cause.message, base::count_of(saved, "record"), base::count_of(saved_blocks, "block"),
                                           kept));
    if (lost_blocks > 0) {
      report.sentences.push_back(fmt::format("{} in {} of spool '{}' could not be read", base::count_of(lost, "record"),
                                             base::count_of(lost_blocks, "block"), path_));
    }
    if (pages_.damaged() && lost_blocks == 0)
      report.sentences.push_back(
          fmt::format("parts of spool '{}' could not be read at all; nobody knows how many records they had", path_));
    if (positions_lost_) {
      report.sentences.push_back(
          fmt::format("some positions in spool '{}' could not be read: log files without a position are read from their start, and "
                      "some records may come twice",
                      path_));
    }
    report.lost = lost + (lost == 0 && pages_.damaged() ? 1 : 0);
    return report;
  }

 private:
  Result<void> begin() {
    auto transaction = sqlite::Transaction::begin(fresh_.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    transaction_.emplace(std::move(*transaction));
    return {};
  }

  void commit_some() {
    if (error_ || ++uncommitted_ < kBlocksPerCommit) return;
    uncommitted_ = 0;
    auto done = transaction_->commit();
    transaction_.reset();
    if (done && fresh_.database.log_frames() > kCopyLogAt) {
      if (auto copied = fresh_.database.checkpoint(false); !copied) done = std::move(copied).error();
    }
    if (done) done = begin();
    if (!done) error_ = std::move(done).error();
  }

  // The first error ends everything.
  void keep(Result<void> done) {
    if (!done && !error_) error_ = std::move(done).error();
  }

  void take_meta(const RawRow& row) {
    if (!row.is_of({Kind::bytes, Kind::integer})) return;
    if (row.values[0].bytes == name_of(Meta::spool) && row.values[1].integer == 0) return;
    if (row.values[0].bytes == name_of(Meta::rejected_bytes)) return;  // counted again
    if (row.values[0].bytes == name_of(Meta::positions_checksum)) {
      positions_checksum_ = static_cast<std::uint64_t>(row.values[1].integer);
      return;
    }
    if (!error_) keep(restore_meta(fresh_.database, row.values[0].bytes, row.values[1].integer));
  }

  void take_consumer(const RawRow& row) {
    const auto consumer = consumer_of(row);
    if (!consumer) return;
    highest_ = std::max(highest_, std::min<std::uint64_t>(static_cast<std::uint64_t>(row.values[2].integer), INT64_MAX / 2) - 1);
    if (!error_) keep(restore_consumer(fresh_.database, *consumer));
  }

  void take_snapshot(const RawRow& row) {
    if (auto snapshot = snapshot_of(row)) snapshot_ = std::move(snapshot);
  }

  void take_block(const RawRow& row) {
    auto block = block_of(row);
    if (!block) return;
    const std::uint64_t id = block->info.id;
    blocks_.try_emplace(id, Saved{std::move(*block)});
  }

  void take_body(const RawRow& row) {
    const auto body = blob_of(row);
    if (!body) return;
    const auto found = blocks_.find(body->block);
    if (found == blocks_.end() || found->second.done) return;
    found->second.row.body = body->bytes;
    store(found->second);
    found->second.row.body = std::string();
  }

  void store(Saved& block) {
    if (block.done || !block.row.sound() || block.row.info.id == 0 || block.row.info.id > INT64_MAX) return;
    if (!error_) keep(restore_block(fresh_.database, block.row.view()));
    block.done = true;
    highest_ = std::max(highest_, block.row.info.id);
    commit_some();
  }

  void take_released(const RawRow& row) {
    const auto places = blob_of(row);
    if (places && !error_) keep(restore_released(fresh_.database, places->block, places->bytes));
  }

  void take_rejected(const RawRow& row) {
    const auto rejected = rejected_of(row);
    if (rejected && !error_) keep(restore_rejected(fresh_.database, *rejected));
  }

  void take_range(const RawRow& row) {
    const auto range = range_of(row);
    if (range && !error_) keep(restore_range(fresh_.database, *range));
  }

  // Finds rows on pages that no tree reaches any more. Free pages hold old rows, too: a row older than all rows that are still
  // reached was evicted.
  void scan() {
    const std::uint64_t oldest = blocks_.empty() ? 0 : blocks_.begin()->first;
    std::vector<std::uint64_t> found;
    pages_.scan_rest([&](const RawRow& row) {
      const auto id = static_cast<std::uint64_t>(row.rowid);
      if (row.values.size() != 11 || id < oldest || blocks_.contains(id)) return;
      take_block(row);
      found.push_back(id);
    });
    pages_.scan_rest([&](const RawRow& row) {
      if (row.values.size() == 2) take_body(row);
    });
    // Without its body such a row proves nothing.
    for (const std::uint64_t id : found) {
      const auto at = blocks_.find(id);
      if (at != blocks_.end() && !at->second.done && at->second.row.info.records > 0) blocks_.erase(at);
    }
  }

  // Snapshot and deltas; of blocks that cannot be read only when `all` is said. False when something did not fit.
  bool load_positions(Keeper& keeper, bool all) {
    std::uint64_t through = 0;
    bool fits = true;
    if (snapshot_) snapshot_->checksum = positions_checksum_;
    if (snapshot_ && snapshot_->sound()) {
      through = snapshot_->through_block;
      fits = static_cast<bool>(keeper.load(snapshot_->body));
    } else {
      fits = !snapshot_;
    }
    for (const auto& [id, block] : blocks_) {
      if (id > through && (all || block.done)) fits = static_cast<bool>(keeper.load(block.row.positions)) && fits;
    }
    return fits;
  }

  void store_positions() {
    if (highest_ == 0) return;
    Keeper keeper(path_);
    positions_lost_ = !load_positions(keeper, false);
    if (positions_lost_) {
      keeper = Keeper(path_);
      positions_lost_ = !load_positions(keeper, true);
    }
    if (!error_) keep(write_snapshot(fresh_.database, highest_, keeper.snapshot()));
  }

  const std::string& path_;
  RawPages pages_;
  SpoolFile& fresh_;
  std::optional<sqlite::Transaction> transaction_;
  std::optional<base::Error> error_;
  std::map<std::uint64_t, Saved> blocks_;
  std::optional<SnapshotRow> snapshot_;
  std::optional<std::uint64_t> positions_checksum_;
  std::uint64_t highest_ = 0;
  int uncommitted_ = 0;
  bool positions_lost_ = false;
};

void remove_with_companions(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

Result<void> sync_file(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return base::io_error(errno, fmt::format("sync '{}'", path));
  return {};
}

// The damaged file keeps its bytes under `kept`, the new one takes its place.
Result<void> exchange(const std::string& path, const std::string& fresh, const std::string& kept) {
  // With a second name first there is always a file under the path; not every file system has second names.
  if (::link(path.c_str(), kept.c_str()) != 0 && ::rename(path.c_str(), kept.c_str()) != 0) {
    return base::io_error(errno, fmt::format("keep '{}' as '{}'", path, kept));
  }
  // A log that stayed would be taken for that of the new file.
  if (::rename((path + "-wal").c_str(), (kept + "-wal").c_str()) != 0 && errno != ENOENT) {
    return base::io_error(errno, fmt::format("keep '{}-wal'", path));
  }
  ::unlink((path + "-shm").c_str());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return base::io_error(errno, fmt::format("replace '{}'", path));
  const std::size_t slash = path.rfind('/');
  return sync_file(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace

Result<Report> salvage(const std::string& path, const base::Error& cause, const base::Clock& clock) {
  if (!is_spool(path)) {
    base::Error error = cause;
    return std::move(error).with_hint("it does not look like a spool of weir, so it is left alone: name another file");
  }
  const std::string fresh_path = path + "-salvage";
  remove_with_companions(fresh_path);
  auto pages = RawPages::open(path);
  if (!pages) return std::move(pages).error();
  Report report;
  const std::string kept = damaged_path(path, clock, "file");
  {
    auto fresh = open_for_writing(fresh_path, Sync::normal, base::kSecond);
    auto done = fresh ? Result<void>() : Result<void>(fresh.error());
    if (fresh) {
      Salvage salvage(path, std::move(*pages), *fresh);
      done = salvage.run();
      if (done) {
        auto copied = fresh->database.checkpoint(true);
        if (!copied) done = std::move(copied).error();
      }
      if (done) report = salvage.report(cause, kept);
    }
    if (!done) {
      remove_with_companions(fresh_path);
      base::Error error = std::move(done).error();
      if (error.code == base::Code::full) Reserve::release(path);
      return std::move(error).within(fmt::format("cannot save what is left of the damaged spool '{}'", path));
    }
  }
  if (auto synced = sync_file(fresh_path); !synced) return std::move(synced).error();
  if (auto done = exchange(path, fresh_path, kept); !done) return std::move(done).error();
  unmark_damaged(path);
  return report;
}

}  // namespace weir::spool
