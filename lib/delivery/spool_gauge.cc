#include "delivery/spool_gauge.h"

#include <algorithm>

namespace weir::delivery {
namespace {

constexpr base::Duration kWindow = base::kMinute;
constexpr base::Duration kLeastWindow = 10 * base::kSecond;  // of a spool that is younger than the window
constexpr std::size_t kAtOnce = 1024;
constexpr base::Duration kSteered = 5 * base::kSecond;
constexpr base::Duration kLongAgo = 24 * base::kHour;

}  // namespace

base::Result<void> SpoolGauge::read_new_blocks() {
  const base::Timestamp since = clock_.wall() - kWindow;
  while (true) {
    auto blocks = reader_.list({.time = {}, .after = newest_, .limit = kAtOnce, .deliverable = true});
    if (!blocks) return std::move(blocks).error();
    for (const spool::BlockInfo& block : *blocks) {
      newest_ = block.id;
      newest_stored_ = block.stored;
      recent_.push_back({block.id, block.stored, block.line_bytes});
    }
    forget(since);
    if (blocks->size() < kAtOnce) break;
  }
  forget(since);
  return {};
}

void SpoolGauge::forget(base::Timestamp before) {
  for (; !recent_.empty() && recent_.front().at < before; recent_.pop_front()) newest_old_ = recent_.front().block;
}

double SpoolGauge::inflow() const {
  if (recent_.empty()) return 0;
  std::uint64_t bytes = 0;
  for (const Stored& one : recent_) bytes += one.bytes;
  const base::Duration window = std::clamp<base::Duration>(clock_.wall() - recent_.front().at, kLeastWindow, kWindow);
  return static_cast<double>(bytes) * base::kSecond / static_cast<double>(window);
}

bool SpoolGauge::doubts_clock() const {
  if (newest_ == 0) return false;
  const base::Duration gap = clock_.wall() - newest_stored_;
  return gap < -kSteered || gap > kLongAgo;
}

base::Result<bool> SpoolGauge::has_old(spool::BlockPlace place) {
  auto blocks = reader_.list({.time = {}, .after = place.block == 0 ? 0 : place.block - 1, .limit = 2, .deliverable = true});
  if (!blocks) return std::move(blocks).error();
  return std::ranges::any_of(*blocks, [&](const spool::BlockInfo& block) {
    return block.id <= newest_old_ && place < spool::BlockPlace{block.id, block.records} && block.held < block.records;
  });
}

}  // namespace weir::delivery
