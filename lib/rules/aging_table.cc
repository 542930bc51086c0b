#include "rules/aging_table.h"

#include <algorithm>

namespace weir::rules {

AgingTable::AgingTable(std::size_t capacity) : capacity_(std::clamp<std::size_t>(capacity, 1, kNone - 1)) {}

// Of slots there are up to four for each entry, just after they were doubled.
std::size_t AgingTable::entries_in(std::size_t bytes) { return bytes / (sizeof(Entry) + 4 * sizeof(std::uint32_t)); }

std::size_t AgingTable::slot_of(const base::Hash128& key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = static_cast<std::size_t>(key.low) & mask;
  while (slots_[slot] != 0 && entries_[slots_[slot] - 1].key != key) slot = (slot + 1) & mask;
  return slot;
}

std::int64_t* AgingTable::find(const base::Hash128& key) {
  if (slots_.empty()) return nullptr;
  const std::uint32_t found = slots_[slot_of(key)];
  if (found == 0) return nullptr;
  const std::uint32_t place = found - 1;
  if (place != newest_) {
    unlink(place);
    link(place);
  }
  return &entries_[place].number;
}

void AgingTable::add(const base::Hash128& key, std::int64_t number, base::Timestamp end, base::Timestamp now) {
  std::uint32_t place = oldest_;
  if (entries_.size() < capacity_) {
    grow();
    place = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    if (entries_[place].end > now) ++forgotten_;
    erase_slot(slot_of(entries_[place].key));
    unlink(place);
  }
  entries_[place] = {key, number, end};
  slots_[slot_of(key)] = place + 1;
  link(place);
}

// Makes room for one more.
void AgingTable::grow() {
  if (entries_.size() == entries_.capacity()) entries_.reserve(std::min(capacity_, std::max<std::size_t>(64, entries_.size() * 2)));
  if ((entries_.size() + 1) * 2 <= slots_.size()) return;
  slots_.assign(std::max<std::size_t>(128, slots_.size() * 2), 0);
  for (std::uint32_t place = 0; place < entries_.size(); ++place) slots_[slot_of(entries_[place].key)] = place + 1;
}

void AgingTable::link(std::uint32_t place) {
  entries_[place].newer = kNone;
  entries_[place].older = newest_;
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = place;
  newest_ = place;
}

void AgingTable::unlink(std::uint32_t place) {
  const Entry& entry = entries_[place];
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
}

// Closes the gap, so that no search ends at it too early.
void AgingTable::erase_slot(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  slots_[slot] = 0;
  for (std::size_t next = (slot + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = static_cast<std::size_t>(entries_[slots_[next] - 1].key.low) & mask;
    if (((next - home) & mask) < ((next - slot) & mask)) continue;  // its search does not pass the gap
    slots_[slot] = slots_[next];
    slots_[next] = 0;
    slot = next;
  }
}

void AgingTable::bound(std::size_t capacity) {
  AgingTable smaller(capacity);
  smaller.forgotten_ = forgotten_;
  if (entries_.size() <= smaller.capacity_) {
    capacity_ = smaller.capacity_;
    return;
  }
  std::uint32_t place = newest_;
  for (std::size_t kept = 1; kept < smaller.capacity_; ++kept) place = entries_[place].older;
  for (; place != kNone; place = entries_[place].newer) {
    smaller.add(entries_[place].key, entries_[place].number, entries_[place].end, entries_[place].end);
  }
  smaller.forgotten_ += entries_.size() - smaller.entries_.size();
  *this = std::move(smaller);
}

}  // namespace weir::rules
