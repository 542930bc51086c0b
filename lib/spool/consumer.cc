#include "spool/consumer.h"

#include "spool/lock_file.h"
#include "spool/recent_file.h"
#include "spool/recent_places.h"
#include "spool/rejected_store.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::spool {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMaxLog = 32 << 20;

bool valid_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

}  // namespace

struct Consumer::State {
  ConsumerOptions options;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;
  PlaceSet places;
  std::optional<BlockPlace> next;  // the stream has brought, or left out on purpose, everything before it
  RejectedStore rejections;
  // What of `places` may be noted while rejections wait: all but theirs, which come again after a kill.
  std::optional<PlaceSet> without_rejected;
  bool not_to_note = false;  // a record of a waiting stream was rejected: its place and the others' cannot be distinguished
  std::uint64_t evicted_rejected = 0;
  RecentFile recent;
  base::Timestamp stored = 0;  // the row's `updated`
  bool changed = false;        // since the last commit
  bool noted = true;

  base::Result<void> load() {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    auto row = read_consumer(file.database, options.name);
    if (!row) return std::move(row).error();
    if (*row) {
      places = std::move((*row)->places);
      stored = (*row)->updated;
      if (const auto recently = read_recent_places(options.path, file.id, options.name); recently && recently->updated == stored) {
        places = recently->places;  // builds on this row
        changed = true;
      }
    } else {
      stored = clock->wall();
      const ConsumerRow fresh{.name = options.name, .match = options.match, .places = {}, .created = stored, .updated = stored};
      if (auto done = insert_consumer(file.database, fresh); !done) return done;
    }
    // What was evicted before anybody could take it is nothing to wait for.
    auto oldest = oldest_block(file.database);
    if (!oldest) return std::move(oldest).error();
    if (*oldest > 0) places.add_before({*oldest, 0});
    return transaction->commit();
  }

  base::Result<void> store();

  void touch() {
    changed = true;
    noted = false;
  }

  // Whatever is said of places, but for those of rejections.
  template <typename Change>
  void change(const Change& change) {
    change(places);
    if (without_rejected) change(*without_rejected);
    touch();
  }

  void note() {
    if (changed && !noted) noted = recent.write(encode_recent(stored, without_rejected ? *without_rejected : places));
  }

  void reject(BlockPlace place) {
    if (!without_rejected) without_rejected = places;
    not_to_note = not_to_note || !places.waiting().empty();
    places.add(place, {place.block, place.ordinal + 1});
    touch();
  }

  base::Result<Verdict> arrive(const record::Record& record, bool is_record) {
    const record::Source& source = record.source;
    if (source.kind != record::Source::Kind::block) return Verdict::take;
    if (source.spool != file.id) {
      return base::fail(base::Code::usage,
                        "cannot acknowledge into '{}': the records come out of another spool ({:016x}, not {:016x})", options.path,
                        source.spool, file.id);
    }
    const BlockPlace place{source.block, source.ordinal};
    if (!next) next = place;
    if (place < *next) {
      // The source went back, as it does when it starts again: what it skips from here on was not dropped.
      next = place;
    } else if (place > *next) {
      change([&](PlaceSet& set) { set.add(*next, place); });
    }
    next = is_record ? BlockPlace{place.block, place.ordinal + 1} : place;
    return is_record && places.has(place, record) ? Verdict::repeat : Verdict::take;
  }
};

Consumer::Consumer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Consumer::~Consumer() = default;

base::Result<std::unique_ptr<Consumer>> Consumer::open(const ConsumerOptions& wanted, const base::Clock& clock,
                                                       const base::Stop* stop) {
  ConsumerOptions options = wanted;
  options.path = real_path(wanted.path);
  if (!valid_name(options.name)) {
    return base::fail(base::Code::usage, "cannot use consumer name '{}': 1 to 64 letters, digits, '.', '_' and '-' are allowed",
                      options.name);
  }
  auto state = std::make_unique<State>();
  state->options = options;
  state->clock = &clock;
  // The identity is checked before the lock, so that a wrong path leaves no lock file behind.
  auto file = open_for_consumer(options.path, options.wait);
  if (!file) return std::move(file).error();
  if (options.spool != 0 && options.spool != file->id) {
    return base::fail(base::Code::usage,
                      "cannot acknowledge into '{}': it is another spool than the one the records come from ({:016x}, not {:016x})",
                      options.path, file->id, options.spool);
  }
  const std::string what = fmt::format("consumer '{}' of spool '{}'", options.name, options.path);
  auto lock = LockFile::take(consumer_lock_path(options.path, options.name), what, options.wait, clock, stop);
  if (!lock && lock.error().code == base::Code::busy) {
    return std::move(lock).error().with_hint("end that process, or give this one a name and a place of its own: push --as NAME");
  }
  if (!lock) return std::move(lock).error();
  state->lock = std::move(*lock);
  state->file = std::move(*file);
  auto loaded = state->load();
  if (!loaded && loaded.error().code == base::Code::full && Reserve::release(options.path)) loaded = state->load();
  if (!loaded) return std::move(loaded).error();
  state->recent = RecentFile(consumer_recent_path(options.path, options.name), state->file.id);
  return std::unique_ptr<Consumer>(new Consumer(std::move(state)));
}

std::uint64_t Consumer::spool() const { return state_->file.id; }
const PlaceSet& Consumer::acknowledged() const { return state_->places; }

