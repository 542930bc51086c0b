#include "scan/limits.h"

#include <sched.h>

#include <algorithm>

namespace weir::scan {
namespace {

constexpr std::size_t kOfOne = 12UL << 20U;  // bytes that one more thread asks of the memory
constexpr unsigned kMost = 16;               // more than one thread can merge

unsigned cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace

unsigned Limits::workers() const {
  if (threads > 0) return threads;
  return std::min({cores(), kMost, static_cast<unsigned>(std::clamp<std::size_t>(memory / kOfOne, 1, kMost))});
}

std::size_t Limits::most() const {
  constexpr std::size_t kHeld = 6UL << 20U;  // by a thread: a block unpacked, what was found in others, and its reader
  const std::size_t all = memory + memory / 4, held = workers() > 1 ? workers() * kHeld : 0;
  return all - std::min(held, all / 2);
}

}  // namespace weir::scan
