#include "tail/watch_rules.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace weir::tail {

void GatherPace::written(base::Monotonic now) {
  if (due_ == base::kNever) due_ = std::max(base::after(now, gather_), base::after(reported_, spacing_));
}

void GatherPace::reported(base::Monotonic now, bool more) {
  reported_ = now;
  due_ = more ? base::after(now, spacing_) : base::kNever;
}

void FileCount::open(std::uint64_t count, std::uint64_t round) {
  if (opened_in_ + 1 < round) opened_ = 0;  // their creation was reported long ago, or they came by another way
  opened_ += count;
  opened_in_ = round;
}

std::uint64_t FileCount::settle(std::uint64_t round) {
  open(0, round);
  const std::uint64_t seen = std::min(opened_, created_);
  opened_ -= seen;
  created_ -= seen;
  return created_;
}

std::uint64_t FileCount::take_unopened() { return std::exchange(created_, 0); }

void FileCount::forget_one() {
  if (created_ > 0) --created_;
}

std::vector<RotationVerdict> judge_rotations(std::span<const FoundRotation> rotations) {
  std::vector<RotationVerdict> verdicts(rotations.size(), RotationVerdict::another);
  for (std::size_t i = 0; i < rotations.size(); ++i) {
    const FoundRotation& one = rotations[i];
    if (one.known) continue;
    bool read = false, to_be_read = false;
    for (std::size_t j = 0; j < rotations.size(); ++j) {
      const FoundRotation& other = rotations[j];
      if (!other.known || other.shape != one.shape) continue;
      read = read || (i < j && one.modified <= other.modified);
      to_be_read = to_be_read || (i > j && other.to_be_read);
    }
    if (to_be_read)
      verdicts[i] = RotationVerdict::to_be_read;
    else if (read)
      verdicts[i] = RotationVerdict::read;
  }
  return verdicts;
}

}  // namespace weir::tail
