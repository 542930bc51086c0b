// What the spool evicted before it was delivered, summed up by stream until gap records tell of it.
//
// A gap record has the labels and the tenant of its stream, and the metadata weir_gap_bytes. Its line says how many records were
// lost, how many bytes their lines had, and from when to when. Its time is that of the newest of them, or of the newest record of
// the stream in the block that it is added to: Loki refuses a record that is far behind its stream.
//
// The numbers are those of the counters: a block that was delivered in part counts whole. A gap record that is evicted itself
// counts as a record, and what it told of is summed up again.
//
// Memory is bounded. Beyond kMostStreams, all other streams are summed up under the first one, and its line says so. Of the gap
// records that were stored, the latest kMostTold are remembered: when an older one is evicted, it counts as one record only. The
// same holds after a restart.
//
// No files, no clock; not thread safe.
#pragma once

#include "base/clock.h"
#include "record/label_set.h"
#include "spool/block_builder.h"
#include "spool/writer.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::stages {

class EvictedStreams {
 public:
  static constexpr base::Duration kEvery = base::kMinute;
  static constexpr std::size_t kMostStreams = 1000;
  static constexpr std::size_t kMostTold = 10'000;

  void add(std::span<const spool::EvictedStream> evicted, base::Monotonic now);

  // When to tell: kEvery after the first eviction that no gap record tells of. kNever: there is none.
  [[nodiscard]] base::Monotonic due() const { return due_; }
  // What there is, is due now.
  void hurry();
  // Adds one gap record for each stream to the open block, and starts over. Returns how many. Then call stored().
  std::uint64_t tell(spool::BlockBuilder& open);
  // The block that tell() added gap records to has this number. Without a call of tell() before, it does nothing.
  void stored(std::uint64_t block);

 private:
  struct Sum {
    record::LabelSetRef labels;
    std::string tenant;
    std::uint64_t records = 0, bytes = 0;
    base::Timestamp oldest = 0, newest = 0;
    base::Timestamp time = 0;  // of the gap record
    bool others = false;       // with other streams
  };
  using Key = std::pair<const record::LabelSet*, std::string>;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first ? std::less<>()(a.first, b.first) : std::string_view(a.second) < std::string_view(b.second);
    }
  };

  void add(const Sum& lost);
  static void put(const Sum& sum, spool::BlockBuilder& open);

  std::vector<Sum> sums_;
  std::map<Key, std::size_t, Less> index_;          // into sums_
  std::vector<Sum> open_;                           // what tell() told of, until stored()
  std::map<std::uint64_t, std::vector<Sum>> told_;  // by block
  std::size_t told_records_ = 0;
  base::Monotonic due_ = base::kNever;
};

}  // namespace weir::stages
