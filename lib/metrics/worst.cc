#include "metrics/worst.h"

#include <algorithm>

namespace weir::metrics {

std::vector<Worst::One> Worst::choose(std::span<const One> all, base::Monotonic now) {
  const auto worse = [](const One& one, const One& other) {
    return one.value != other.value ? one.value > other.value : one.id < other.id;
  };
  std::vector<One> worst(std::min(most_, all.size()));
  std::ranges::partial_sort_copy(all, worst, worse);
  for (const One& one : worst)
    if (one.value > 0) members_[one.id] = now;
  std::erase_if(members_, [&](const auto& member) { return now - member.second > kStay; });

  struct Row {
    One one;
    base::Monotonic last;
  };
  std::vector<Row> rows;
  for (const One& one : all)
    if (const auto member = members_.find(one.id); member != members_.end()) rows.push_back({one, member->second});
  if (rows.size() > most_ * kRowsForEach) {
    std::ranges::sort(rows, [&](const Row& a, const Row& b) { return a.last != b.last ? a.last > b.last : worse(a.one, b.one); });
    rows.resize(most_ * kRowsForEach);
  }
  // Those that are gone, and those for which there was no room.
  members_.clear();
  std::vector<One> chosen;
  for (const Row& row : rows) {
    members_[row.one.id] = row.last;
    chosen.push_back(row.one);
  }
  std::ranges::sort(chosen, worse);
  return chosen;
}

}  // namespace weir::metrics
