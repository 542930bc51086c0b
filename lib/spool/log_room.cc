#include "spool/log_room.h"

#include "spool/eviction_plan.h"

#include <algorithm>

namespace weir::spool {
namespace {

constexpr std::uint64_t kFrame = kPage + 24;
constexpr std::uint64_t kSlack = 64;  // pages that a commit writes besides its block

}  // namespace

std::uint64_t most_log(std::uint64_t max_size, std::uint64_t disk_size) {
  return std::clamp<std::uint64_t>(std::min(max_size, disk_size) / 8, 1 << 20, kMaxLog);
}

std::uint64_t log_bytes(std::uint64_t frames, std::uint64_t need) { return (frames + need + need / 4 + kSlack) * kFrame; }

bool copy_due(std::uint64_t frames, std::uint64_t max_log) { return frames * kPage >= max_log; }

}  // namespace weir::spool
