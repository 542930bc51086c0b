#include "spool/rejected_store.h"

#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "spool/lock_file.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"

#include <algorithm>
#include <map>

namespace weir::spool {

namespace {

constexpr std::uint64_t kPlace = std::uint64_t{1} << 62;  // no row gets so far
constexpr int kOrdinalBits = 24;                          // a block holds about a MiB
constexpr std::size_t kRowCost = sizeof(std::string) * 8;
constexpr int kEvictedAtOnce = 64;  // rows

}  // namespace

std::uint64_t number_of_place(BlockPlace place) { return kPlace | place.block << kOrdinalBits | place.ordinal; }

std::optional<BlockPlace> place_of_number(std::uint64_t number) {
  if ((number & kPlace) == 0) return std::nullopt;
  const std::uint64_t rest = number & (kPlace - 1);
  return BlockPlace{rest >> kOrdinalBits, static_cast<std::uint32_t>(rest & ((1U << kOrdinalBits) - 1))};
}

void RejectedStore::add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection) {
  bytes_ += kRowCost + rejection.record.size() + rejection.reason.size() + rejection.url.size();
  waiting_.push_back({time, std::string(consumer), place, rejection.status, std::string(rejection.reason), std::string(rejection.url),
                      std::string(rejection.tenant), std::string(rejection.record)});
}

void RejectedStore::add_in_place(base::Timestamp time, std::string_view consumer, BlockPlace place, std::string_view kind, const Rejection& rejection) {
  const auto same = [&](const Range& one) {
    return one.block == place.block && one.kind == kind && one.tenant == rejection.tenant && one.consumer == consumer;
  };
  // They come block by block: the last one, or one not far before it.
  for (std::size_t i = ranges_.size(); i-- > 0;) {
    if (!same(ranges_[i])) continue;
    const std::size_t before = ranges_[i].ordinals.stretches().size();
    ranges_[i].ordinals.add(place.ordinal);
    if (ranges_[i].ordinals.stretches().size() > before) bytes_ += sizeof(OrdinalSet::Stretch);
    return;
  }
  Range& range = ranges_.emplace_back(Range{place.block, std::string(consumer), std::string(rejection.tenant), std::string(kind), time, rejection.status,
                                            std::string(rejection.reason), std::string(rejection.url), {}});
  range.ordinals.add(place.ordinal);
  bytes_ += sizeof(Range) + rejection.reason.size() + rejection.url.size();
}

base::Result<void> RejectedStore::write_range(sqlite::Database& database, const Range& range) {
  auto find = database.prepare("SELECT ordinals FROM rejected_ranges WHERE block = ? AND consumer = ? AND tenant = ? AND kind = ?");
  if (!find) return std::move(find).error();
  find->bind(1, static_cast<std::int64_t>(range.block)).bind_text(2, range.consumer).bind_text(3, range.tenant).bind_text(4, range.kind);
  auto found = find->step();
  if (!found) return std::move(found).error();
  OrdinalSet all = range.ordinals;
  if (*found) {
    auto before = OrdinalSet::decode(find->blob(0));
    if (!before) return std::move(before).error();
    all.add_all(*before);
    find->reset();
  }
  auto put = database.prepare(
      "INSERT INTO rejected_ranges (block, consumer, tenant, kind, status, time, reason, url, records, ordinals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (block, consumer, tenant, kind) DO UPDATE SET records = excluded.records, ordinals = excluded.ordinals");
  if (!put) return std::move(put).error();
  const std::string ordinals = all.encode();
  put->bind(1, static_cast<std::int64_t>(range.block)).bind_text(2, range.consumer).bind_text(3, range.tenant).bind_text(4, range.kind);
  put->bind(5, range.status).bind(6, range.time).bind_text(7, range.reason).bind_text(8, range.url);
  put->bind(9, static_cast<std::int64_t>(all.count())).bind_blob(10, ordinals);
  return put->run();
}

base::Result<std::uint64_t> RejectedStore::write(sqlite::Database& database, std::uint64_t limit) {
  for (const Range& range : ranges_) {
    if (auto done = write_range(database, range); !done) return std::move(done).error();
  }
  if (waiting_.empty()) return std::uint64_t{0};
  auto insert = database.prepare(
      "INSERT INTO rejected (time, consumer, block, ordinal, status, reason, url, tenant, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  for (const Waiting& one : waiting_) {
    insert->bind(1, one.time).bind_text(2, one.consumer).bind(3, static_cast<std::int64_t>(one.place.block)).bind(4, one.place.ordinal);
    insert->bind(5, one.status).bind_text(6, one.reason).bind_text(7, one.url).bind_text(8, one.tenant).bind_text(9, one.record);
    if (auto done = insert->run(); !done) return std::move(done).error();
  }
  auto bytes = rejected_bytes(database);
  if (!bytes) return bytes;
  if (*bytes <= limit) return std::uint64_t{0};
  // Some room ahead, so that not every commit has to make some.
  auto evicted = evict_rejected(database, *bytes - limit + limit / 16);
  if (!evicted) return std::move(evicted).error();
  return evicted->records;
}

