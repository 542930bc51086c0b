// What is new in a Loki, for whoever asks it the same query again and again: each entry once, late ones too.
//
// Why not Loki's own tail. Its WebSocket gives what arrives while it is open: it drops entries when the reader is slow, ends after
// an hour, and knows nothing of what came while it was closed. Whoever joins it to an ordinary query has to tell entries apart that
// both have shown. So following is nothing but ordinary queries whose times overlap, and a memory of what was shown.
//
//   late entry   an entry that arrives after its time: an agent was slow, a node was cut off. A query that begins where the last
//                one ended never sees it.
//   look         one query of a window of time, page by page. A quick look covers some seconds; it follows the present. A wide
//                look covers `late` more; it finds what came late.
//   soon         a quarter of `late`, between 1 s and 15 s: how long after its arrival a late entry shows. A wide look begins with
//                the late part of its window, which no quick look reads. So wide looks begin less than `soon` apart: the next one
//                may take longer, and so may the quick look before it. A quick look that would take until a wide one is due, by
//                what the last one took, is a wide one.
//   known        the entries that were shown, by hash of stream, time, line, metadata and parsed labels, each with a number: an
//                entry is new when this look has it once more often than it was shown.
//
// Invariants
//   - An entry is new once, whatever looks overlap, fail in the middle or are repeated: `known` only grows, until its times are
//     before every later window.
//   - An entry that arrives not more than `late` after its time is in the first wide look that begins after it arrived. That look's
//     window begins `late` before the begin of the last whole wide look.
//   - After a failure the windows go on where the last whole looks began. Senders were cut off, too, and wait up to about as long
//     again before they try. So for the length of the failure and `late` the wide windows begin before the failure.
//   - An answer that lacks known entries is not whole: a Loki that replays its log answers, but not with all it has. It counts as a
//     failure, for `doubt` at most, because entries can be deleted.
//   - At most `most` entries are known. When there are more, the oldest are forgotten, and no window begins before the rest:
//     later entries only count as late within that shorter time. shortened() says so.
//   - An entry that is not more than `late` late shows `soon`, or behind() says that it does not. Until the late part is read, an
//     entry may wait since the wide look before began; behind it, since the last look. A look reads all entries of its
//     window, so after a burst each look takes long. Between two looks there is a pause of a quarter of the time that the first one
//     took, so that a slow Loki is not kept busy all the time: a look that takes more than 12 s cannot keep the promise.
//
// No I/O and no clock: the caller gives the times. Not thread safe.
#pragma once

#include "base/clock.h"
#include "base/stable_hash.h"
#include "base/time_range.h"
#include "record/record.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace weir::loki {

class FollowWindow {
 public:
  struct Options {
    base::Duration late = base::kMinute;
    base::Duration overlap = 5 * base::kSecond;  // of a quick look with the one before
    base::Duration ahead = 10 * base::kMinute;   // Loki takes entries up to this far in the future
    base::Duration quick = base::kSecond;        // between two looks, while there are new entries
    base::Duration slow = 2 * base::kSecond;     // and while there are none
    base::Duration pause = base::kSecond;        // after the first failure; it doubles with each, up to the longest
    base::Duration longest_pause = 10 * base::kSecond;
    base::Duration doubt = 2 * base::kMinute;
    std::size_t most = 250'000;  // entries, of 32 bytes
  };
  // Entries before `from` are never new. `now`: up to when all that should be shown was read; what was, is given to shown().
  FollowWindow(base::Timestamp from, base::Timestamp now, const Options& options);

