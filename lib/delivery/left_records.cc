#include "delivery/left_records.h"

#include "delivery/spool_stream.h"

#include <algorithm>
#include <utility>

namespace weir::delivery {
namespace {

constexpr std::size_t kMostPending = 4 << 20;  // bytes of copies that wait for a comparison
constexpr int kBlocksAtOnce = 4;

bool same_record(const record::Record& a, const record::Record& b) {
  return a.source == b.source && a.timestamp == b.timestamp && a.labels == b.labels && a.tenant == b.tenant &&
         a.line.data == b.line.data && std::ranges::equal(a.metadata, b.metadata);
}

}  // namespace

loki::StreamNumber LeftRecords::find(const record::Record& record) const {
  const auto found = by_labels_.find(record.labels);
  if (found == by_labels_.end()) return 0;
  for (const loki::StreamNumber number : found->second) {
    for (const Key& key : streams_.at(number).keys)
      if (key.labels.get() == record.labels && key.tenant == record.tenant) return number;
  }
  return 0;
}

const LeftRecords::Key* LeftRecords::key_of(const record::Record& record) const {
  const loki::StreamNumber number = find(record);
  if (number == 0) return nullptr;
  const auto& keys = streams_.at(number).keys;
  const auto key =
      std::ranges::find_if(keys, [&](const Key& one) { return one.labels.get() == record.labels && one.tenant == record.tenant; });
  return &*key;
}

void LeftRecords::add(loki::StreamNumber number, record::Record& record, record::Batch& batch) {
  const spool::BlockPlace place{record.source.block, record.source.ordinal};
  const auto [at, fresh] = streams_.try_emplace(number);
  Stream& stream = at->second;
  if (fresh) stream.next = place;
  if (find(record) == 0) {
    stream.keys.push_back({record::LabelSetRef::share(record.labels), std::string(record.tenant), place});
    by_labels_[record.labels].push_back(number);
  }
  ++count_;
  ++stream.held;
  if (direct_) return;
  if (current_.block != place.block) {
    // The block before did not end. That happens when the stream starts again.
    if (!current_.records.empty()) pending_.push_back(std::move(current_));
    current_ = {};
    current_.block = place.block;
  }
  record::Record& copy = current_.records.records.emplace_back();
  copy.timestamp = record.timestamp;
  copy.labels = current_.records.hold(record::LabelSetRef::share(record.labels));
  copy.line = record::Text::bytes(current_.records.copy(batch.line(record)));
  copy.tenant = current_.records.copy(record.tenant);
  copy.source = record.source;
  const auto metadata = current_.records.allocate_labels(record.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    metadata[i] = {current_.records.copy(record.metadata[i].name), current_.records.copy(record.metadata[i].value)};
  }
  copy.metadata = metadata;
}

base::Result<LeftRecords::Compared> LeftRecords::compare(Held& held) {
  spool::LoadOptions options;
  options.stream = [this](const spool::StreamInfo& stream) {
    record::Record one;
    one.labels = stream.labels.get();
    one.tenant = stream.tenant;
    return find(one) != 0;
  };
  again_.records.clear();
  again_.clear();
  auto loaded = reader_.load(held.block, options, again_);
  if (!loaded) return std::move(loaded).error();
  if (!*loaded) {
    auto newer = reader_.list({.time = {}, .after = held.block, .limit = 1, .deliverable = true});
    if (!newer) return std::move(newer).error();
    // A newer block exists, so this one was evicted: its writer counts and reports that. Otherwise this block is still to be
    // stored.
    return newer->empty() ? Compared::not_there : Compared::same;
  }
  std::size_t next = 0;
  for (record::Record& record : again_.records) {
    const spool::BlockPlace place{record.source.block, record.source.ordinal};
    const Key* key = key_of(record);
    if (record.held || key == nullptr || place < key->from || acknowledged_.has(place, record)) continue;
    again_.line(record);
    if (next == held.records.records.size() || !same_record(held.records.records[next++], record)) return Compared::other;
  }
  return next == held.records.records.size() ? Compared::same : Compared::other;
}

base::Result<void> LeftRecords::compare_pending() {
  while (!pending_.empty() && !altered_) {
    auto compared = compare(pending_.front());
    if (!compared && compared.error().code != base::Code::corrupt) return std::move(compared).error();
    // When a block cannot be read, the copies are all that is left of it.
    altered_ = !compared || *compared == Compared::other;
    if (altered_ || *compared == Compared::not_there) return {};
    for (const record::Record& record : pending_.front().records.records) --streams_.at(find(record)).held;
    pending_.pop_front();
  }
  return {};
}

base::Result<void> LeftRecords::block_ended(std::uint64_t block) {
  last_block_ = std::max(last_block_, block);
  if (direct_) {
    for (auto& [number, stream] : streams_) stream.held = 0;
    return {};
  }
  if (!current_.records.empty()) pending_.push_back(std::move(current_));
  current_ = {};
  return compare_pending();
}

bool LeftRecords::full() const {
  std::size_t bytes = 0;
  for (const Held& held : pending_) bytes += held.records.bytes() + held.records.records.size() * sizeof(record::Record);
  return bytes > kMostPending;
}

// Blocks up to this one may be read again.
std::uint64_t LeftRecords::compared() const {
  return pending_.empty() ? last_block_ : std::min(last_block_, pending_.front().block - 1);
}

void LeftRecords::resume(loki::StreamNumber number) {
  pusher_.resume(number);
  for (const Key& key : streams_.at(number).keys) {
    ledger_.resume(spool::stream_key(*key.labels, key.tenant));
    auto& numbers = by_labels_[key.labels.get()];
    std::erase(numbers, number);
    if (numbers.empty()) by_labels_.erase(key.labels.get());
  }
  streams_.erase(number);
  if (streams_.empty()) gone_ += std::exchange(count_, 0);
}

base::Result<bool> LeftRecords::feed(const Take& take) {
  if (streams_.empty()) return false;
  if (auto compared = compare_pending(); !compared) return std::move(compared).error();
  for (int i = 0; i < kBlocksAtOnce; ++i) {
    std::vector<loki::StreamNumber> wanted;
    for (const loki::StreamNumber number : pusher_.streams_wanting_more()) {
      const auto found = streams_.find(number);
      if (found == streams_.end()) continue;
      if (found->second.next.block <= compared()) {
        wanted.push_back(number);
      } else if (found->second.held == 0) {
        resume(number);
      }
    }
    if (wanted.empty()) return false;
    if (auto read = read_block(wanted, take); !read) return std::move(read).error();
  }
  return true;
}

// Reads the next block that holds records of one of these streams.
base::Result<void> LeftRecords::read_block(const std::vector<loki::StreamNumber>& numbers, const Take& take) {
  std::uint64_t first = streams_.at(numbers.front()).next.block;
  for (const loki::StreamNumber number : numbers) first = std::min(first, streams_.at(number).next.block);
  auto blocks = reader_.list({.time = {}, .after = first - 1, .limit = 1, .deliverable = true});
  if (!blocks) return std::move(blocks).error();
  const std::uint64_t block = blocks->empty() ? compared() + 1 : std::min(blocks->front().id, compared() + 1);
  std::vector<loki::StreamNumber> served;
  for (const loki::StreamNumber number : numbers) {
    spool::BlockPlace& next = streams_.at(number).next;
    if (next.block < block) next = {block, 0};
    if (next.block == block) served.push_back(number);
  }
  if (block > compared()) return {};
  const auto is_served = [&](const record::Record& record) { return std::ranges::find(served, find(record)) != served.end(); };
  spool::LoadOptions options;
  options.stream = [&](const spool::StreamInfo& stream) {
    record::Record one;
    one.labels = stream.labels.get();
    one.tenant = stream.tenant;
    return is_served(one);
  };
  again_.records.clear();
  again_.clear();
  auto loaded = reader_.load(block, options, again_);
  if (!loaded && loaded.error().code != base::Code::corrupt) return std::move(loaded).error();
  if (!loaded) lost_ += leave_out_block(reader_.path(), blocks->front(), loaded.error(), clock_, diagnostics_);
  for (record::Record& record : again_.records) {
    const spool::BlockPlace place{record.source.block, record.source.ordinal};
    if (record.held || !is_served(record) || place < streams_.at(find(record)).next || acknowledged_.has(place, record)) continue;
    if (auto taken = take(record, again_, ledger_.read_again(record)); !taken) return taken;
    count_ -= std::min<std::uint64_t>(count_, 1);
  }
  for (const loki::StreamNumber number : served) streams_.at(number).next = {block + 1, 0};
  return {};
}

base::Result<std::uint64_t> LeftRecords::evicted() {
  if (streams_.empty()) return std::uint64_t{0};
  std::uint64_t first = ~std::uint64_t{0};
  for (const auto& [number, stream] : streams_) first = std::min(first, stream.next.block);
  const std::uint64_t last = std::max(last_block_, current_.block);
  auto oldest = reader_.list({.time = {}, .after = 0, .limit = 1, .deliverable = true});
  if (!oldest) return std::move(oldest).error();
  // Undelivered blocks are evicted from the oldest on.
  if (!oldest->empty() && oldest->front().id <= first) return std::uint64_t{0};
  auto blocks = reader_.list({.time = {}, .after = first - 1, .deliverable = true});
  if (!blocks) return std::move(blocks).error();
  std::uint64_t there = 0;
  for (const spool::BlockInfo& block : *blocks) {
    if (block.id > last) break;
    auto streams = reader_.streams(block.id);
    if (!streams && streams.error().code != base::Code::corrupt) return std::move(streams).error();
    if (!streams) continue;
    for (const spool::StreamInfo& stream : *streams) {
      record::Record one;
      one.labels = stream.labels.get();
      one.tenant = stream.tenant;
      const loki::StreamNumber number = find(one);
      if (number != 0 && streams_.at(number).next.block <= block.id) there += stream.records;
    }
  }
  return count_ - std::min(count_, there);
}

bool LeftRecords::read_out() const {
  return std::ranges::all_of(streams_, [&](const auto& entry) { return entry.second.next.block > compared(); });
}

base::Result<void> LeftRecords::take_back(const Take& take) {
  pending_.push_back(std::move(current_));
  current_ = {};
  for (Held& held : pending_) {
    for (record::Record& record : held.records.records) {
      if (auto taken = take(record, held.records, ledger_.read_again(record)); !taken) return taken;
      count_ -= std::min<std::uint64_t>(count_, 1);
    }
  }
  pending_.clear();
  while (!streams_.empty()) resume(streams_.begin()->first);
  return {};
}

}  // namespace weir::delivery