void RejectedStore::clear() {
  waiting_.clear();
  ranges_.clear();
  bytes_ = 0;
}

base::Result<std::uint64_t> rejected_bytes(sqlite::Database& database) {
  auto bytes = database.integer("SELECT value FROM meta WHERE name = 'rejected_bytes'");
  if (!bytes) return std::move(bytes).error();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*bytes, 0));
}

base::Result<void> count_evicted_rejected(sqlite::Database& database, std::uint64_t records) {
  if (records == 0) return {};
  const std::string count =
      fmt::format("INSERT INTO meta VALUES ('evicted_rejected', {0}) ON CONFLICT (name) DO UPDATE SET value = value + {0}", records);
  return database.execute(count.c_str());
}

base::Result<RejectedEvicted> evict_rejected(sqlite::Database& database, std::uint64_t bytes) {
  auto before = rejected_bytes(database);
  if (!before) return std::move(before).error();
  RejectedEvicted evicted;
  auto remove = database.prepare("DELETE FROM rejected WHERE id IN (SELECT id FROM rejected ORDER BY id LIMIT ?)");
  if (!remove) return std::move(remove).error();
  while (evicted.bytes < bytes) {
    remove->bind(1, kEvictedAtOnce);
    if (auto done = remove->run(); !done) return std::move(done).error();
    const auto gone = static_cast<std::uint64_t>(database.changes());
    if (gone == 0) break;
    evicted.records += gone;
    auto left = rejected_bytes(database);
    if (!left) return std::move(left).error();
    evicted.bytes = *before - std::min(*before, *left);
  }
  if (auto counted = count_evicted_rejected(database, evicted.records); !counted) return std::move(counted).error();
  return evicted;
}

struct RejectedRedelivery::State {
  std::string path;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;

  struct Refused {
    std::uint64_t row;
    base::Timestamp time;
    int status;
    std::string reason, url, tenant, object;
  };
  std::vector<std::uint64_t> gone;
  std::map<std::uint64_t, OrdinalSet> gone_in_place;  // by block
  std::size_t waiting = 0;
  std::vector<Refused> refused;

  // The records of this block are part of a range no more.
  base::Result<void> take_out(std::uint64_t block, const OrdinalSet& records) {
    struct Row {
      std::string consumer, tenant, kind;
      OrdinalSet ordinals;
    };
    auto find = file.database.prepare("SELECT consumer, tenant, kind, ordinals FROM rejected_ranges WHERE block = ?");
    if (!find) return std::move(find).error();
    find->bind(1, static_cast<std::int64_t>(block));
    std::vector<Row> rows;
    while (true) {
      auto found = find->step();
      if (!found) return std::move(found).error();
      if (!*found) break;
      auto ordinals = OrdinalSet::decode(find->blob(3));
      if (!ordinals) return std::move(ordinals).error();
      const std::uint64_t before = ordinals->count();
      ordinals->remove_all(records);
      if (ordinals->count() == before) continue;
      rows.push_back({std::string(find->text(0)), std::string(find->text(1)), std::string(find->text(2)), std::move(*ordinals)});
    }
    for (const Row& row : rows) {
      auto change = file.database.prepare(row.ordinals.empty()
                                              ? "DELETE FROM rejected_ranges WHERE block = ?1 AND consumer = ?2 AND tenant = ?3 AND kind = ?4"
                                              : "UPDATE rejected_ranges SET records = ?5, ordinals = ?6 WHERE block = ?1 AND consumer = ?2 AND tenant = ?3 AND kind = ?4");
      if (!change) return std::move(change).error();
      const std::string packed = row.ordinals.encode();
      change->bind(1, static_cast<std::int64_t>(block)).bind_text(2, row.consumer).bind_text(3, row.tenant).bind_text(4, row.kind);
      if (!row.ordinals.empty()) change->bind(5, static_cast<std::int64_t>(row.ordinals.count())).bind_blob(6, packed);
      if (auto done = change->run(); !done) return done;
    }
    return {};
  }

