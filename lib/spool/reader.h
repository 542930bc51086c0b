// Reads a spool while others write it: replay, query --spool, push --spool, the drain of buffer, serve.
//
// Each call is at most one short read transaction. No transaction stays open between calls, so a reader may pause for hours and the
// file does not grow. A block that was evicted in the meantime is no longer found. The reader writes nothing, so it also works on a
// full disk and for a user who may only read the file.
//
//   auto reader = Reader::open(path);
//   auto blocks = reader->list({.time = range});                        // cheap: no stream lists, no bodies
//   for (const BlockInfo& block : *blocks) {
//     auto streams = reader->streams(block.id);                         // labels, tenant, time range of each stream
//     reader->load(block.id, {.stream = …, .needles = …}, batch, states); // decompress, verify, decode
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
  // As open(), but null when the file does not exist or is still empty: a writer may be about to make it.
  static base::Result<std::unique_ptr<Reader>> open_if_there(const std::string& path, base::Duration wait);
  ~Reader();

  [[nodiscard]] std::uint64_t spool() const;  // the identity
  [[nodiscard]] const std::string& path() const;
  // A sentence that says which records are missing, when the file is a copy without its write-ahead log or the log was removed.
  [[nodiscard]] std::optional<std::string> missing() const;

  using Range = BlockRange;
  // Lists blocks that hold records, in the order of their numbers.
  base::Result<std::vector<BlockInfo>> list(const Range& range);
  // Empty when the block was evicted.
  base::Result<std::vector<StreamInfo>> streams(std::uint64_t block);

  // Appends the records of one block that pass `options` to `batch`, in their order, with `source` set to their place (the caller
  // clears it when it must not be passed on) and `held` as stored. With options.lent they stay until the next load(). `states` (may
  // be null) gets one entry for each appended record.
  // False when the block was evicted. Errors: corrupt (checksum or form), io. A block without a wanted stream is neither read nor
  // verified.
  base::Result<bool> load(std::uint64_t block, const LoadOptions& options, record::Batch& batch,
                          std::vector<State>* states = nullptr);

  // What a consumer has acknowledged; nullopt when no consumer has this name.
  base::Result<std::optional<PlaceSet>> acknowledged(std::string_view consumer);

  // The names of all consumers.
  base::Result<std::vector<std::string>> consumers();

  // True when the path now leads to another file: the one that this reader has open was damaged and was set aside.
  [[nodiscard]] bool replaced() const;

  // True when another process has committed since the last call. Cheap enough for ten calls a second.
  base::Result<bool> changed();

  // The rejected store, oldest first: `record` is a JSON line of weir-record.5 with its `rejected` object. Calls `each` for entries
  // with a number above `after`, at most `limit`; returns the highest number seen, 0 when there was none.
  using RejectedEntry = RejectedRow;
  base::Result<std::uint64_t> rejected(std::uint64_t after, std::size_t limit,
                                       const std::function<void(const RejectedEntry&)>& each);

  // Rejected records that stay in their block: those of one block, tenant and kind.
  using RejectedRange = RangeRow;
  // The ranges of the next block above `after` that has rejected records; empty when there is none.
  base::Result<std::vector<RejectedRange>> rejected_ranges(std::uint64_t after);

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::spool
