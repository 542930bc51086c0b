#include "spool/inspection.h"

#include "spool/damage.h"
#include "spool/disk_space.h"
#include "spool/eviction_plan.h"
#include "spool/lock_file.h"
#include "spool/log_room.h"
#include "spool/reader.h"
#include "spool/recent_state.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"
#include "spool/stored_positions.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"
#include "spool/tables/rejected.h"
#include "spool/tables/releases.h"
#include "spool/writer.h"
#include "sqlite/read_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

constexpr std::size_t kProblemsListed = 100;

std::uint64_t size_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::vector<std::string> damaged_files(const std::string& path) {
  const std::filesystem::path spool(path);
  const std::string prefix = spool.filename().string() + ".damaged-";
  std::vector<std::string> files;
  std::error_code error;
  const std::filesystem::path folder = spool.has_parent_path() ? spool.parent_path() : std::filesystem::path(".");
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
      files.push_back((spool.parent_path() / name).string());
  }
  std::ranges::sort(files);
  return files;
}

// Of one block: all its places, some, or none.
enum class Share : std::uint8_t { none, some, all };

Share share_of(const PlaceSet& places, const BlockInfo& block) {
  const BlockPlace from{block.id, 0}, to{block.id, block.records};
  if (places.contains(from, to)) return Share::all;
  return places.touches(from, to) ? Share::some : Share::none;
}

// Releases, and the blocks that hold what they released.
struct ReleaseFacts {
  std::vector<ReleaseRow> releases;
  std::map<std::uint64_t, ReleaseBlockRow> blocks;     // `refused` of all of them
  std::map<std::uint64_t, std::uint64_t> released_of;  // records of a block that are held no more
};

Result<ReleaseFacts> read_release_facts(sqlite::Database& database, bool with_ranges) {
  ReleaseFacts facts;
  auto released_of = count_released_records(database);
  if (!released_of) return std::move(released_of).error();
  facts.released_of = std::move(*released_of);
  auto known = has_releases(database);
  if (!known) return std::move(known).error();
  if (!*known) return facts;
  auto releases = read_releases(database);
  if (!releases) return std::move(releases).error();
  facts.releases = std::move(*releases);
  auto blocks = read_release_blocks(database);
  if (!blocks) return std::move(blocks).error();
  std::vector<std::uint32_t> whole;
  for (ReleaseBlockRow& block : *blocks) {
    if (!block.gone) {
      if (auto read = rejected_ordinals(database, block.block, whole); !read) return std::move(read).error();
      OrdinalSet refused;
      if (with_ranges) {
        auto in_place = ordinals_in_ranges(database, block.block);
        if (!in_place) return std::move(in_place).error();
        refused = std::move(*in_place);
      }
      for (const std::uint32_t ordinal : whole) refused.add(ordinal);
      block.refused = refused.count();
    }
    facts.blocks.emplace(block.block, std::move(block));
  }
  return facts;
}

// `delivered_of`: how many records of each block in the spool that a release made every consumer has acknowledged.
std::vector<ReleaseStatus> status_of(const ReleaseFacts& facts, const std::map<std::uint64_t, std::uint64_t>& delivered_of) {
  std::vector<ReleaseStatus> all;
  for (const ReleaseRow& row : facts.releases) {
    ReleaseStatus one{.id = row.id,
                      .query = row.query,
                      .created = row.created,
                      .from = row.from,
                      .to = row.to,
                      .state = row.state == ReleaseState::selecting   ? "selecting"
                               : row.state == ReleaseState::cancelled ? "cancelled"
                               : row.pending > 0                      ? "releasing"
                                                                      : "released",
                      .matched = row.matched,
                      .released = row.released,
                      .pending = row.pending,
                      .left_out = row.left_out};
    for (const auto& [number, block] : facts.blocks) {
      if (block.release != row.id) continue;
      const auto delivered = delivered_of.find(number);
      // Of one that is not there any more, all that is not lost was delivered.
      const std::uint64_t done = delivered != delivered_of.end() ? delivered->second : block.records - block.lost;
      one.refused += block.refused;
      one.lost += block.lost;
      one.sent += done - std::min(done, block.refused);
    }
    all.push_back(std::move(one));
  }
  return all;
}

