// Reads a spool while others write it: replay, query --spool, push --spool, the drain of buffer, serve.
//
// Every call is at most one short read transaction; none is held between calls, so a reader may pause for hours and the file
// does not grow for it. A block that was evicted meanwhile is simply not there any more. Nothing is written; where the disk is
// full, or the file belongs to somebody else, each call sees what was committed before it all the same.
//
//   auto reader = Reader::open(path);
//   auto blocks = reader->list({.time = range});                        // cheap: no stream lists, no bodies
//   for (const BlockInfo& block : *blocks) {
//     auto streams = reader->streams(block.id);                         // labels, tenant, time range of each stream
//     reader->load(block.id, {.stream = …, .lines = …}, batch, states); // decompress, verify, decode
//   }
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "record/record.h"
#include "spool/block_decoder.h"
#include "spool/block_info.h"
#include "spool/ordinal_set.h"
#include "spool/place.h"
#include "spool/tables/rejected.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

enum class State : std::uint8_t { undelivered, delivered, held, rejected };

// Not thread safe; several readers (and a writer) of one file in one process are fine.
class Reader {
 public:
  // `wait`: for a busy file. Errors: io (absent), usage (no spool), version, corrupt, busy.
  static base::Result<std::unique_ptr<Reader>> open(const std::string& path, base::Duration wait = 30 * base::kSecond);
  // Null when the file is absent, or there but still empty: whoever writes it may be about to make it.
  static base::Result<std::unique_ptr<Reader>> open_if_there(const std::string& path, base::Duration wait);
  ~Reader();

  [[nodiscard]] std::uint64_t spool() const;  // the identity
  [[nodiscard]] const std::string& path() const;
  // A sentence when it is a copy without its write-ahead log, or the log was removed: what is missing.
  [[nodiscard]] std::optional<std::string> missing() const;

  using Range = BlockRange;
  // Blocks that hold records, by number.
  base::Result<std::vector<BlockInfo>> list(const Range& range);
  // Empty when the block is gone.
  base::Result<std::vector<StreamInfo>> streams(std::uint64_t block);

  // Appends the records of one block that pass `options` to `batch`, in their order, with `source` set to their place (the caller
  // clears it where it should not be seen) and `held` as stored. `states` (may be null) gets one entry a record appended. False
  // when the block is gone. Errors: corrupt (checksum or form), io.
  base::Result<bool> load(std::uint64_t block, const LoadOptions& options, record::Batch& batch,
                          std::vector<State>* states = nullptr);

  // What a consumer has acknowledged; nullopt when nobody registered the name.
  base::Result<std::optional<PlaceSet>> acknowledged(std::string_view consumer);

  // The names that are registered.
  base::Result<std::vector<std::string>> consumers();

  // True when the path leads to another file by now: the one that is read was damaged and is kept under another name.
  [[nodiscard]] bool replaced() const;

  // True when somebody has committed since the last call; cheap enough to ask ten times a second.
  base::Result<bool> changed();

  // The rejected store, oldest first: `record` is a JSON line of weir-record.5 with its `rejected` object. Calls `each` for entries
  // with a number above `after`, at most `limit`; returns the highest number seen, 0 when there was none.
  using RejectedEntry = RejectedRow;
  base::Result<std::uint64_t> rejected(std::uint64_t after, std::size_t limit,
                                       const std::function<void(const RejectedEntry&)>& each);

  // Rejected records that stay in their block, which is there: those of one block, tenant and kind.
  using RejectedRange = RangeRow;
  // Of the next block above `after` that has some; empty when there is none.
  base::Result<std::vector<RejectedRange>> rejected_ranges(std::uint64_t after);

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::spool
