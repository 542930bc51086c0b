// What /-/healthy, /-/ready and systemd's STATUS say, as functions of what the registry knows.
#pragma once

#include "metrics/registry.h"

#include <span>
#include <string>
#include <utility>

namespace weir::monitor {

struct Verdict {
  bool good = true;
  std::string text;  // for people; lines that end with a newline
};

// A thread that has neither moved nor entered a named wait for so long hangs.
inline constexpr base::Duration kHangs = 30 * base::kSecond;

// Bad when a thread hangs. A thread that waits is healthy, however long it waits: a restart helps no slow disk. The text has a line
// for each thread, and begins with "ok" or with what is wrong.
[[nodiscard]] Verdict judge_health(std::span<const metrics::Registry::DriverState> drivers);

// How far the chain is in its life.
enum class Phase : std::uint8_t { starting, running, ending };

// Bad before and after the chain runs, while nothing can be delivered and the spool is nearly full, and while no position can be
// stored.
[[nodiscard]] Verdict judge_readiness(Phase phase, std::span<const std::pair<metrics::Trouble, std::string>> troubles);

// One line: lag, backlog, waits and troubles.
[[nodiscard]] std::string status_line(std::span<const metrics::Sample> samples,
                                      std::span<const metrics::Registry::DriverState> drivers,
                                      std::span<const std::pair<metrics::Trouble, std::string>> troubles);

}  // namespace weir::monitor
