// How large the write-ahead log of a spool may be, and how much of the disk a commit needs: pure functions of the writer.
//
// A commit goes into the log; the log is copied into the file when it has its size, and is then used from its start again. The disk
// that this may take is kept as the reserve (spool/reserve.h), which is as large as the log with the next commit in it, so that a
// disk that fills up stops neither acknowledging nor evicting. A commit that may not take more of the disk has to fit into the log
// as it lies there.
#pragma once

#include <cstdint>

namespace weir::spool {

inline constexpr std::uint64_t kMaxLog = 32 << 20;  // bytes

// At which it is copied into the file: an eighth of the spool or of its disk, whichever is smaller.
[[nodiscard]] std::uint64_t most_log(std::uint64_t max_size, std::uint64_t disk_size);

// Of a log of so many frames with a commit of `need` pages of records in it.
[[nodiscard]] std::uint64_t log_bytes(std::uint64_t frames, std::uint64_t need);

[[nodiscard]] bool copy_due(std::uint64_t frames, std::uint64_t max_log);

}  // namespace weir::spool