base::Timestamp earlier(base::Timestamp known, base::Timestamp time) { return known == 0 ? time : std::min(known, time); }

void note_oldest(ConsumerStatus& consumer, base::Timestamp time, base::Timestamp stored) {
  consumer.oldest = earlier(consumer.oldest, time);
  consumer.late_since = earlier(consumer.late_since, std::max(time, stored));
}

// Counts what the block's records are to everybody, and what each consumer has not had of them. How many records are delivered or
// rejected. `released`: how many of its held records are held no more.
Result<std::uint64_t> count_states(Reader& reader, const BlockInfo& block, const std::vector<ConsumerRow>& consumers,
                                   std::uint64_t released, SpoolStatus& status) {
  if (block.held == block.records) {
    // Nobody waits for it, wherever the consumers are. One that is released as a whole holds nothing any more.
    const std::uint64_t held = block.held - std::min<std::uint64_t>(block.held, released);
    if (held == 0) return std::uint64_t{0};
    status.held += held;
    status.held_bytes += block.body_bytes;
    status.oldest_held = status.oldest_held == 0 ? block.min_timestamp : std::min(status.oldest_held, block.min_timestamp);
    return std::uint64_t{0};
  }
  Share least = consumers.empty() ? Share::none : Share::all;
  std::vector<Share> shares;
  for (const ConsumerRow& consumer : consumers) {
    shares.push_back(share_of(consumer.places, block));
    least = std::min(least, shares.back());
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    ConsumerStatus& of = status.consumers[i];
    if (shares[i] != Share::none) continue;
    note_oldest(of, block.min_timestamp, block.stored);
    of.behind_records += block.records - block.held;
  }
  if (least != Share::all) status.undelivered_bytes += block.body_bytes;
  if (std::ranges::find(shares, Share::some) == shares.end()) {
    status.held += block.held - std::min<std::uint64_t>(block.held, released);
    (least == Share::all ? status.delivered : status.undelivered) += block.records - block.held;
    return std::uint64_t{least == Share::all ? block.records - block.held : 0};
  }
  std::uint64_t delivered = 0;
  record::Batch batch;
  std::vector<State> states;
  auto loaded = reader.load(block.id, {}, batch, &states);
  if (!loaded && loaded.error().code != Code::corrupt) return std::move(loaded).error();
  for (std::size_t n = 0; n < states.size(); ++n) {
    const record::Record& record = batch.records[n];
    // The rejected store has its own count.
    if (states[n] == State::held) ++status.held;
    if (states[n] == State::undelivered) ++status.undelivered;
    if (states[n] == State::delivered || states[n] == State::rejected) ++delivered;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (shares[i] != Share::some || record.held) continue;
      if (consumers[i].places.has({block.id, record.source.ordinal}, record)) continue;
      ++status.consumers[i].behind_records;
      note_oldest(status.consumers[i], record.timestamp, block.stored);
    }
  }
  status.delivered += delivered;
  return delivered;
}

}  // namespace

