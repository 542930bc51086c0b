#include "base/backoff.h"

#include <algorithm>

namespace weir::base {

// The finalizer of splitmix64: https://prng.di.unimi.it/splitmix64.c
std::minstd_rand::result_type Backoff::spread(std::uint64_t seed) {
  std::uint64_t mixed = seed + 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::minstd_rand::result_type>(mixed ^ (mixed >> 31));
}

Duration Backoff::next(Duration retry_after) {
  Duration cap = limits_.base;
  for (int i = 0; i < attempts_ && cap < limits_.ceiling; ++i) cap *= 2;
  cap = std::min(cap, limits_.ceiling);
  if (attempts_ < 62) ++attempts_;
  const Duration jittered = std::uniform_int_distribution<Duration>(0, cap)(random_);
  if (retry_after <= 0) return jittered;
  return std::max(jittered, retry_after + std::uniform_int_distribution<Duration>(0, retry_after / 10)(random_));
}

}  // namespace weir::base
