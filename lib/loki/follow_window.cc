#include "loki/follow_window.h"

#include <algorithm>
#include <iterator>

namespace weir::loki {

using base::Duration;
using base::Hash128;
using base::Monotonic;
using base::Timestamp;

namespace {

constexpr std::size_t kFresh = 16'384;  // entries that are kept apart before they are sorted in
constexpr Duration kSoonLeast = base::kSecond, kSoonMost = 15 * base::kSecond;

bool before(Timestamp a_time, const Hash128& a, Timestamp b_time, const Hash128& b) {
  if (a_time != b_time) return a_time < b_time;
  return a.high != b.high ? a.high < b.high : a.low < b.low;
}

}  // namespace

FollowWindow::FollowWindow(Timestamp from, Timestamp now, const Options& options)
    : options_(options), floor_(from), quick_from_(now), wide_from_(now), wall_(now), trusted_from_(from) {}

FollowWindow::Look FollowWindow::begin(Timestamp wall, Monotonic now) {
  settle();
  for (Known& entry : known_) entry.seen = 0;
  const bool recovers = failing_;
  if (!wide_begin_) wide_begin_ = last_begin_ = now;
  look_.wide = recovers || now + quick_took_ >= wide_due_;
  // A clock that was put back must not move a window past what was not read yet.
  Timestamp low = std::min(wall, quick_from_) - options_.overlap;
  late_end_ = low;
  passed_ = 0;
  late_read_.reset();
  if (look_.wide) low = std::min(low, std::min(wall, wide_from_) - options_.late);
  if (look_.wide && wall < held_until_) low = std::min(low, held_from_);
  wall_ = std::max(wall_, wall);
  look_.window = {std::max(low, floor_), wall_ + options_.ahead};
  look_wall_ = wall;
  look_begin_ = now;
  news_ = false;
  return look_;
}

FollowWindow::Known* FollowWindow::find(Timestamp time, const Hash128& identity) {
  const auto at = std::lower_bound(known_.begin(), known_.end(), time, [&](const Known& entry, Timestamp) {
    return before(entry.time, entry.identity, time, identity);
  });
  return at != known_.end() && at->time == time && at->identity == identity ? &*at : nullptr;
}

bool FollowWindow::is_new(Timestamp time, const Hash128& identity) {
  passed_ = std::max(passed_, time);
  if (time < floor_) return false;  // nobody knows any more
  if (Known* entry = find(time, identity); entry != nullptr) {
    if (++entry->seen <= entry->shown) return false;
    ++entry->shown;
    return news_ = true;
  }
  ++fresh_[{time, identity}];
  if (fresh_.size() >= kFresh) settle();
  return news_ = true;
}

void FollowWindow::shown(Timestamp time, const Hash128& identity) {
  if (time < floor_) return;
  if (Known* entry = find(time, identity); entry != nullptr) {
    ++entry->shown;
    return;
  }
  ++fresh_[{time, identity}];
  if (fresh_.size() >= kFresh) settle();
}

void FollowWindow::settle() {
  if (!fresh_.empty()) {
    const auto earlier = [](const Known& a, const Known& b) { return before(a.time, a.identity, b.time, b.identity); };
    const auto middle = static_cast<std::ptrdiff_t>(known_.size());
    for (const auto& [key, count] : fresh_) known_.push_back({key.time, key.identity, count, count});
    fresh_.clear();
    std::sort(known_.begin() + middle, known_.end(), earlier);
    std::inplace_merge(known_.begin(), known_.begin() + middle, known_.end(), earlier);
  }
  if (known_.size() <= options_.most) return;
  const std::size_t kept = options_.most - options_.most / 8;
  forget(known_[known_.size() - kept - 1].time + 1);
  shortened_ = true;
}

// All before this time. A window may still begin there, unless something is forgotten: a clock that was wrong hides nothing.
void FollowWindow::forget(Timestamp time) {
  const auto end = std::partition_point(known_.begin(), known_.end(), [&](const Known& entry) { return entry.time < time; });
  if (end == known_.begin()) return;
  floor_ = std::max(floor_, std::prev(end)->time + 1);
  known_.erase(known_.begin(), end);
}

bool FollowWindow::lacks_known() const {
  return std::any_of(known_.begin(), known_.end(), [&](const Known& entry) {
    return entry.seen < entry.shown && entry.time >= trusted_from_ && look_.window.contains(entry.time);
  });
}

bool FollowWindow::done(Timestamp wall, Monotonic now) {
  settle();
  if (lacks_known()) {
    if (!doubting_) doubting_since_ = now;
    doubting_ = true;
    if (now - doubting_since_ < options_.doubt) {
      failed(now);
      due_ = base::after(now, 2 * options_.pause);
      return false;
    }
    trusted_from_ = look_wall_;
  }
  doubting_ = false;
  const bool recovered = failing_;
  if (failing_) end_failure(wall);
  quick_from_ = look_wall_;
  const Duration took = now - look_begin_;
  if (!look_.wide) quick_took_ = took;
  if (look_.wide) {
    if (!late_read_) late_read_ = now;
    const Duration waits = waited(now);
    behind_ = waits > soon() && !recovered ? waits : 0;
    wide_begin_ = look_begin_;
    quick_took_ = std::min(quick_took_, took);  // it reads less
    wide_from_ = look_wall_;
    wide_due_ = look_begin_ + std::clamp(soon() - 2 * took, soon() / 2, soon() * 5 / 8);
    // What no later window reaches. A shorter memory than the window would show entries again.
    Timestamp oldest = std::min(look_wall_, wide_from_) - options_.late;
    oldest = std::min(oldest, look_wall_ - options_.overlap);
    if (wall < held_until_) oldest = std::min(oldest, held_from_);
    forget(oldest);
    if (shortened_ && floor_ <= look_wall_ - options_.late) shortened_ = false;
  }
  last_begin_ = look_begin_;
  pause_ = news_ ? options_.quick : std::clamp(pause_ + pause_ / 4, options_.quick, std::max(options_.slow, options_.quick));
  due_ = look_begin_ + std::max(pause_, 2 * took);
  due_ = std::min(due_, std::max(wide_due_, now + took / 4));
  return true;
}

void FollowWindow::end_failure(Timestamp wall) {
  failing_ = false;
  pause_ = options_.quick;
  const Timestamp last_whole = std::min(quick_from_, wide_from_);
  const Duration length = std::max<Duration>(wall - last_whole, 0);
  const Timestamp from = wide_from_ - options_.late;
  held_from_ = wall < held_until_ ? std::min(held_from_, from) : from;
  held_until_ = std::max(held_until_, wall + length + options_.late);
}

void FollowWindow::failed(Monotonic now) {
  if (!failing_) {
    failing_since_ = look_begin_;
    pause_ = options_.pause / 2;
  }
  failing_ = true;
  pause_ = std::min(pause_ * 2, options_.longest_pause);
  due_ = base::after(now, pause_);
}

Duration FollowWindow::soon() const { return std::clamp(options_.late / 4, kSoonLeast, kSoonMost); }

void FollowWindow::read_so_far(Monotonic now) {
  if (look_.wide && !late_read_ && passed_ >= late_end_) late_read_ = now;
}

// The longest that an entry may have waited which this look has shown, or has yet to show.
Duration FollowWindow::waited(Monotonic now) const {
  return late_read_ ? std::max(*late_read_ - *wide_begin_, now - last_begin_) : now - *wide_begin_;
}

std::optional<Duration> FollowWindow::behind(Monotonic now) const {
  if (failing_ || !wide_begin_) return std::nullopt;
  const Duration waits = std::max(waited(now), behind_);
  return waits > soon() ? std::optional(waits) : std::nullopt;
}

std::optional<Duration> FollowWindow::shortened() const {
  if (!shortened_) return std::nullopt;
  return std::max<Duration>(wall_ - floor_, 0);
}

Hash128 identity_of(record::Batch& batch, record::Record& record) {
  Hash128 hash = base::stable_hash(record.labels->hash(), {});
  hash = base::stable_hash(batch.line(record), hash);
  for (const record::Label& label : record.metadata) hash = base::stable_hash(label.value, base::stable_hash(label.name, hash));
  return record.extra == nullptr ? hash : base::stable_hash(record.extra->parsed, hash);
}

}  // namespace weir::loki
