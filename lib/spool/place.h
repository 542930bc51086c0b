// A place in a spool, and sets of places. Blocks count from 1, ordinals (records in their order within the block) from 0.
#pragma once

#include "base/result.h"
#include "record/record.h"
#include "spool/ordinal_set.h"

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

// A number for a stream in the packed forms. It is the same for equal labels and tenant in every process and release.
[[nodiscard]] std::uint64_t stream_key(const record::LabelSet& labels, std::string_view tenant);

// What a consumer has acknowledged: everything before a place, and stretches after it. Block numbers may have holes, so a stretch
// is given by two places and may span blocks. A waiting stream has a place of its own: its records before that place are
// acknowledged, and all its later records are not, even within a stretch. So a stream that is hours behind costs one entry, not one
// a record.
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

  // Everything before this place is acknowledged, for all streams, also those that wait.
  [[nodiscard]] BlockPlace before() const;
  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }  // sorted; they do not touch
  [[nodiscard]] const std::vector<Waiting>& waiting() const { return waiting_; }      // sorted by stream
  // The place is acknowledged, whatever stream the record belongs to.
  [[nodiscard]] bool contains(BlockPlace place) const;
  // All places in [from, to) are acknowledged, whatever stream they belong to.
  [[nodiscard]] bool contains(BlockPlace from, BlockPlace to) const;
  // The record at this place is acknowledged.
  [[nodiscard]] bool has(BlockPlace place, const record::Record& record) const;
  // Some of [from, to) may be acknowledged.
  [[nodiscard]] bool touches(BlockPlace from, BlockPlace to) const;
  // The place after all that are acknowledged for any stream.
  [[nodiscard]] BlockPlace end() const { return stretches_.empty() ? before_ : stretches_.back().to; }

  // Adds all places from `from` to `to`, without `to`. Adds nothing when to <= from.
  void add(BlockPlace from, BlockPlace to);
  // Adds many stretches in one pass. They are sorted and do not touch.
  void add_sorted(std::span<const Stretch> more);
  // Adds everything before `place`, also for streams that wait.
  void add_before(BlockPlace place);
  // Adds all places of `other`. A stream that waits in either set waits, from the earlier of its places.
  void add_all(const PlaceSet& other);
  // The stream waits from this place on. The place of a stream that waits already moves forward, never back.
  void wait(std::uint64_t stream, BlockPlace from);
  // The stream waits, and its record at this place is not acknowledged.
  void wait_also(std::uint64_t stream, BlockPlace place);
  [[nodiscard]] bool waits(std::uint64_t stream) const;
  void stop_waiting(std::uint64_t stream);

  // Stretches and waiting streams in packed form, for the `partial` column (weir-spool.5); "" when there are none.
  [[nodiscard]] std::string encode_stretches() const;
  // The same form for places of one block, which decode({block, 0}, …) reads: also for places from its first on, which a PlaceSet
  // keeps in before().
  [[nodiscard]] static std::string encode_ordinals(const OrdinalSet& ordinals);
  // Of one block.
  [[nodiscard]] OrdinalSet ordinals_of(std::uint64_t block) const;
  static base::Result<PlaceSet> decode(BlockPlace before, std::string_view stretches);

  friend bool operator==(const PlaceSet&, const PlaceSet&) = default;

 private:
  [[nodiscard]] bool covers(BlockPlace place) const;
  void cover_before(BlockPlace place);

  BlockPlace before_{1, 0};  // except for streams that wait
  std::vector<Stretch> stretches_;
  std::vector<Waiting> waiting_;
};

}  // namespace weir::spool
