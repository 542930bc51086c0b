#include "spool/place.h"

#include "spool/checksum.h"
#include "spool/wire.h"

#include <algorithm>

namespace weir::spool {
namespace {

constexpr std::uint8_t kStretches = 1;
constexpr std::uint8_t kWithStreams = 2;

base::Error damaged() { return base::fail(base::Code::corrupt, "cannot read acknowledgements: they are damaged"); }

}  // namespace

std::uint64_t stream_key(const record::LabelSet& labels, std::string_view tenant) { return xxh64(tenant, labels.hash()); }

BlockPlace PlaceSet::before() const {
  BlockPlace before = before_;
  for (const Waiting& one : waiting_) before = std::min(before, one.from);
  return before;
}

bool PlaceSet::covers(BlockPlace place) const {
  if (place < before_) return true;
  const auto after = std::ranges::upper_bound(stretches_, place, {}, &Stretch::from);
  return after != stretches_.begin() && place < std::prev(after)->to;
}

bool PlaceSet::contains(BlockPlace place) const {
  return covers(place) && std::ranges::all_of(waiting_, [&](const Waiting& one) { return place < one.from; });
}

bool PlaceSet::has(BlockPlace place, const record::Record& record) const {
  if (!covers(place)) return false;
  if (waiting_.empty()) return true;
  const std::uint64_t stream = stream_key(*record.labels, record.tenant);
  const auto found = std::ranges::lower_bound(waiting_, stream, {}, &Waiting::stream);
  return found == waiting_.end() || found->stream != stream || place < found->from;
}

bool PlaceSet::touches(BlockPlace from, BlockPlace to) const {
  return from < before_ || std::ranges::any_of(stretches_, [&](const Stretch& one) { return one.from < to && from < one.to; });
}

bool PlaceSet::contains(BlockPlace from, BlockPlace to) const {
  if (to <= from) return true;
  if (std::ranges::any_of(waiting_, [&](const Waiting& one) { return one.from < to; })) return false;
  if (to <= before_) return true;
  if (from < before_) from = before_;
  const auto after = std::ranges::upper_bound(stretches_, from, {}, &Stretch::from);
  return after != stretches_.begin() && to <= std::prev(after)->to;
}

void PlaceSet::add(BlockPlace from, BlockPlace to) {
  if (to <= from || to <= before_) return;
  // The usual case: the next one in order, or the last stretch grows.
  if (from <= before_) {
    cover_before(to);
    return;
  }
  auto first = std::ranges::lower_bound(stretches_, from, {}, &Stretch::to);
  auto last = first;
  while (last != stretches_.end() && last->from <= to) {
    from = std::min(from, last->from);
    to = std::max(to, last->to);
    ++last;
  }
  if (first == last) {
    stretches_.insert(first, {from, to});
  } else {
    *first = {from, to};
    stretches_.erase(std::next(first), last);
  }
}

void PlaceSet::add_sorted(std::span<const Stretch> more) {
  constexpr std::size_t kFew = 4;
  if (more.size() <= kFew) {
    for (const Stretch& one : more) add(one.from, one.to);
    return;
  }
  std::vector<Stretch> merged;
  merged.reserve(stretches_.size() + more.size());
  auto mine = stretches_.begin();
  auto theirs = more.begin();
  while (mine != stretches_.end() || theirs != more.end()) {
    const bool first = theirs == more.end() || (mine != stretches_.end() && mine->from <= theirs->from);
    const Stretch& next = first ? *mine++ : *theirs++;
    if (next.to <= next.from || next.to <= before_) continue;
    if (next.from <= before_) {
      before_ = next.to;
    } else if (!merged.empty() && next.from <= merged.back().to) {
      merged.back().to = std::max(merged.back().to, next.to);
    } else {
      merged.push_back(next);
    }
  }
  stretches_ = std::move(merged);
  cover_before(before_);
}

void PlaceSet::cover_before(BlockPlace place) {
  if (place <= before_) return;
  before_ = place;
  auto keep = stretches_.begin();
  for (; keep != stretches_.end() && keep->from <= before_; ++keep) before_ = std::max(before_, keep->to);
  stretches_.erase(stretches_.begin(), keep);
}

void PlaceSet::add_before(BlockPlace place) {
  cover_before(place);
  for (Waiting& one : waiting_) one.from = std::max(one.from, place);
}

void PlaceSet::add_all(const PlaceSet& other) {
  cover_before(other.before_);
  for (const Stretch& stretch : other.stretches_) add(stretch.from, stretch.to);
  for (const Waiting& one : other.waiting_) {
    const auto at = std::ranges::lower_bound(waiting_, one.stream, {}, &Waiting::stream);
    if (at != waiting_.end() && at->stream == one.stream) {
      at->from = std::min(at->from, one.from);
    } else {
      waiting_.insert(at, one);
    }
  }
}

void PlaceSet::wait(std::uint64_t stream, BlockPlace from) {
  const auto at = std::ranges::lower_bound(waiting_, stream, {}, &Waiting::stream);
  if (at != waiting_.end() && at->stream == stream) {
    at->from = std::max(at->from, from);
  } else {
    waiting_.insert(at, {stream, from});
  }
}

void PlaceSet::wait_also(std::uint64_t stream, BlockPlace place) {
  const auto at = std::ranges::lower_bound(waiting_, stream, {}, &Waiting::stream);
  if (at != waiting_.end() && at->stream == stream) {
    at->from = std::min(at->from, place);
  } else {
    waiting_.insert(at, {stream, place});
  }
}

bool PlaceSet::waits(std::uint64_t stream) const { return std::ranges::binary_search(waiting_, stream, {}, &Waiting::stream); }

void PlaceSet::stop_waiting(std::uint64_t stream) {
  std::erase_if(waiting_, [&](const Waiting& one) { return one.stream == stream; });
}

std::string PlaceSet::encode_stretches() const {
  std::string out;
  if (stretches_.empty() && waiting_.empty()) return out;
  const BlockPlace start = before();
  if (waiting_.empty()) {
    out.push_back(static_cast<char>(kStretches));
  } else {
    out.push_back(static_cast<char>(kWithStreams));
    wire::put_varint(out, before_.block - start.block);
    wire::put_varint(out, before_.ordinal);
    wire::put_varint(out, waiting_.size());
    for (const Waiting& one : waiting_) {
      wire::put_word(out, one.stream);
      wire::put_varint(out, one.from.block - start.block);
      wire::put_varint(out, one.from.ordinal);
    }
  }
  std::uint64_t block = before_.block;
  for (const Stretch& stretch : stretches_) {
    wire::put_varint(out, stretch.from.block - block);
    wire::put_varint(out, stretch.from.ordinal);
    wire::put_varint(out, stretch.to.block - stretch.from.block);
    wire::put_varint(out, stretch.to.ordinal);
    block = stretch.to.block;
  }
  return out;
}

std::string PlaceSet::encode_ordinals(const OrdinalSet& ordinals) {
  std::string out;
  if (ordinals.empty()) return out;
  out.push_back(static_cast<char>(kStretches));
  for (const OrdinalSet::Stretch& stretch : ordinals.stretches()) {
    wire::put_varint(out, 0);
    wire::put_varint(out, stretch.from);
    wire::put_varint(out, 0);
    wire::put_varint(out, stretch.to);
  }
  return out;
}

OrdinalSet PlaceSet::ordinals_of(std::uint64_t block) const {
  OrdinalSet ordinals;
  const auto add = [&](BlockPlace from, BlockPlace to) {
    if (from.block > block || to.block < block) return;
    ordinals.add(from.block == block ? from.ordinal : 0, to.block == block ? to.ordinal : UINT32_MAX);
  };
  add({0, 0}, before_);
  for (const Stretch& stretch : stretches_) add(stretch.from, stretch.to);
  return ordinals;
}

base::Result<PlaceSet> PlaceSet::decode(BlockPlace before, std::string_view stretches) {
  PlaceSet set(before);
  if (stretches.empty()) return set;
  wire::Cursor cursor(stretches);
  const std::uint8_t form = cursor.byte();
  if (form != kStretches && form != kWithStreams)
    return base::fail(base::Code::corrupt, "cannot read acknowledgements: unknown form");
  if (form == kWithStreams) {
    set.before_.block = before.block + cursor.varint();
    set.before_.ordinal = static_cast<std::uint32_t>(cursor.varint());
    if (cursor.failed() || set.before_ < before) return damaged();
    for (std::uint64_t left = cursor.varint(); left > 0; --left) {
      const std::uint64_t stream = cursor.word();
      const std::uint64_t block = before.block + cursor.varint();
      const auto ordinal = static_cast<std::uint32_t>(cursor.varint());
      if (cursor.failed() || BlockPlace{block, ordinal} < before) return damaged();
      set.wait(stream, {block, ordinal});
    }
  }
  std::uint64_t block = set.before_.block;
  while (cursor.left() > 0) {
    Stretch stretch;
    stretch.from.block = block + cursor.varint();
    stretch.from.ordinal = static_cast<std::uint32_t>(cursor.varint());
    stretch.to.block = stretch.from.block + cursor.varint();
    stretch.to.ordinal = static_cast<std::uint32_t>(cursor.varint());
    if (cursor.failed()) return damaged();
    set.add(stretch.from, stretch.to);
    block = stretch.to.block;
  }
  if (cursor.failed()) return damaged();
  return set;
}

}  // namespace weir::spool
