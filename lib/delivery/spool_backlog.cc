#include "delivery/spool_backlog.h"

#include <algorithm>
#include <utility>

namespace weir::delivery {
namespace {

constexpr base::Duration kReadWait = base::kSecond / 2;  // for a spool that is busy: only a message is at stake

}  // namespace

std::optional<std::uint64_t> SpoolBacklog::count() {
  if (!reader_) {
    auto opened = spool::Reader::open(spool_, kReadWait);
    if (!opened) return std::nullopt;
    reader_ = std::move(*opened);
  }
  const auto acknowledged = reader_->acknowledged(consumer_);
  if (!acknowledged || !*acknowledged) return std::nullopt;
  const spool::BlockPlace before = (*acknowledged)->before();
  const auto blocks = reader_->list({.time = {}, .after = before.block == 0 ? 0 : before.block - 1});
  if (!blocks) return std::nullopt;
  std::uint64_t count = 0;
  for (const spool::BlockInfo& block : *blocks) {
    const std::uint64_t done = block.id == before.block ? before.ordinal : 0;
    count += block.records - std::min<std::uint64_t>(block.records, std::max<std::uint64_t>(done, block.held));
  }
  return count;
}

}  // namespace weir::delivery