  base::Result<void> store() {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    auto remove = file.database.prepare("DELETE FROM rejected WHERE id = ?");
    if (!remove) return std::move(remove).error();
    for (const std::uint64_t row : gone) {
      remove->bind(1, static_cast<std::int64_t>(row));
      if (auto done = remove->run(); !done) return done;
    }
    for (const auto& [block, records] : gone_in_place) {
      if (auto done = take_out(block, records); !done) return done;
    }
    auto find = file.database.prepare("SELECT record FROM rejected WHERE id = ?");
    if (!find) return std::move(find).error();
    auto update = file.database.prepare("UPDATE rejected SET time = ?, status = ?, reason = ?, url = ?, tenant = ?, record = ? WHERE id = ?");
    if (!update) return std::move(update).error();
    for (const Refused& one : refused) {
      find->bind(1, static_cast<std::int64_t>(one.row));
      auto found = find->step();
      if (!found) return std::move(found).error();
      if (!*found) continue;
      const std::string record = with_reason(std::string(find->text(0)), one.object);
      find->reset();
      update->bind(1, one.time).bind(2, one.status).bind_text(3, one.reason).bind_text(4, one.url).bind_text(5, one.tenant).bind_text(6, record);
      update->bind(7, static_cast<std::int64_t>(one.row));
      if (auto done = update->run(); !done) return done;
    }
    return transaction->commit();
  }

  [[nodiscard]] std::string with_reason(const std::string& line, std::string_view object) const {
    record::JsonlReader reader(*clock);
    record::Batch batch;
    if (!reader.parse(batch.copy(line), batch) || batch.records.size() != 1) return line;
    record::Record& record = batch.records.front();
    record::Extra extra;
    if (record.extra != nullptr) extra = *record.extra;
    extra.rejected = object;
    record.extra = &extra;
    record.touch();
    std::string out;
    record::append_jsonl(out, record);
    out.pop_back();
    return out;
  }
};

RejectedRedelivery::RejectedRedelivery(std::unique_ptr<State> state) : state_(std::move(state)) {}
RejectedRedelivery::~RejectedRedelivery() = default;

base::Result<std::unique_ptr<RejectedRedelivery>> RejectedRedelivery::open(const std::string& wanted, std::uint64_t spool, base::Duration wait,
                                                                           const base::Clock& clock, const base::Stop* stop) {
  const std::string path = real_path(wanted);
  auto state = std::make_unique<State>();
  state->path = path;
  state->clock = &clock;
  auto file = open_for_consumer(path, wait);
  if (!file) return std::move(file).error();
  if (file->id != spool) {
    return base::fail(base::Code::usage, "cannot take records out of the rejected store of '{}': it is another spool than the one they come from "
                      "({:016x}, not {:016x})", path, file->id, spool);
  }
  auto lock = LockFile::take(rejected_lock_path(path), fmt::format("rejected store of spool '{}'", path), wait, clock, stop);
  if (!lock && lock.error().code == base::Code::busy) return std::move(lock).error().with_hint("let that process come to its end, or end it");
  if (!lock) return std::move(lock).error();
  state->lock = std::move(*lock);
  state->file = std::move(*file);
  return std::unique_ptr<RejectedRedelivery>(new RejectedRedelivery(std::move(state)));
}

void RejectedRedelivery::delivered(std::uint64_t row) {
  ++state_->waiting;
  if (const auto place = place_of_number(row)) {
    state_->gone_in_place[place->block].add(place->ordinal);
  } else {
    state_->gone.push_back(row);
  }
}

void RejectedRedelivery::rejected(std::uint64_t row, const Rejection& rejection, std::string_view rejected) {
  if (place_of_number(row)) return;  // its range has a reason already
  ++state_->waiting;
  state_->refused.push_back({row, state_->clock->wall(), rejection.status, std::string(rejection.reason), std::string(rejection.url),
                             std::string(rejection.tenant), std::string(rejected)});
}

std::size_t RejectedRedelivery::waiting() const { return state_->waiting; }

base::Result<void> RejectedRedelivery::commit() {
  State& state = *state_;
  if (state.waiting == 0) return {};
  auto done = state.store();
  if (!done && done.error().code == base::Code::full && Reserve::release(state.path)) done = state.store();
  if (!done) return done;
  state.gone.clear();
  state.gone_in_place.clear();
  state.refused.clear();
  state.waiting = 0;
  return {};
}

}  // namespace weir::spool
