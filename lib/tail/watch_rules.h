// The decisions of the watcher that need no file: values and pure functions (watch_machine.h drives them).
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::tail {

// When what was written to logs is told. After a quiet time it is gathered for a moment, and while more keeps coming it is told now
// and then, because each telling is a wake-up of the whole chain.
class GatherPace {
 public:
  // `gather`: from the first event after a quiet time until it is told. `spacing`: at least, from one telling to the next.
  GatherPace(base::Duration gather, base::Duration spacing, base::Monotonic now)
      : gather_(gather), spacing_(spacing), told_(now - spacing) {}
  // When it is time to tell; base::kNever while nothing was written.
  [[nodiscard]] base::Monotonic due() const { return due_; }
  void written(base::Monotonic now);
  // `more`: some logs are looked at without events, so that the next telling is due by itself.
  void told(base::Monotonic now, bool more);

 private:
  const base::Duration gather_, spacing_;
  base::Monotonic told_;
  base::Monotonic due_ = base::kNever;
};

// Of the files that had a log's name: how many inotify told of, and how many were opened. A file may be opened before its creation
// is told, or after. What is left of the created ones came and went before anybody could open them, and is told as lost.
class FileCount {
 public:
  // The creation of one was told. True for the first that nobody has opened.
  bool create() { return created_++ == 0; }
  // So many were opened. `round`: how often all events of creation had been read.
  void open(std::uint64_t count, std::uint64_t round);
  // All events of creation were read. How many created ones nobody has opened.
  std::uint64_t settle(std::uint64_t round);
  // Their number, and they are told then.
  std::uint64_t take_unseen();
  // One that was created is another log's.
  void forget_one();

 private:
  std::uint64_t created_ = 0;    // that nobody has opened yet
  std::uint64_t opened_ = 0;     // whose creation may not have been told yet
  std::uint64_t opened_in_ = 0;  // the round in which the latest of them was
};

// A file under a name that keeps the extension, server-2024-05-01.log, which may be a rotation of server.log or a log of its own.
struct SeenRotation {
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
[[nodiscard]] std::vector<RotationVerdict> judge_rotations(std::span<const SeenRotation> rotations);

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
