// The decisions of the watcher that need no file: values and pure functions (watch_machine.h drives them).
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::tail {

// When changes of logs are reported to the reader. After a quiet time they are gathered for a moment. While more keep coming they
// are reported at intervals, because each report wakes the whole chain.
class GatherPace {
 public:
  // `gather`: from the first event after a quiet time to the report. `spacing`: the least time from one report to the next.
  GatherPace(base::Duration gather, base::Duration spacing, base::Monotonic now)
      : gather_(gather), spacing_(spacing), reported_(now - spacing) {}
  // When it is time to report; base::kNever while nothing was written.
  [[nodiscard]] base::Monotonic due() const { return due_; }
  void written(base::Monotonic now);
  // `more`: some logs are checked without events, so that the next report is due by itself.
  void reported(base::Monotonic now, bool more);

 private:
  const base::Duration gather_, spacing_;
  base::Monotonic reported_;
  base::Monotonic due_ = base::kNever;
};

// Of the files that had a log's name: how many creations inotify reported, and how many files were opened. A file may be opened
// before or after its creation is reported. Created files that were never opened came and went, and are reported as lost.
class FileCount {
 public:
  // The creation of one was reported. True for the first that nobody has opened.
  bool create() { return created_++ == 0; }
  // So many were opened. `round`: how often all events of creation had been read.
  void open(std::uint64_t count, std::uint64_t round);
  // All events of creation were read. How many created ones nobody has opened.
  std::uint64_t settle(std::uint64_t round);
  // Their number; from now on they count as reported.
  std::uint64_t take_unopened();
  // One that was created is another log's.
  void forget_one();

 private:
  std::uint64_t created_ = 0;    // that nobody has opened yet
  std::uint64_t opened_ = 0;     // whose creation may not have been reported yet
  std::uint64_t opened_in_ = 0;  // the round in which the latest of them was
};

// A file under a name that keeps the extension, server-2024-05-01.log, which may be a rotation of server.log or a log of its own.
struct FoundRotation {
  std::string shape;  // rotation_shape(); "": a file that positions call another log's
  base::Timestamp modified = 0;
  bool known = false;       // positions call it a generation of the log …
  bool to_be_read = false;  // … that reading goes on in, or behind
};
enum class RotationVerdict : std::uint8_t {
  another,     // no rotation, as far as is known; also one that is known
  read,        // a rotation that was read before
  to_be_read,  // a rotation that resume() takes for a later generation
};
// `rotations`: the oldest by name first. One was read before if it was last written before a known one of its shape was and is
// older by name: it was there when that was read. One behind a known one that is to be read is to be read as well.
[[nodiscard]] std::vector<RotationVerdict> judge_rotations(std::span<const FoundRotation> rotations);

// A file that positions call a log's, found under another name after a restart.
struct ClaimedFile {
  bool gone = false;          // its log has ended
  bool to_be_read = false;    // reading of its log goes on in it, or behind it
  bool log_is_there = false;  // its log has a file under its own name
  bool grown = false;         // something was added since it was read
};
// Whether it becomes a log of its own, from where it was read on; otherwise it is another name of a file of its log.
[[nodiscard]] constexpr bool is_free(const ClaimedFile& file) {
  return file.gone || (!file.to_be_read && (!file.log_is_there || file.grown));
}

}  // namespace weir::tail
