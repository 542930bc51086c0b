// A place in a spool, and sets of places. Blocks count from 1, ordinals (records in their order within the block) from 0.
#pragma once

#include "base/result.h"
#include "record/record.h"

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

struct BlockPlace {
  std::uint64_t block = 0;
  std::uint32_t ordinal = 0;
  friend auto operator<=>(const BlockPlace&, const BlockPlace&) = default;
};

// Names a stream in the packed forms: the same for equal labels and tenant in every process and release.
[[nodiscard]] std::uint64_t stream_key(const record::LabelSet& labels, std::string_view tenant);

// What a consumer has acknowledged: everything up to a place, and stretches behind it. Block numbers may have holes, so a
// stretch is told by two places and may span blocks. A stream that waits is excepted: of its records those before its own place are
// acknowledged and no others, whatever is said of their places. So a stream that is hours behind costs one entry, not one a record.
class PlaceSet {
 public:
  struct Stretch {
    BlockPlace from;
    BlockPlace to;  // exclusive
    friend bool operator==(const Stretch&, const Stretch&) = default;
  };

  struct Waiting {
    std::uint64_t stream;  // stream_key()
    BlockPlace from;
    friend bool operator==(const Waiting&, const Waiting&) = default;
  };

  PlaceSet() = default;
  explicit PlaceSet(BlockPlace before) : before_(before) {}

  // Everything before it is acknowledged, of every stream.
  [[nodiscard]] BlockPlace before() const;
  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }  // sorted, apart from each other
  [[nodiscard]] const std::vector<Waiting>& waiting() const { return waiting_; }      // sorted by stream
  // Acknowledged whatever stream it belongs to.
  [[nodiscard]] bool contains(BlockPlace place) const;
  // All of [from, to).
  [[nodiscard]] bool contains(BlockPlace from, BlockPlace to) const;
  // The record at this place is acknowledged.
  [[nodiscard]] bool has(BlockPlace place, const record::Record& record) const;
  // Some of [from, to) may be acknowledged.
  [[nodiscard]] bool touches(BlockPlace from, BlockPlace to) const;
  // Behind all places that are acknowledged for any stream.
  [[nodiscard]] BlockPlace end() const { return stretches_.empty() ? before_ : stretches_.back().to; }

  // Everything from `from` up to `to`, which itself stays out. Nothing when to <= from.
  void add(BlockPlace from, BlockPlace to);
  // Many of them, sorted and apart from each other, in one pass: what the set holds is moved once and not for each.
  void add_sorted(std::span<const Stretch> more);
  // Everything before `place`, also of streams that wait.
  void add_before(BlockPlace place);
  // All that `other` has, too. A stream that waits in one of them waits, from the first place on.
  void add_all(const PlaceSet& other);
  // The stream waits, from there on; one that waits already goes forward, never back.
  void wait(std::uint64_t stream, BlockPlace from);
  // The stream waits, and this place of it is not acknowledged.
  void wait_also(std::uint64_t stream, BlockPlace place);
  [[nodiscard]] bool waits(std::uint64_t stream) const;
  void stop_waiting(std::uint64_t stream);

  // The packed form of what before() does not say, for the `partial` column (weir-spool.5); "" for nothing.
  [[nodiscard]] std::string encode_stretches() const;
  static base::Result<PlaceSet> decode(BlockPlace before, std::string_view stretches);

  friend bool operator==(const PlaceSet&, const PlaceSet&) = default;

 private:
  [[nodiscard]] bool covers(BlockPlace place) const;
  void cover_before(BlockPlace place);

  BlockPlace before_{1, 0};  // but for streams that wait
  std::vector<Stretch> stretches_;
  std::vector<Waiting> waiting_;
};

}  // namespace weir::spool
