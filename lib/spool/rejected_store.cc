#include "spool/rejected_store.h"

#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "spool/lock_file.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"
#include "spool/tables/meta.h"

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
  waiting_.push_back({time, std::string(consumer), place, rejection.status, std::string(rejection.reason),
                      std::string(rejection.url), std::string(rejection.tenant), std::string(rejection.record)});
}

void RejectedStore::add_in_place(base::Timestamp time, std::string_view consumer, BlockPlace place, std::string_view kind,
                                 const Rejection& rejection) {
  const auto same = [&](const RangeRow& one) {
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
  RangeRow& range = ranges_.emplace_back(RangeRow{place.block,
                                                  time,
                                                  rejection.status,
                                                  std::string(consumer),
                                                  std::string(rejection.tenant),
                                                  std::string(kind),
                                                  std::string(rejection.reason),
                                                  std::string(rejection.url),
                                                  {}});
  range.ordinals.add(place.ordinal);
  bytes_ += sizeof(RangeRow) + rejection.reason.size() + rejection.url.size();
}

base::Result<void> RejectedStore::write_range(sqlite::Database& database, const RangeRow& range) {
  auto before = find_range(database, range);
  if (!before) return std::move(before).error();
  if (!*before) return store_range(database, range);
  (*before)->ordinals.add_all(range.ordinals);
  return store_range(database, **before);
}

base::Result<std::uint64_t> RejectedStore::write(sqlite::Database& database, std::uint64_t limit) {
  for (const RangeRow& range : ranges_) {
    if (auto done = write_range(database, range); !done) return std::move(done).error();
  }
  if (waiting_.empty()) return std::uint64_t{0};
  for (const Waiting& one : waiting_) {
    auto done = insert_rejected(database, {.time = one.time,
                                           .status = one.status,
                                           .consumer = one.consumer,
                                           .tenant = one.tenant,
                                           .reason = one.reason,
                                           .url = one.url,
                                           .record = one.record,
                                           .place = one.place});
    if (!done) return std::move(done).error();
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
  auto bytes = read_meta(database, Meta::rejected_bytes);
  if (!bytes) return std::move(bytes).error();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*bytes, 0));
}

base::Result<void> count_evicted_rejected(sqlite::Database& database, std::uint64_t records) {
  return records == 0 ? base::Result<void>() : add_to_meta(database, Meta::evicted_rejected, records);
}

base::Result<RejectedEvicted> evict_rejected(sqlite::Database& database, std::uint64_t bytes) {
  auto before = rejected_bytes(database);
  if (!before) return std::move(before).error();
  RejectedEvicted evicted;
  while (evicted.bytes < bytes) {
    auto gone = delete_oldest_rejected(database, kEvictedAtOnce);
    if (!gone) return std::move(gone).error();
    if (*gone == 0) break;
    evicted.records += *gone;
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
    auto ranges = ranges_of(file.database, block);
    if (!ranges) return std::move(ranges).error();
    for (RangeRow& range : *ranges) {
      const std::uint64_t before = range.ordinals.count();
      range.ordinals.remove_all(records);
      if (range.ordinals.count() == before) continue;
      auto done = range.ordinals.empty() ? delete_range(file.database, range) : store_range(file.database, range);
      if (!done) return done;
    }
    return {};
  }

  base::Result<void> store() {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    for (const std::uint64_t row : gone) {
      if (auto done = delete_rejected(file.database, row); !done) return done;
    }
    for (const auto& [block, records] : gone_in_place) {
      if (auto done = take_out(block, records); !done) return done;
    }
    for (const Refused& one : refused) {
      auto line = rejected_record(file.database, one.row);
      if (!line) return std::move(line).error();
      if (!*line) continue;
      const std::string record = with_reason(**line, one.object);
      auto done = update_rejected(file.database, {.number = one.row,
                                                  .time = one.time,
                                                  .status = one.status,
                                                  .tenant = one.tenant,
                                                  .reason = one.reason,
                                                  .url = one.url,
                                                  .record = record});
      if (!done) return done;
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

base::Result<std::unique_ptr<RejectedRedelivery>> RejectedRedelivery::open(const std::string& wanted, std::uint64_t spool,
                                                                           base::Duration wait, const base::Clock& clock,
                                                                           const base::Stop* stop) {
  const std::string path = real_path(wanted);
  auto state = std::make_unique<State>();
  state->path = path;
  state->clock = &clock;
  auto file = open_for_consumer(path, wait);
  if (!file) return std::move(file).error();
  if (file->id != spool) {
    return base::fail(base::Code::usage,
                      "cannot take records out of the rejected store of '{}': it is another spool than the one they come from "
                      "({:016x}, not {:016x})",
                      path, file->id, spool);
  }
  auto lock = LockFile::take(rejected_lock_path(path), fmt::format("rejected store of spool '{}'", path), wait, clock, stop);
  if (!lock && lock.error().code == base::Code::busy)
    return std::move(lock).error().with_hint("wait until that process ends, or end it");
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
  state_->refused.push_back({row, state_->clock->wall(), rejection.status, std::string(rejection.reason),
                             std::string(rejection.url), std::string(rejection.tenant), std::string(rejected)});
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