base::Result<Verdict> Consumer::track(const record::Record& record) {
  using Type = record::Marker::Type;
  if (record.marker != nullptr && record.marker->type == Type::begin) {
    if (record.marker->spool != 0 && record.marker->spool != state_->file.id) {
      return base::fail(base::Code::usage, "cannot acknowledge into '{}': the stream comes out of another spool",
                        state_->options.path);
    }
    // Where this stream starts; what lies before is not its business.
    state_->next.reset();
    if (record.source.kind == record::Source::Kind::block) state_->next = BlockPlace{record.source.block, record.source.ordinal};
    return Verdict::take;
  }
  if (record.marker != nullptr && record.marker->type == Type::block && record.source.spool == state_->file.id) {
    auto verdict = state_->arrive(record, false);
    if (verdict) {
      // Whatever the block's last ordinals were: the next thing is in a later block.
      const BlockPlace after{record.source.block + 1, 0};
      state_->change([&](PlaceSet& set) { set.add(*state_->next, after); });
      state_->next = after;
    }
    return verdict;
  }
  if (record.marker != nullptr && record.marker->type == Type::position && record.source.kind == record::Source::Kind::block) {
    // A position marker stands in for the last record that was dropped, so it covers that record.
    auto verdict = state_->arrive(record, true);
    if (verdict) {
      state_->change([&](PlaceSet& set) {
        set.add({record.source.block, record.source.ordinal}, {record.source.block, record.source.ordinal + 1});
      });
      return Verdict::take;
    }
    return verdict;
  }
  return state_->arrive(record, record.marker == nullptr);
}

void Consumer::acknowledge(std::uint64_t block, std::uint32_t first, std::uint32_t last) {
  state_->change([&](PlaceSet& set) { set.add({block, first}, {block, last + 1}); });
}

void Consumer::acknowledge(std::span<const PlaceSet::Stretch> stretches) {
  if (stretches.empty()) return;
  state_->change([&](PlaceSet& set) { set.add_sorted(stretches); });
}

void Consumer::leave(std::uint64_t stream, BlockPlace place) {
  state_->change([&](PlaceSet& set) {
    set.wait_also(stream, place);
    set.add(place, {place.block, place.ordinal + 1});
  });
}

void Consumer::wait_from(std::uint64_t stream, BlockPlace from) {
  if (!state_->places.waits(stream)) return;
  state_->change([&](PlaceSet& set) {
    if (set.waits(stream)) set.wait(stream, from);
  });
}

void Consumer::stop_waiting(std::uint64_t stream) {
  state_->change([&](PlaceSet& set) { set.stop_waiting(stream); });
}

BlockPlace Consumer::position() const { return state_->next.value_or(BlockPlace{}); }

void Consumer::reject(std::uint64_t block, std::uint32_t ordinal, const Rejection& rejection) {
  state_->rejections.add(state_->clock->wall(), state_->options.name, {block, ordinal}, rejection);
  state_->reject({block, ordinal});
}

void Consumer::reject_in_place(std::uint64_t block, std::uint32_t ordinal, std::string_view kind, const Rejection& rejection) {
  state_->rejections.add_in_place(state_->clock->wall(), state_->options.name, {block, ordinal}, kind, rejection);
  state_->reject({block, ordinal});
}

std::size_t Consumer::rejections_waiting() const { return state_->rejections.bytes(); }

std::uint64_t Consumer::take_evicted_rejected() { return std::exchange(state_->evicted_rejected, 0); }

bool Consumer::note() {
  if (!state_->rejections.empty()) return false;
  state_->note();
  return state_->noted;
}

void Consumer::note_delivered() {
  if (!state_->not_to_note) state_->note();
}

base::Result<void> Consumer::commit() {
  State& state = *state_;
  if (!state.changed && state.rejections.empty()) return {};
  auto done = state.store();
  if (!done && done.error().code == base::Code::full && Reserve::release(state.options.path)) done = state.store();
  return done;
}

base::Result<void> Consumer::State::store() {
  State& state = *this;
  auto transaction = sqlite::Transaction::begin(state.file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  // Always later than before, also when the clock was set back: the recent file identifies the state of the row by this time.
  const base::Timestamp now = std::max(state.clock->wall(), state.stored + 1);
  // `weir spool forget` may have deleted the row in the meantime. Then it stays deleted, and the spool keeps no records for the
  // name.
  if (auto done = update_consumer(state.file.database, state.options.name, state.options.match, state.places, now); !done)
    return done;
  std::uint64_t evicted = 0;
  if (!state.rejections.empty()) {
    auto limit = read_meta(state.file.database, Meta::rejected_max);
    if (!limit) return std::move(limit).error();
    auto written = state.rejections.write(state.file.database, *limit > 0 ? static_cast<std::uint64_t>(*limit) : kRejectedMax);
    if (!written) return std::move(written).error();
    evicted = *written;
  }
  if (auto done = transaction->commit(); !done) return done;
  state.evicted_rejected += evicted;
  state.rejections.clear();
  state.without_rejected.reset();
  state.not_to_note = false;
  state.changed = false;
  state.stored = now;

  // A drain with no writer beside it copies the log itself, as the writer of that moment.
  if (static_cast<std::uint64_t>(state.file.database.log_frames()) * kPage >= kMaxLog) {
    auto writer = LockFile::take(writer_lock_path(state.options.path), "", 0, *state.clock, nullptr);
    if (writer) static_cast<void>(state.file.database.checkpoint(false));
  }
  return {};
}

}  // namespace weir::spool
