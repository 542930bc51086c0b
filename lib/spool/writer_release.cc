// What the writer does for a release (spool/release.h): held records become undelivered ones, one held block a transaction.
#include "spool/writer_state.h"

#include "spool/block_decoder.h"
#include "spool/lock_file.h"
#include "spool/release.h"
#include "spool/tables/blocks.h"
#include "spool/tables/meta.h"
#include "spool/tables/rejected.h"
#include "spool/tables/releases.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace weir::spool {
namespace {

constexpr base::Duration kReleasesKept = 30 * 24 * base::kHour;

// Gives a record the name of its release.
class ReleaseMark {
 public:
  ReleaseMark(std::string_view id, base::Timestamp now, base::Duration max_behind) : id_(id), now_(now), max_behind_(max_behind) {}

  void put(record::Batch& batch, record::Record& record) {
    record.held = false;
    record.touch();
    const bool own = needs_own_stream(record.timestamp, now_, max_behind_);
    if (own) record.labels = batch.hold(own_stream(record.labels));
    // In front, where push finds it with one comparison. One of the same name came from elsewhere and would mislead.
    const auto others = static_cast<std::size_t>(
        std::ranges::count_if(record.metadata, [](const record::Label& one) { return one.name != kReleaseName; }));
    const auto metadata = batch.allocate_labels(others + (own ? 0 : 1));
    std::size_t to = 0;
    if (!own) metadata[to++] = {kReleaseName, id_};
    for (const record::Label& one : record.metadata) {
      if (one.name != kReleaseName) metadata[to++] = one;
    }
    record.metadata = metadata;
  }

 private:
  const record::LabelSetRef& own_stream(const record::LabelSet* labels) {
    record::LabelSetRef& own = own_[labels];
    if (!own) {
      std::vector<record::Label> all(labels->labels().begin(), labels->labels().end());
      all.push_back({kReleaseName, id_});
      own = record::LabelSet::intern(all);
    }
    return own;
  }

  const std::string_view id_;
  const base::Timestamp now_;
  const base::Duration max_behind_;
  std::map<const record::LabelSet*, record::LabelSetRef> own_;
};

}  // namespace

base::Result<bool> Writer::releases_wait() {
  auto request = next_release_request(state_->file.database);
  if (!request) return state_->note_damage(std::move(request).error());
  return request->has_value();
}

