// How large the write-ahead log of a spool may be, and how much of the disk a commit needs: pure functions of the writer.
//
// A commit goes into the log. When the log has reached its size, it is copied into the file and written from its start again. The
// reserve (spool/reserve.h) keeps the disk space for this copy. It is as large as the log with the next commit in it, so that
// acknowledging and evicting go on when the disk is full. On a full disk, a commit has to fit into the log file as it is.
#pragma once

#include <cstdint>

namespace weir::spool {

inline constexpr std::uint64_t kMaxLog = 32 << 20;  // bytes

// The size at which the log is copied into the file: an eighth of the spool or of its disk, whichever is smaller.
[[nodiscard]] std::uint64_t most_log(std::uint64_t max_size, std::uint64_t disk_size);

// The size of a log that has `frames` frames and gets a commit with `need` pages of records.
[[nodiscard]] std::uint64_t log_bytes(std::uint64_t frames, std::uint64_t need);

[[nodiscard]] bool copy_due(std::uint64_t frames, std::uint64_t max_log);

}  // namespace weir::spool