namespace {

constexpr base::Duration kRateOver = 5 * base::kMinute;
constexpr base::Duration kLeastRateOver = base::kMinute;

// What undelivered records may still take. Everything else in the spool makes room for them.
std::uint64_t room_of(const SpoolStatus& status, std::uint64_t pages, int min_free, const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const auto disk = disk_space(folder.empty() ? "." : folder.string());
  const std::uint64_t most = reachable_room({.max_size = status.max_size,
                                             .max_log = most_log(status.max_size, disk ? disk->size : status.max_size),
                                             .pages = pages,
                                             .min_free = min_free,
                                             .floor = kFloor,
                                             .disk = disk});
  return most - std::min(most, status.undelivered_bytes);
}

// Bytes on disk a second. A spool that is younger than the time over which it is measured has a rate of its own age. A burst of
// some seconds is no rate.
double inflow_of(const std::vector<BlockInfo>& blocks, base::Timestamp now) {
  const base::Timestamp from = now - kRateOver;
  std::uint64_t bytes = 0;
  base::Timestamp first = 0;
  for (const BlockInfo& block : blocks) {
    if (block.stored < from || block.stored > now || block.held == block.records) continue;
    if (first == 0) first = block.stored;
    bytes += block.body_bytes;
  }
  const bool young = !blocks.empty() && blocks.front().stored >= from;
  const base::Duration over = young ? now - first : kRateOver;
  if (over < kLeastRateOver) return 0;
  return static_cast<double>(bytes) * static_cast<double>(base::kSecond) / static_cast<double>(over);
}

constexpr int kTries = 5;  // to read a spool at one time that is written by somebody whose log's index we cannot share

Result<SpoolStatus> read_status_of(const std::string& path, SpoolFile& file, const base::Clock& clock, base::Duration wait) {
  sqlite::Database& database = file.database;
  auto reader = Reader::open(path, wait);
  if (!reader) return std::move(reader).error();

  SpoolStatus status;
  status.id = file.id;
  status.file_bytes = size_of(path);
  status.log_bytes = size_of(path + "-wal");
  status.reserve_bytes = Reserve::size(path);
  status.set_aside = damaged_files(path);
  status.writing = is_locked(writer_lock_path(path));
  if (status.writing) status.writer_pid = latest_holder(writer_lock_path(path));
  status.writer = read_process_status(writer_status_path(path), file.id);
  auto transaction = sqlite::Transaction::begin(database, sqlite::Transaction::Kind::read);
  if (!transaction) return std::move(transaction).error();
  const auto number = [](const auto& got, auto& value) -> Result<void> {
    if (!got) return got.error();
    value = static_cast<std::remove_reference_t<decltype(value)>>(*got);
    return {};
  };
  std::int64_t pages_free = 0;
  std::int64_t drops_oldest = 0;
  std::int64_t min_free = 0;
  std::uint64_t pages = 0;
  std::int64_t page_size = 0;
  std::uint64_t rejected_places = 0;
  for (const auto& read :
       {number(database.integer("PRAGMA user_version"), status.format), number(database.integer("PRAGMA page_count"), pages),
        number(database.integer("PRAGMA freelist_count"), pages_free), number(database.integer("PRAGMA page_size"), page_size),
        number(read_meta(database, Meta::created), status.created),
        number(read_meta(database, Meta::evicted_undelivered), status.evicted_undelivered),
        number(read_meta(database, Meta::evicted_rejected), status.evicted_rejected),
        number(read_meta(database, Meta::evicted_last), status.evicted_last),
        number(read_meta(database, Meta::evicted_held), status.evicted_held),
        number(read_meta(database, Meta::max_size), status.max_size), number(read_meta(database, Meta::min_free), min_free),
        number(read_meta(database, Meta::drops_oldest), drops_oldest),
        number(read_meta(database, Meta::rejected_bytes), status.rejected_bytes),
        number(read_meta(database, Meta::damaged_blocks), status.damaged_blocks),
        number(read_meta(database, Meta::damaged_records), status.damaged_records),
        number(count_rejected(database), status.rejected), number(count_rejected_in_blocks(database), rejected_places)}) {
    if (!read) return read.error();
  }
  status.drops_oldest = drops_oldest != 0;
  auto losses = read_losses(database);
  if (!losses) return std::move(losses).error();
  status.losses = std::move(*losses);
  status.free_bytes = static_cast<std::uint64_t>(pages_free * page_size);
  auto ranges = has_ranges(database);
  if (!ranges) return std::move(ranges).error();
  if (*ranges) {
    std::uint64_t in_place = 0;
    if (auto read = number(count_records_in_ranges(database), in_place); !read) return read.error();
    status.rejected += in_place;
    rejected_places += in_place;
  }
  auto releases = read_release_facts(database, *ranges);
  if (!releases) return std::move(releases).error();
  auto consumers = read_consumers(database);
  if (!consumers) return std::move(consumers).error();
  Keeper keeper(path);
  if (auto loaded = load_recent_positions(database, path, (*reader)->spool(), keeper); !loaded) return std::move(loaded).error();
  status.positions = keeper.positions();
  auto blocks = (*reader)->list({});
  if (!blocks) return std::move(blocks).error();
  if (auto ended = transaction->commit(); !ended) return std::move(ended).error();

  for (const ConsumerRow& consumer : *consumers) {
    status.consumers.push_back({.name = consumer.name,
                                .match = consumer.match,
                                .place = consumer.places.before(),
                                .updated = consumer.updated,
                                .connected = is_locked(consumer_lock_path(path, consumer.name)),
                                .process = read_process_status(consumer_status_path(path, consumer.name), file.id)});
    ConsumerStatus& added = status.consumers.back();
    if (added.connected) added.pid = latest_holder(consumer_lock_path(path, consumer.name));
  }
  status.oldest = std::numeric_limits<base::Timestamp>::max();
  status.newest = std::numeric_limits<base::Timestamp>::min();
  std::map<std::uint64_t, std::uint64_t> delivered_of;
  for (const BlockInfo& block : *blocks) {
    ++status.blocks;
    status.line_bytes += block.line_bytes;
    status.body_bytes += block.body_bytes;
    status.oldest = std::min(status.oldest, block.min_timestamp);
    status.newest = std::max(status.newest, block.max_timestamp);
    const auto found = releases->released_of.find(block.id);
    // Each of them has a copy in another block, which is counted there.
    const std::uint64_t released = found != releases->released_of.end() ? found->second : 0;
    status.records += block.records - std::min<std::uint64_t>(block.held, released);
    auto counted = count_states(**reader, block, *consumers, released, status);
    if (!counted) return std::move(counted).error();
    if (releases->blocks.contains(block.id)) delivered_of[block.id] = *counted;
  }
  status.releases = status_of(*releases, delivered_of);
  if (status.blocks == 0) status.oldest = status.newest = 0;
  status.delivered -= std::min(status.delivered, rejected_places);
  status.missing = (*reader)->missing().value_or("");
  status.inflow = inflow_of(*blocks, clock.wall());
  if (status.max_size > 0) status.room_bytes = room_of(status, pages, static_cast<int>(min_free), path);
  return status;
}

}  // namespace

