#include "scan/block_search.h"

#include <algorithm>
#include <utility>

namespace weir::scan {

using base::Result;

Result<bool> BlockSearch::match() {
  constexpr std::uint32_t kAskAfter = 4;  // records
  matcher_->begin();
  matches_.clear();
  for (std::uint32_t i = 0; i < loaded_.records.size(); ++i) {
    if (!wanted_(states_[i])) continue;
    if (i % kAskAfter == kAskAfter - 1 && over_ && over_()) return false;
    if (auto taken = matcher_->take(loaded_, i, matches_); !taken) return std::move(taken).error();
  }
  return true;
}

void BlockSearch::sort() {
  auto& all = matches_.all;
  const auto by_time = [](const Matches::One& a, const Matches::One& b) { return a.time < b.time; };
  if (!std::ranges::is_sorted(all, by_time)) std::ranges::stable_sort(all, by_time);
}

Result<Found> BlockSearch::search(const Block& block, const base::TimeRange& range) {
  spool::LoadOptions options;
  options.range = range;
  options.stream = [&](const spool::StreamInfo& stream) {
    return range.touches(stream.min_timestamp, stream.max_timestamp) && takes(tenant_, stream.tenant) &&
           matcher_->selects(*stream.labels);
  };
  options.needles = matcher_->needles();
  options.lines = matcher_->reads_line();
  options.lent = true;
  loaded_.clear();
  states_.clear();
  Found found;
  auto loaded = readers_[block.spool]->load(block.info.id, options, loaded_, &states_);
  if (!loaded) {
    if (loaded.error().code != base::Code::corrupt) return std::move(loaded).error();
    found.kind = Found::Kind::unreadable;
    found.why = loaded.error().message;
    return found;
  }
  if (!*loaded) {
    found.kind = Found::Kind::evicted;
    return found;
  }
  auto matched = match();
  if (!matched) return std::move(matched).error();
  if (!*matched) {
    found.kind = Found::Kind::cut_short;
    return found;
  }
  if (times_) {
    found.times.reserve(matches_.all.size());
    for (const Matches::One& one : matches_.all) found.times.push_back(one.time);
    return found;
  }
  sort();
  if (first_ > 0 && matches_.all.size() > first_) matches_.all.resize(first_);
  for (const Matches::One& one : matches_.all) {
    writer_.add(one.made ? matches_.made.records[one.index] : loaded_.records[one.index]);
  }
  found.run = writer_.finish();
  return found;
}

}  // namespace weir::scan
