#include "stages/evicted_streams.h"

#include "base/count.h"
#include "record/record.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

namespace weir::stages {

void EvictedStreams::add(std::span<const spool::EvictedStream> evicted, base::Monotonic now) {
  if (evicted.empty()) return;
  for (const auto& [block, stream] : evicted) {
    add({stream.labels, stream.tenant, stream.records, stream.line_bytes, stream.min_timestamp, stream.max_timestamp});
    // Undelivered blocks are evicted from the oldest on, so gap records before this block are delivered or gone.
    while (!told_.empty() && told_.begin()->first <= block) {
      const auto told = told_.extract(told_.begin());
      told_records_ -= told.mapped().size();
      if (told.key() != block) continue;
      for (const Sum& sum : told.mapped()) add(sum);
    }
  }
  if (due_ == base::kNever) due_ = base::after(now, kEvery);
}

void EvictedStreams::add(const Sum& lost) {
  auto found = index_.find(std::pair(lost.labels.get(), std::string_view(lost.tenant)));
  bool others = lost.others;
  if (found == index_.end() && sums_.size() < kMostStreams) {
    found = index_.emplace(Key(lost.labels.get(), lost.tenant), sums_.size()).first;
    sums_.push_back({.labels = lost.labels, .tenant = lost.tenant, .oldest = lost.oldest, .newest = lost.newest});
  } else if (found == index_.end()) {
    found = index_.find(std::pair(sums_.front().labels.get(), std::string_view(sums_.front().tenant)));
    others = true;
  }
  Sum& sum = sums_[found->second];
  sum.records += lost.records;
  sum.bytes += lost.bytes;
  sum.oldest = std::min(sum.oldest, lost.oldest);
  sum.newest = std::max(sum.newest, lost.newest);
  sum.others = sum.others || others;
}

void EvictedStreams::hurry() {
  if (due_ != base::kNever) due_ = std::numeric_limits<base::Monotonic>::min();
}

std::uint64_t EvictedStreams::tell(spool::BlockBuilder& open) {
  if (sums_.empty()) return 0;
  for (Sum& sum : sums_) sum.time = sum.newest;
  for (const record::Record& record : open.batch().records) {
    const auto found = index_.find(std::pair(record.labels, record.tenant));
    if (found != index_.end()) sums_[found->second].time = std::max(sums_[found->second].time, record.timestamp);
  }
  for (const Sum& sum : sums_) put(sum, open);
  const std::uint64_t records = sums_.size();
  std::ranges::move(sums_, std::back_inserter(open_));
  sums_.clear();
  index_.clear();
  due_ = base::kNever;
  return records;
}

void EvictedStreams::put(const Sum& sum, spool::BlockBuilder& open) {
  const bool one = sum.records == 1;
  const std::string times =
      one ? "its time is " + record::to_rfc3339(sum.newest)
          : fmt::format("their times are {} to {}", record::to_rfc3339(sum.oldest), record::to_rfc3339(sum.newest));
  const std::string line = fmt::format(
      "weir: {}, {}, of this stream{} {} evicted from the spool before {} delivered; {}", base::count_of(sum.records, "record"),
      record::print_size(sum.bytes), sum.others ? " and of others" : "", one ? "was" : "were", one ? "it was" : "they were", times);
  const std::string bytes = fmt::format("{}", sum.bytes);
  const std::array<record::Label, 1> metadata = {{{record::kGapBytes, bytes}}};
  record::Record record;
  record.timestamp = sum.time;
  record.labels = sum.labels.get();
  record.tenant = sum.tenant;
  record.line = record::Text::bytes(line);
  record.metadata = metadata;
  open.add(record);
}

void EvictedStreams::stored(std::uint64_t block) {
  if (open_.empty()) return;
  told_records_ += open_.size();
  std::ranges::move(open_, std::back_inserter(told_[block]));
  open_.clear();
  while (told_records_ > kMostTold && told_.size() > 1) {
    told_records_ -= told_.begin()->second.size();
    told_.erase(told_.begin());
  }
}

}  // namespace weir::stages