std::optional<base::Duration> SpoolStatus::full_in() const {
  if (max_size == 0 || inflow < 1) return std::nullopt;
  const double seconds = static_cast<double>(room_bytes) / inflow;
  constexpr double kLongest = 10.0 * 365 * 24 * 3600;
  return static_cast<base::Duration>(std::min(seconds, kLongest) * static_cast<double>(base::kSecond));
}

base::Timestamp SpoolStatus::oldest_undelivered() const {
  base::Timestamp oldest_one = 0;
  for (const ConsumerStatus& consumer : consumers)
    if (consumer.oldest != 0) oldest_one = earlier(oldest_one, consumer.oldest);
  return oldest_one;
}

base::Timestamp SpoolStatus::late_since() const {
  base::Timestamp since = 0;
  for (const ConsumerStatus& consumer : consumers)
    if (consumer.late_since != 0) since = earlier(since, consumer.late_since);
  return since;
}

Result<SpoolStatus> read_status(const std::string& wanted, base::Duration wait, const base::Clock& clock) {
  const std::string path = real_path(wanted);
  for (int tries = 1;; ++tries) {
    auto opened = open_for_reading(path, wait);
    if (!opened) return std::move(opened).error();
    if (!opened->has_value()) return nothing_to_read(path);
    auto status = read_status_of(path, **opened, clock, wait);
    if (tries == kTries || !(*opened)->database.torn()) return status;
  }
}

