#include "spool/place.h"

#include "spool/wire.h"

#include <algorithm>

namespace weir::spool {
namespace {

constexpr std::uint8_t kForm = 1;

}  // namespace

bool PlaceSet::contains(BlockPlace place) const {
  if (place < before_) return true;
  const auto after = std::ranges::upper_bound(stretches_, place, {}, &Stretch::from);
  return after != stretches_.begin() && place < std::prev(after)->to;
}

bool PlaceSet::contains(BlockPlace from, BlockPlace to) const {
  if (to <= from || to <= before_) return true;
  if (from < before_) from = before_;
  const auto after = std::ranges::upper_bound(stretches_, from, {}, &Stretch::from);
  return after != stretches_.begin() && to <= std::prev(after)->to;
}

void PlaceSet::add(BlockPlace from, BlockPlace to) {
  if (to <= from || to <= before_) return;
  // The usual case: the next one in order, or the last stretch grows.
  if (from <= before_) {
    add_before(to);
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

void PlaceSet::add_before(BlockPlace place) {
  if (place <= before_) return;
  before_ = place;
  auto keep = stretches_.begin();
  for (; keep != stretches_.end() && keep->from <= before_; ++keep) before_ = std::max(before_, keep->to);
  stretches_.erase(stretches_.begin(), keep);
}

void PlaceSet::add_all(const PlaceSet& other) {
  add_before(other.before_);
  for (const Stretch& stretch : other.stretches_) add(stretch.from, stretch.to);
}

std::string PlaceSet::encode_stretches() const {
  std::string out;
  if (stretches_.empty()) return out;
  out.push_back(static_cast<char>(kForm));
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

base::Result<PlaceSet> PlaceSet::decode(BlockPlace before, std::string_view stretches) {
  PlaceSet set(before);
  if (stretches.empty()) return set;
  wire::Cursor cursor(stretches);
  if (cursor.byte() != kForm) return base::fail(base::Code::corrupt, "cannot read acknowledgements: unknown form");
  std::uint64_t block = before.block;
  while (cursor.left() > 0) {
    Stretch stretch;
    stretch.from.block = block + cursor.varint();
    stretch.from.ordinal = static_cast<std::uint32_t>(cursor.varint());
    stretch.to.block = stretch.from.block + cursor.varint();
    stretch.to.ordinal = static_cast<std::uint32_t>(cursor.varint());
    if (cursor.failed()) return base::fail(base::Code::corrupt, "cannot read acknowledgements: they are damaged");
    set.add(stretch.from, stretch.to);
    block = stretch.to.block;
  }
  return set;
}

}  // namespace weir::spool
