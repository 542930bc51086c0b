// A place in a spool, and sets of places. Blocks count from 1, ordinals (records in their order within the block) from 0.
#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

struct BlockPlace {
  std::uint64_t block = 0;
  std::uint32_t ordinal = 0;
  friend auto operator<=>(const BlockPlace&, const BlockPlace&) = default;
};

// What a consumer has acknowledged: everything before `before`, and stretches at or behind it. Block numbers may have holes, so a
// stretch is told by two places and may span blocks.
class PlaceSet {
 public:
  struct Stretch {
    BlockPlace from;
    BlockPlace to;  // exclusive
    friend bool operator==(const Stretch&, const Stretch&) = default;
  };

  PlaceSet() = default;
  explicit PlaceSet(BlockPlace before) : before_(before) {}

  [[nodiscard]] BlockPlace before() const { return before_; }
  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }  // sorted, apart from each other
  [[nodiscard]] bool contains(BlockPlace place) const;
  // All of [from, to).
  [[nodiscard]] bool contains(BlockPlace from, BlockPlace to) const;

  // Everything from `from` up to `to`, which itself stays out. Nothing when to <= from.
  void add(BlockPlace from, BlockPlace to);
  // Everything before `place`.
  void add_before(BlockPlace place);
  void add_all(const PlaceSet& other);

  // The packed form of stretches() for the `partial` column (weir-spool.5), "" for none.
  [[nodiscard]] std::string encode_stretches() const;
  static base::Result<PlaceSet> decode(BlockPlace before, std::string_view stretches);

  friend bool operator==(const PlaceSet&, const PlaceSet&) = default;

 private:
  BlockPlace before_{1, 0};
  std::vector<Stretch> stretches_;
};

}  // namespace weir::spool