namespace {

// SQLite's own check, and the small tables.
Result<std::vector<std::string>> problems_of(const std::string& path, sqlite::Database& database) {
  std::vector<std::string> problems;
  auto rows = database.prepare("PRAGMA integrity_check(100)");
  if (!rows) return std::move(rows).error();
  while (true) {
    auto row = rows->step();
    if (!row && row.error().code != Code::corrupt) return std::move(row).error();
    if (!row) problems.push_back(row.error().message);
    if (!row || !*row) break;
    if (rows->text(0) != "ok") problems.push_back(fmt::format("SQLite: {}", rows->text(0)));
  }
  if (auto consumers = read_consumers(database); !consumers) problems.push_back(consumers.error().message);
  Keeper keeper(path);
  if (auto loaded = load_positions(database, keeper); !loaded) problems.push_back(loaded.error().message);
  return problems;
}

// Follows the two parts of a check.
class CheckWatch {
 public:
  CheckWatch(const Watch& watch, const std::string& path) : watch_(watch), path_(path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0) file_ = static_cast<std::uint64_t>(status.st_size);
  }
  void set_blocks(const std::vector<BlockInfo>& blocks) {
    blocks_ = 0;
    for (const BlockInfo& block : blocks) blocks_ += block.body_bytes;
  }
  bool read_of_file(std::uint64_t bytes) { return tell(std::min(bytes, file_)); }
  bool read_of_blocks(std::uint64_t bytes) { return tell(file_ + std::min(bytes, blocks_)); }
  [[nodiscard]] bool wanted() const { return static_cast<bool>(watch_); }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] base::Error interrupted() const {
    return base::fail(Code::interrupted, "cannot check spool '{}' to the end: interrupted", path_);
  }

 private:
  bool tell(std::uint64_t done) {
    ended_ = ended_ || (watch_ && !watch_(done, file_ + blocks_));
    return !ended_;
  }
  const Watch& watch_;
  const std::string& path_;
  std::uint64_t file_ = 0, blocks_ = 0;
  bool ended_ = false;
};

// Everything but the blocks. Corrupt: SQLite cannot read the file at all.
Result<std::vector<std::string>> check_file(const std::string& path, base::Duration wait, CheckWatch& watch) {
  for (int tries = 1; tries <= kTries; ++tries) {
    auto opened = open_for_reading(path, wait);
    if (!opened) return std::move(opened).error();
    if (!opened->has_value()) return nothing_to_read(path);
    std::optional<sqlite::ReadWatch> reads;
    if (watch.wanted()) {
      std::vector<BlockInfo> blocks;
      static_cast<void>(for_each_block((*opened)->database, {}, [&](const BlockInfo& block) { blocks.push_back(block); }));
      watch.set_blocks(blocks);
      reads.emplace((*opened)->database, [&watch](std::uint64_t bytes) { return watch.read_of_file(bytes); });
    }
    auto problems = problems_of(path, (*opened)->database);
    if (watch.ended()) return watch.interrupted();
    // What cannot be true is no damage when the pages are of two times.
    if (!problems || problems->empty() || !(*opened)->database.torn()) return problems;
  }
  return base::fail(Code::busy,
                    "cannot check spool '{}': another process writes it, and the index of its write-ahead log cannot be shared",
                    path)
      .with_hint("check it as the user that writes it, or check a copy: weir spool copy");
}

}  // namespace

Result<SpoolCheck> check_spool(const std::string& wanted, base::Duration wait, const Watch& watch) {
  const std::string path = real_path(wanted);
  CheckWatch follows(watch, path);
  SpoolCheck check;
  const auto note = [&check](std::string problem) {
    if (check.problems.size() < kProblemsListed) check.problems.push_back(std::move(problem));
  };
  if (auto whole = check_undamaged(path); !whole) note(whole.error().message);
  auto checked = check_file(path, wait, follows);
  if (!checked && checked.error().code == Code::corrupt) {
    if (check.problems.empty()) note(checked.error().message);
    return check;
  }
  if (!checked) return std::move(checked).error();
  for (std::string& problem : *checked) note(std::move(problem));

  auto reader = Reader::open(path, wait);
  if (!reader) return std::move(reader).error();
  if (auto missing = (*reader)->missing()) note(std::move(*missing));
  std::uint64_t after = 0, bytes = 0;
  record::Batch batch;
  while (true) {
    auto blocks = (*reader)->list({.time = {}, .after = after, .limit = 256});
    if (!blocks) {
      note(blocks.error().message);
      return check;
    }
    if (blocks->empty()) return check;
    for (const BlockInfo& block : *blocks) {
      after = block.id;
      batch.records.clear();
      batch.clear();
      if (!follows.read_of_blocks(bytes)) return follows.interrupted();
      bytes += block.body_bytes;
      auto loaded = (*reader)->load(block.id, {}, batch);
      if (!loaded && loaded.error().code != Code::corrupt) return std::move(loaded).error();
      if (!loaded) {
        note(loaded.error().message);
        continue;
      }
      if (!*loaded) continue;
      ++check.blocks;
      check.records += block.records;
    }
  }
}

}  // namespace weir::spool
