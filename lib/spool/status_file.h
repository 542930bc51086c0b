// What a process that writes a spool or delivers out of it says of itself, in a small file beside the spool: for `weir spool
// status`, which reads it without asking that process.
//
// It is written when something has changed, at most every two seconds, and never synced: writing it waits for no disk. After a
// power cut it may be some seconds older. It is for people; nothing is decided by it. Two slots are written in turn, so that a
// write that was cut leaves the one before. Form: weir-spool.5.
#pragma once

#include "base/clock.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

struct ProcessStatus {
  std::uint64_t pid = 0;
  std::string command;          // its command line, without secrets; "" when it is unknown
  base::Timestamp started = 0;  // when it opened the spool
  base::Timestamp ended = 0;    // when it closed the spool; 0: it did not
  base::Timestamp written = 0;  // when this was written
  base::Timestamp success = 0;  // when the target last took records; 0: not since the start
  std::string error;            // the latest trouble, also if it is over; "" for none since the start
  base::Timestamp error_at = 0;
  std::string blocked;  // what it waits for and cannot go on without; "" for nothing
  base::Timestamp blocked_since = 0;
  base::Timestamp full_since = 0;  // it is blocked because the spool has no room; 0: it is not
  friend bool operator==(const ProcessStatus&, const ProcessStatus&) = default;
};

// Texts that are too long are cut.
[[nodiscard]] std::string encode_status(const ProcessStatus& status);
[[nodiscard]] ProcessStatus decode_status(std::string_view text);

// The file of the writer of a spool, or of the process that owns a checkpoint; and that of a consumer.
[[nodiscard]] std::string writer_status_path(const std::string& spool);
[[nodiscard]] std::string consumer_status_path(const std::string& spool, std::string_view name);

// What was written last; nullopt when there is nothing that can be read. `spool`: the identity.
[[nodiscard]] std::optional<ProcessStatus> read_process_status(const std::string& path, std::uint64_t spool);

// The writing side. Any thread may call.
class StatusFile {
 public:
  static constexpr base::Duration kEvery = 2 * base::kSecond;

  // Writes at once that the process has started. Failure is not reported: the status is missing then.
  StatusFile(std::string path, std::uint64_t spool, std::string command, const base::Clock& clock);
  // Writes that it has ended.
  ~StatusFile();
  StatusFile(const StatusFile&) = delete;  // owns a descriptor
  StatusFile& operator=(const StatusFile&) = delete;

  // These only note what is new; the file is written by due().
  void succeeded(base::Timestamp at);
  void failed(std::string_view error, base::Timestamp at);
  // "": it goes on. The same words again change nothing.
  void blocked(std::string_view why, base::Timestamp since);
  // It is blocked, and the reason is that the spool has no room.
  void out_of_room(std::string_view why, base::Timestamp since);

  // Writes what is new, if the last time was long enough ago. Returns when to call again: base::kNever when all is written.
  base::Monotonic due(base::Monotonic now);

 private:
  // With the lock held.
  void block(std::string_view why, base::Timestamp since, bool full);
  void write();

  const base::Clock& clock_;
  const std::uint64_t spool_;
  std::mutex mutex_;
  base::UniqueFd fd_;
  std::uint64_t sequence_ = 0;
  ProcessStatus status_;
  bool changed_ = false;
  base::Monotonic next_ = 0;
};

}  // namespace weir::spool