  struct Look {
    base::TimeRange window;
    bool wide = false;
  };
  // Begins a look. `wall` says which window, `now` which kind. Times of `wall` may jump.
  Look begin(base::Timestamp wall, base::Monotonic now);
  // Whether an entry of this look is new. It counts as shown from here on.
  bool is_new(base::Timestamp time, const base::Hash128& identity);
  // All entries that this look has so far were given to is_new(). For behind() only.
  void read_so_far(base::Monotonic now);
  // An entry that was shown before the first look.
  void shown(base::Timestamp time, const base::Hash128& identity);
  // From now on nothing before `time` is new.
  void start_at(base::Timestamp time) { floor_ = std::max(floor_, time); }
  // The look has read its whole window. False: it lacked entries that were there before, see above; otherwise as failed().
  bool done(base::Timestamp wall, base::Monotonic now);
  // The look got an error, now or in the middle.
  void failed(base::Monotonic now);

  // When the next look is due.
  [[nodiscard]] base::Monotonic due() const { return due_; }
  // How long looks have failed; 0 when the last one was whole.
  [[nodiscard]] base::Duration failing(base::Monotonic now) const { return failing_ ? now - failing_since_ : 0; }
  // Entries may be so late and no more, because there are too many. Nullopt while `late` holds.
  [[nodiscard]] std::optional<base::Duration> shortened() const;
  // How soon after its arrival an entry shows that is at most `late` late.
  [[nodiscard]] base::Duration soon() const;
  // Entries show so long after their arrival, because looks take long. It counts up while a look is on its way, and holds until a
  // wide look ends soon enough. Nullopt: they show `soon`, or looks fail, which failing() tells.
  [[nodiscard]] std::optional<base::Duration> behind(base::Monotonic now) const;
  [[nodiscard]] std::size_t known() const { return known_.size() + fresh_.size(); }

 private:
  struct Known {
    base::Timestamp time = 0;
    base::Hash128 identity;
    std::uint32_t shown = 0;
    std::uint32_t seen = 0;  // in this look
  };
  struct Key {
    base::Timestamp time = 0;
    base::Hash128 identity;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct HashOf {
    std::size_t operator()(const Key& key) const { return key.identity.low ^ static_cast<std::uint64_t>(key.time); }
  };
  Known* find(base::Timestamp time, const base::Hash128& identity);
  void settle();  // moves fresh_ into known_, and keeps to the bound
  void forget(base::Timestamp before);
  [[nodiscard]] base::Duration waited(base::Monotonic now) const;
  [[nodiscard]] bool lacks_known() const;
  void end_failure(base::Timestamp wall);

  Options options_;
  std::vector<Known> known_;                              // sorted by time and identity
  std::unordered_map<Key, std::uint32_t, HashOf> fresh_;  // new in this look: how often
  Look look_;
  base::Timestamp look_wall_ = 0;  // when this look began
  base::Monotonic look_begin_ = 0;
  bool news_ = false;               // this look had new entries
  base::Timestamp floor_;           // no window begins before, and nothing before is new
  base::Timestamp quick_from_;      // the begin of the last whole look
  base::Timestamp wide_from_;       // of the last whole wide look
  base::Timestamp held_from_ = 0;   // wide windows begin here or before,
  base::Timestamp held_until_ = 0;  // until this time
  base::Timestamp wall_ = 0;        // the latest
  base::Monotonic due_ = 0, wide_due_ = 0;
  std::optional<base::Monotonic> wide_begin_;  // of the last whole wide look; before there is one, of the first look
  base::Monotonic last_begin_ = 0;             // of the last whole look
  base::Timestamp late_end_ = 0;               // where the late part of this look ends
  base::Timestamp passed_ = 0;                 // the latest entry of this look
  std::optional<base::Monotonic> late_read_;   // when this wide look had read its late part
  base::Duration quick_took_ = 0;              // the last quick look
  base::Duration behind_ = 0;  // the longest that an entry may have waited for the last wide look, if that is too long
  base::Duration pause_ = 0;
  bool failing_ = false;
  base::Monotonic failing_since_ = 0;
  base::Timestamp trusted_from_;  // entries before may be gone
  bool doubting_ = false;
  base::Monotonic doubting_since_ = 0;
  bool shortened_ = false;
};

// What makes two entries the same one.
[[nodiscard]] base::Hash128 identity_of(record::Batch& batch, record::Record& record);

}  // namespace weir::loki
