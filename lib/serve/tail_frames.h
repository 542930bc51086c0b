// What a tail sends: entries as JSON, in frames of at most a hundred (loki: pkg/util/marshal, pkg/loghttp/tail.go).
//
//   {"streams":[{"stream":{…},"values":[["NS","line"]]},…],"dropped_entries":[{"timestamp":"NS","labels":{…}}],"encodingFlags":[…]}
//
// The page's frames keep the categories of labels apart, and each entry says its level: ["NS","line",{"level":"error",…}].
//
// Entries that cannot be sent because the client reads too slowly are dropped. The next frame names them, up to a thousand.
#pragma once

#include "base/clock.h"
#include "logql/log_query.h"
#include "record/label_set.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::serve {

enum class TailForm : std::uint8_t {
  loki,
  categorized,  // metadata and extracted labels stand beside each line, not among the labels
  old,          // that of /api/prom/tail
  page,         // as categorized, with the level beside each line
};

// Not thread safe.
class TailFrames {
 public:
  struct Limits {
    std::size_t frame_entries = 100;
    std::size_t bytes = 256 << 10;          // of entries that wait here
    std::size_t dropped = 1000;             // dropped entries that are named, of all that are counted
    std::size_t dropped_bytes = 256 << 10;  // of their names
  };
  TailFrames(TailForm form, const Limits& limits) : form_(form), limits_(limits) {}

  // An entry that a query shows, which came at `arrived`. `level` is for the page's form alone. False: there is no room, and
  // nothing was added.
  bool add(const logql::LogQuery::Entry& entry, base::Timestamp time, base::Monotonic arrived, std::string_view level = {});
  // The entry is dropped.
  void drop(const logql::LogQuery::Entry& entry, base::Timestamp time);

  // The next frame of entries that came before `arrived_before`, in the order of their time; nullopt when there is none. An entry
  // waits no longer than those that came with it, so it may go out behind a later one that came before it.
  [[nodiscard]] std::optional<std::string> next(base::Monotonic arrived_before);
  // When the oldest came; kNever when nothing waits.
  [[nodiscard]] base::Monotonic oldest() const { return waiting_.empty() ? base::kNever : waiting_.front().arrived; }
  [[nodiscard]] bool empty() const { return waiting_.empty() && ready_.empty() && dropped_.empty(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_count_; }
  // A frame that could not be sent goes out first, next time.
  void put_back(std::string frame) { unsent_ = std::move(frame); }
  [[nodiscard]] bool has_unsent() const { return unsent_.has_value(); }

 private:
  struct Waiting {
    base::Timestamp time;
    base::Monotonic arrived;
    std::string text;
  };
  [[nodiscard]] std::string dropped_text(const logql::LogQuery::Entry& entry, base::Timestamp time) const;

  const TailForm form_;
  const Limits limits_;
  std::deque<Waiting> waiting_;  // in the order in which they came
  std::deque<Waiting> ready_;    // by time, on their way out
  std::size_t bytes_ = 0;        // of both
  std::vector<std::string> dropped_;
  std::size_t dropped_bytes_ = 0;
  std::uint64_t dropped_count_ = 0;
  std::optional<std::string> unsent_;
};

}  // namespace weir::serve
