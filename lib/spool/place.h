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

// What a consumer has acknowledged: everything before `before`, and ranges at or behind it. Block numbers may have holes, and a
// range never spans blocks; a range that reaches to the end of its block ends at kToEnd.
class PlaceSet {
 public:
  static constexpr std::uint32_t kToEnd = 0xffffffff;

  struct Range {
    std::uint64_t block = 0;
    std::uint32_t first = 0;
    std::uint32_t last = 0;  // inclusive; kToEnd: to the end of the block
    friend bool operator==(const Range&, const Range&) = default;
  };

  PlaceSet() = default;
  explicit PlaceSet(BlockPlace before) : before_(before) {}

  [[nodiscard]] BlockPlace before() const { return before_; }
  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }  // sorted, apart from each other
  [[nodiscard]] bool contains(BlockPlace place) const;

  void add(std::uint64_t block, std::uint32_t first, std::uint32_t last);
  // Everything between the two places, of however many blocks; `to` itself not.
  void add_between(BlockPlace from, BlockPlace to);
  // Everything before `place`.
  void add_before(BlockPlace place);

  // The packed form of ranges() for the `partial` column (weir-spool.5).
  [[nodiscard]] std::string encode_ranges() const;
  static base::Result<PlaceSet> decode(BlockPlace before, std::string_view ranges);

  friend bool operator==(const PlaceSet&, const PlaceSet&) = default;

 private:
  void absorb();
  BlockPlace before_{1, 0};
  std::vector<Range> ranges_;
};

}  // namespace weir::spool
