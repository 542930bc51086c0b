#include "delivery/delivery_lane.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::delivery {
namespace {

constexpr std::size_t kMergeFrom = 1024;

// Goes backwards over entries. True for a barrier, and for the last entry of its substream before the next barrier.
class LastOfEach {
 public:
  bool operator()(const record::Source& source, bool barrier) {
    if (barrier) {
      later_[0] = later_[1] = false;
      return true;
    }
    return !std::exchange(later_[source.substream & 1], true);
  }
  void stop() { later_[0] = later_[1] = false; }

 private:
  bool later_[2] = {false, false};
};

}  // namespace

std::uint64_t DeliveryLane::enter(const record::Source& source, bool barrier) {
  entries_.push_back({next_, source, barrier, false});
  if (!barrier) {
    Substream& own = substreams_[source.substream & 1];
    if (own.open++ == 0 && !own.moved) own.first_open = next_;
  }
  return next_++;
}

void DeliveryLane::undo() {
  if (!entries_.back().barrier) --substreams_[entries_.back().source.substream & 1].open;
  entries_.pop_back();
  --next_;
}

DeliveryLane::Entry* DeliveryLane::find(std::uint64_t number) {
  if (entries_.empty() || number < entries_.front().number) return nullptr;
  // While nothing was merged, the number gives the place.
  const std::uint64_t guess = number - entries_.front().number;
  if (guess < entries_.size() && entries_[guess].number == number) return &entries_[guess];
  const auto found = std::ranges::lower_bound(entries_, number, {}, &Entry::number);
  return found != entries_.end() && found->number == number ? &*found : nullptr;
}

const record::Source* DeliveryLane::source_of(std::uint64_t number) {
  const Entry* entry = find(number);
  return entry == nullptr ? nullptr : &entry->source;
}

bool DeliveryLane::settle(std::uint64_t number) {
  Entry* entry = find(number);
  if (entry == nullptr || entry->settled) return false;
  entry->settled = true;
  ++settled_;
  if (!entry->barrier) {
    Substream& own = substreams_[entry->source.substream & 1];
    --own.open;
    own.moved = own.moved || number == own.first_open;
  }
  if (entry == &entries_.front()) return true;
  if (settled_ >= merge_at_) merge();
  return false;
}

void DeliveryLane::take_settled(const std::function<void(const record::Source&)>& report) {
  std::vector<Entry> run;
  while (!entries_.empty() && entries_.front().settled) {
    run.push_back(entries_.front());
    entries_.pop_front();
  }
  settled_ -= run.size();
  std::vector<bool> reports(run.size());
  LastOfEach last;
  for (std::size_t i = run.size(); i-- > 0;) reports[i] = last(run[i].source, run[i].barrier);
  for (std::size_t i = 0; i < run.size(); ++i)
    if (reports[i]) report(run[i].source);
}

void DeliveryLane::take_ahead(const std::function<void(const record::Source&)>& report) {
  for (std::uint8_t substream = 0; substream < 2; ++substream) {
    Substream& own = substreams_[substream];
    if (!std::exchange(own.moved, false)) continue;
    const record::Source* last = nullptr;
    auto at = std::ranges::lower_bound(entries_, own.first_open, {}, &Entry::number);
    for (; at != entries_.end(); ++at) {
      if (at->barrier || (at->source.substream & 1) != substream) continue;
      if (!at->settled) break;
      if (last != nullptr && last->generation != at->source.generation) report(*last);
      last = &at->source;
    }
    own.first_open = at == entries_.end() ? next_ : at->number;
    if (last != nullptr) report(*last);
  }
}

void DeliveryLane::merge() {
  std::deque<Entry> kept;
  LastOfEach last;
  settled_ = 0;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const Entry& entry = entries_[i];
    if (!entry.settled) {
      last.stop();
    } else if (!last(entry.source, entry.barrier)) {
      continue;
    } else {
      ++settled_;
    }
    kept.push_front(entry);
  }
  entries_ = std::move(kept);
  // The next merge comes only after so many more entries were settled, so its cost per entry is constant.
  merge_at_ = std::max(kMergeFrom, 2 * settled_ + entries_.size() / 4);
}

}  // namespace weir::delivery