base::Result<std::optional<Released>> Writer::release_next(BlockBuilder& builder) {
  State& state = *state_;
  auto request = next_release_request(state.file.database);
  if (!request) return state.note_damage(std::move(request).error());
  if (!*request) return std::optional<Released>();
  State::Release release{.release = (*request)->release, .held_block = (*request)->block, .asked = (*request)->records};
  state.check_clock();
  if (auto copied = state.copy_held(**request, builder, release); !copied) return state.note_damage(std::move(copied).error());
  Released released{.release = release.release, .records = release.copied.count(), .line_bytes = builder.line_bytes()};
  if (builder.empty()) {
    auto transaction = sqlite::Transaction::begin(state.file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    if (auto stored = state.store_release(release, 0); !stored) return state.note_damage(std::move(stored).error());
    if (auto done = transaction->commit(); !done) return state.note_damage(std::move(done).error());
    return std::optional(std::move(released));
  }
  auto number = state.numbers.hands_out() ? hand_out() : base::Result<std::uint64_t>(state.numbers.next());
  if (!number) {
    builder.take(builder.take());
    return std::move(number).error();
  }
  release.number = *number;
  auto appended = state.append({.builder = &builder, .release = &release});
  if (!appended) {
    builder.take(builder.take());
    return std::move(appended).error();
  }
  released.appended = *appended;
  return std::optional(std::move(released));
}

// What the request names and is still held goes into `builder`. Nothing, when the block is gone or damaged: a reader that finds it
// damaged has it set aside.
base::Result<void> Writer::State::copy_held(const ReleaseRequestRow& request, BlockBuilder& builder, Release& release) {
  BlockRow row;
  auto found = read_block(file.database, request.block, row);
  if (!found) return std::move(found).error();
  if (!*found || !row.sound()) return {};
  auto released = read_released(file.database, request.block);
  if (!released) return std::move(released).error();
  BlockDecoder decoder;
  auto streams = decoder.streams(row.streams);
  record::Batch batch;
  std::vector<std::uint32_t> ordinals;
  if (!streams || !decoder.records(row.body, *streams, row.info.records, {}, batch, ordinals)) return {};
  ReleaseMark mark(request.release, clock->wall(), max_behind);
  for (std::size_t i = 0; i < ordinals.size(); ++i) {
    record::Record& record = batch.records[i];
    if (!record.held || !request.ordinals.contains(ordinals[i]) || released->contains({request.block, ordinals[i]})) continue;
    mark.put(batch, record);
    builder.add(record);
    release.copied.add(ordinals[i]);
  }
  return {};
}

base::Result<void> Writer::State::store_release(const Release& release, std::uint64_t block) {
  if (block != 0) {
    auto places = read_released(file.database, release.held_block);
    if (!places) return std::move(places).error();
    OrdinalSet released = places->ordinals_of(release.held_block);
    released.add_all(release.copied);
    if (auto put = put_released(file.database, release.held_block, released); !put) return put;
    const ReleaseBlockRow row{.block = block, .release = release.release, .records = release.copied.count()};
    if (auto added = add_release_block(file.database, row); !added) return added;
  }
  if (auto counted = count_released(file.database, release.release, release.copied.count(), release.asked - release.copied.count());
      !counted)
    return counted;
  return delete_release_request(file.database, release.release, release.held_block);
}

// A block with released records is about to go: what became of them is kept for `weir spool status`.
base::Result<void> Writer::State::count_release_block(std::uint64_t block, bool undelivered) {
  auto known = is_release_block(file.database, block);
  if (!known || !*known) return known ? base::Result<void>() : std::move(known).error();
  std::vector<std::uint32_t> whole;
  if (auto read = rejected_ordinals(file.database, block, whole); !read) return read;
  auto rejected_places = ordinals_in_ranges(file.database, block);
  if (!rejected_places) return std::move(rejected_places).error();
  for (const std::uint32_t ordinal : whole) rejected_places->add(ordinal);
  return release_block_goes(file.database, block, rejected_places->count(), undelivered);
}

base::Result<void> Writer::State::maintain_releases() {
  auto releases = read_releases(file.database);
  if (!releases) return std::move(releases).error();
  if (releases->empty()) return {};
  const base::Timestamp old = clock->wall() - kReleasesKept;
  const auto abandoned = [](const ReleaseRow& one) { return one.state == ReleaseState::selecting; };
  const bool some_old = releases->front().created < old;
  // Whoever asks holds this lock; while we have it nobody begins.
  LockFile nobody_asks;
  bool some_abandoned = std::ranges::any_of(*releases, abandoned) && !is_locked(release_lock_path(options.path));
  if (some_abandoned) {
    auto taken = LockFile::take(release_lock_path(options.path), "a release", 0, *clock, nullptr);
    some_abandoned = taken.ok();
    if (taken) nobody_asks = std::move(*taken);
  }
  if (!some_old && !some_abandoned) return {};
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (some_abandoned) {
    for (const ReleaseRow& one : *releases) {
      if (!abandoned(one)) continue;
      // It may have been finished before we had the lock.
      auto now = read_release(file.database, one.id);
      if (!now) return std::move(now).error();
      if (!*now || !abandoned(**now)) continue;
      if (auto done = abandon_release(file.database, one.id); !done) return done;
    }
  }
  if (some_old) {
    if (auto done = delete_old_releases(file.database, old); !done) return done;
  }
  return transaction->commit();
}

}  // namespace weir::spool
