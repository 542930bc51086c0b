// Opens a file on a disk that may be full.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "delivery/position_ledger.h"

#include <fmt/format.h>

#include <poll.h>

namespace weir::delivery {

// Waits up to `duration`, or until the stop. `stop` may be null.
inline void wait_or_stop(const base::Stop* stop, base::Duration duration) {
  struct pollfd stopped = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
  ::poll(&stopped, 1, static_cast<int>(duration / base::kMillisecond));
}

// Returns the result of `open`. While the disk is full it waits and tries again, until a stop. The input waits too, so nothing
// is lost.
template <typename Open>
auto open_when_there_is_room(const Open& open, const LedgerContext& context) {
  while (true) {
    auto opened = open();
    if (opened || opened.error().code != base::Code::full || (context.stop != nullptr && context.stop->stopped())) return opened;
    context.diagnostics.warn("disk-full",
                             fmt::format("{}; waiting (it goes on by itself when there is room)", opened.error().message));
    wait_or_stop(context.stop, base::kSecond);
  }
}

}  // namespace weir::delivery
