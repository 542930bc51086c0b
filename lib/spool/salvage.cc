#include "spool/salvage.h"

#include "base/count.h"
#include "base/unique_fd.h"
#include "spool/block_checksum.h"
#include "spool/damage.h"
#include "spool/ordinal_set.h"
#include "spool/place.h"
#include "spool/raw_pages.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"

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

bool is_of(const RawRow& row, std::initializer_list<Kind> kinds) {
  return std::ranges::equal(row.values, kinds, [](const RawValue& value, Kind kind) { return value.kind == kind; });
}

struct Saved {
  BlockRow row;
  bool done = false;
};

struct Snapshot {
  std::int64_t through = 0;
  std::string body;
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
        using enum Kind;
        if (is_of(row, {bytes, bytes, bytes, integer, bytes}) && row.values[1].bytes == "rejected_ranges")
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
    put("INSERT INTO meta VALUES ('reserved_block', ?1) ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)",
        [&](sqlite::Statement& statement) { statement.bind(1, static_cast<std::int64_t>(highest_)); });
    if (error_) return *error_;
    return transaction_->commit();
  }

  // What a person wants to know.
  News news(const base::Error& cause, const std::string& kept) const {
    std::uint64_t saved = 0, lost = 0, lost_blocks = 0, saved_blocks = 0;
    for (const auto& [id, block] : blocks_) {
      if (block.row.info.records == 0) continue;
      (block.done ? saved : lost) += block.row.info.records;
      ++(block.done ? saved_blocks : lost_blocks);
    }
    News news;
    news.sentences.push_back(fmt::format("spool '{}' was damaged ({}): {} in {} saved, the damaged file is kept as '{}'", path_, cause.message,
                                         base::count_of(saved, "record"), base::count_of(saved_blocks, "block"), kept));
    if (lost_blocks > 0) {
      news.sentences.push_back(fmt::format("{} in {} of spool '{}' could not be read", base::count_of(lost, "record"),
                                           base::count_of(lost_blocks, "block"), path_));
    }
    if (pages_.damaged() && lost_blocks == 0) news.sentences.push_back(fmt::format("parts of spool '{}' could not be read at all; what they held is not known", path_));
    if (positions_lost_) {
      news.sentences.push_back(fmt::format("the positions in spool '{}' could not be read whole: log files without one are read from their start, and some "
                                           "records may come twice",
                                           path_));
    }
    news.lost = lost + (lost == 0 && pages_.damaged() ? 1 : 0);
    return news;
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

  template <typename Bind>
  void put(const char* sql, const Bind& bind) {
    if (error_) return;
    auto statement = fresh_.database.prepare(sql);
    if (statement) {
      bind(*statement);
      auto done = statement->run();
      if (!done) error_ = std::move(done).error();
    } else {
      error_ = std::move(statement).error();
    }
  }

  void take_meta(const RawRow& row) {
    if (!is_of(row, {Kind::bytes, Kind::integer})) return;
    if (row.values[0].bytes == "spool" && row.values[1].integer == 0) return;
    if (row.values[0].bytes == "rejected_bytes") return;  // counted anew
    if (row.values[0].bytes == "positions_checksum") {
      positions_checksum_ = static_cast<std::uint64_t>(row.values[1].integer);
      return;
    }
    put("INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [&](sqlite::Statement& statement) { statement.bind_text(1, row.values[0].bytes).bind(2, row.values[1].integer); });
  }

  void take_consumer(const RawRow& row) {
    if (!is_of(row, {Kind::bytes, Kind::bytes, Kind::integer, Kind::integer, Kind::bytes, Kind::integer, Kind::integer})) return;
    const auto block = static_cast<std::uint64_t>(row.values[2].integer);
    const auto places = PlaceSet::decode({block, static_cast<std::uint32_t>(row.values[3].integer)}, row.values[4].bytes);
    if (block == 0) return;
    highest_ = std::max(highest_, std::min<std::uint64_t>(block, INT64_MAX / 2) - 1);
    put("INSERT OR REPLACE INTO consumers VALUES (?, ?, ?, ?, ?, ?, ?)", [&](sqlite::Statement& statement) {
      statement.bind_text(1, row.values[0].bytes).bind_text(2, row.values[1].bytes).bind(3, row.values[2].integer).bind(4, row.values[3].integer);
      statement.bind_blob(5, places ? row.values[4].bytes : std::string_view()).bind(6, row.values[5].integer).bind(7, row.values[6].integer);
    });
  }

  void take_snapshot(const RawRow& row) {
    if (is_of(row, {Kind::null, Kind::integer, Kind::bytes})) snapshot_ = Snapshot{row.values[1].integer, std::string(row.values[2].bytes)};
  }

  void take_block(const RawRow& row) {
    using enum Kind;
    if (!is_of(row, {null, integer, integer, integer, integer, integer, integer, integer, integer, bytes, bytes})) return;
    Saved block;
    BlockInfo& info = block.row.info;
    info.id = static_cast<std::uint64_t>(row.rowid);
    info.stored = row.values[1].integer;
    info.min_timestamp = row.values[2].integer;
    info.max_timestamp = row.values[3].integer;
    info.records = static_cast<std::uint32_t>(row.values[4].integer);
    info.held = static_cast<std::uint32_t>(row.values[5].integer);
    info.line_bytes = static_cast<std::uint64_t>(row.values[6].integer);
    info.body_bytes = static_cast<std::uint64_t>(row.values[7].integer);
    block.row.checksum = static_cast<std::uint64_t>(row.values[8].integer);
    block.row.streams = row.values[9].bytes;
    block.row.positions = row.values[10].bytes;
    blocks_.try_emplace(info.id, std::move(block));
  }

  void take_body(const RawRow& row) {
    if (!is_of(row, {Kind::null, Kind::bytes})) return;
    const auto found = blocks_.find(static_cast<std::uint64_t>(row.rowid));
    if (found == blocks_.end() || found->second.done) return;
    found->second.row.body = row.values[1].bytes;
    store(found->second);
    found->second.row.body = std::string();
  }

  void store(Saved& block) {
    if (block.done || !block.row.sound() || block.row.info.id == 0 || block.row.info.id > INT64_MAX) return;
    const BlockInfo& info = block.row.info;
    put("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [&](sqlite::Statement& statement) {
      statement.bind(1, static_cast<std::int64_t>(info.id)).bind(2, info.stored).bind(3, info.min_timestamp).bind(4, info.max_timestamp);
      statement.bind(5, info.records).bind(6, info.held).bind(7, static_cast<std::int64_t>(info.line_bytes));
      statement.bind(8, static_cast<std::int64_t>(info.body_bytes)).bind(9, static_cast<std::int64_t>(block.row.checksum));
      statement.bind_blob(10, block.row.streams).bind_blob(11, block.row.positions);
    });
    if (info.records > 0) {
      put("INSERT OR IGNORE INTO bodies VALUES (?, ?)",
          [&](sqlite::Statement& statement) { statement.bind(1, static_cast<std::int64_t>(info.id)).bind_blob(2, block.row.body); });
    }
    block.done = true;
    highest_ = std::max(highest_, info.id);
    commit_some();
  }

  void take_released(const RawRow& row) {
    if (!is_of(row, {Kind::null, Kind::bytes})) return;
    put("INSERT OR IGNORE INTO released VALUES (?, ?)", [&](sqlite::Statement& statement) { statement.bind(1, row.rowid).bind_blob(2, row.values[1].bytes); });
  }

  void take_rejected(const RawRow& row) {
    using enum Kind;
    if (!is_of(row, {null, integer, bytes, integer, integer, integer, bytes, bytes, bytes, bytes})) return;
    put("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [&](sqlite::Statement& statement) {
      statement.bind(1, row.rowid).bind(2, row.values[1].integer).bind_text(3, row.values[2].bytes);
      for (int i = 3; i < 6; ++i) statement.bind(i + 1, row.values[static_cast<std::size_t>(i)].integer);
      for (int i = 6; i < 10; ++i) statement.bind_text(i + 1, row.values[static_cast<std::size_t>(i)].bytes);
    });
  }

  void take_range(const RawRow& row) {
    using enum Kind;
    if (!is_of(row, {integer, bytes, bytes, bytes, integer, integer, bytes, bytes, integer, bytes}) || !OrdinalSet::decode(row.values[9].bytes)) return;
    put("INSERT OR IGNORE INTO rejected_ranges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [&](sqlite::Statement& statement) {
      statement.bind(1, row.values[0].integer).bind(5, row.values[4].integer).bind(6, row.values[5].integer).bind(9, row.values[8].integer);
      for (const int i : {1, 2, 3, 6, 7}) statement.bind_text(i + 1, row.values[static_cast<std::size_t>(i)].bytes);
      statement.bind_blob(10, row.values[9].bytes);
    });
  }

  // Rows on pages that no tree leads to any more. Pages that were given up hold old ones, too: what is older than everything that is still
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
    if (snapshot_ && (!positions_checksum_ || *positions_checksum_ == snapshot_checksum(static_cast<std::uint64_t>(snapshot_->through), snapshot_->body))) {
      through = static_cast<std::uint64_t>(snapshot_->through);
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
    const std::string body = keeper.snapshot();
    put("INSERT INTO positions VALUES (1, ?, ?)",
        [&](sqlite::Statement& statement) { statement.bind(1, static_cast<std::int64_t>(highest_)).bind_blob(2, body); });
    put("INSERT OR REPLACE INTO meta VALUES ('positions_checksum', ?)",
        [&](sqlite::Statement& statement) { statement.bind(1, static_cast<std::int64_t>(snapshot_checksum(highest_, body))); });
  }

  const std::string& path_;
  RawPages pages_;
  SpoolFile& fresh_;
  std::optional<sqlite::Transaction> transaction_;
  std::optional<base::Error> error_;
  std::map<std::uint64_t, Saved> blocks_;
  std::optional<Snapshot> snapshot_;
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

Result<News> salvage(const std::string& path, const base::Error& cause, const base::Clock& clock) {
  if (!is_spool(path)) {
    base::Error error = cause;
    return std::move(error).with_hint("it does not look like a spool of weir, so it is left alone: name another file");
  }
  const std::string fresh_path = path + "-salvage";
  remove_with_companions(fresh_path);
  auto pages = RawPages::open(path);
  if (!pages) return std::move(pages).error();
  News news;
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
      if (done) news = salvage.news(cause, kept);
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
  return news;
}

}  // namespace weir::spool
