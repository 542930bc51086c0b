// Records that wait until the pod of their log is known, and the markers of that log, in the order in which they came.
//
// Only that log waits: the others pass. A record of a tracked stream waits with its whole log, both stdout and stderr, since a
// position says that everything of the log before it is safe. Where nothing is tracked, it waits with its pod, which takes its logs
// along.
//
// The records are copies, in memory that all logs share (a Batch takes 256 KiB at least, and a hundred pods may start at once). It
// is used again when nothing waits, and is copied together when most of it is of records that went on. Not thread safe.
#pragma once

#include "base/clock.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::stages {

class PodWait {
 public:
  // Of this many bytes on, whoever feeds it is to wait. What a batch brings is always taken.
  static constexpr std::size_t kEnough = 1 << 20;

  struct Waiting {
    std::string uid, namespace_name, pod;  // as kube::PodId
    base::Monotonic until = 0;
  };

  [[nodiscard]] bool empty() const { return logs_.empty(); }
  // Whether records of its log wait. Source::Kind::none: whether there are records of the pod that wait (pod_waits).
  [[nodiscard]] bool log_waits(const record::Source& source) const {
    return source.kind == record::Source::Kind::file && by_log_.contains(source.log);
  }
  // As the caller names it in add().
  [[nodiscard]] bool pod_waits(std::string_view key) const { return by_pod_.contains(key); }

  // A record or marker of a log that waits (log_waits).
  void add(const record::Record& record);
  // The first one of its log that waits, or another one of a pod in a stream that is not tracked. `waiting.until` counts where
  // nothing of the log waits yet.
  void add(const record::Record& record, std::string_view pod_key, Waiting waiting);

  // Calls ready(const Waiting&) for each log that waits, the oldest first, and moves what waits for the first for which it is true
  // into `out`, behind what is there. False: for none.
  template <typename Ready>
  bool take(record::Batch& out, Ready&& ready) {
    for (auto log = logs_.begin(); log != logs_.end(); ++log) {
      if (!ready(std::as_const(log->about))) continue;
      move_out(log, out);
      return true;
    }
    return false;
  }

  // When the first of them has waited long enough; base::kNever where nothing waits.
  [[nodiscard]] base::Monotonic due() const;
  [[nodiscard]] std::uint64_t records() const { return records_; }  // markers are none
  [[nodiscard]] std::size_t bytes() const { return bytes_; }        // of what waits, markers among it

 private:
  struct Entry {
    std::size_t at = 0;     // in store_.records
    std::size_t bytes = 0;  // of the copy
  };
  struct Log {
    Waiting about;
    std::string pod_key;
    std::uint32_t log = 0;
    bool tracked = false;
    std::vector<Entry> entries;
  };
  using Logs = std::list<Log>;

  void put(Log& log, const record::Record& record);
  void move_out(Logs::iterator log, record::Batch& out);
  void tidy();

  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  record::Batch store_;
  Logs logs_;                                                                            // in the order in which they began to wait
  std::unordered_map<std::uint32_t, Logs::iterator> by_log_;                             // tracked
  std::unordered_map<std::string, Logs::iterator, StringHash, std::equal_to<>> by_pod_;  // not tracked
  std::uint64_t records_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace weir::stages
