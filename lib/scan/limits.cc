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

}  // namespace weir::scan
