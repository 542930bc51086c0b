// The rejected store of a spool: writing into it, for all who refuse records, and taking out what was delivered after all.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/place.h"
#include "spool/rejection.h"
#include "spool/tables/rejected.h"
#include "sqlite/database.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

inline constexpr std::uint64_t kRejectedMax = 100 << 20;  // bytes of whole records, where no writer has said another limit

// Rejections that wait for the next commit: whole records, and places of records that stay in their block, which cost next to
// nothing. Not thread safe.
class RejectedStore {
 public:
  void add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection);
  // The record stays where it is. `kind` is a short name: all of a block, tenant and kind share one row, with what the first of
  // them says.
  void add_in_place(base::Timestamp time, std::string_view consumer, BlockPlace place, std::string_view kind,
                    const Rejection& rejection);
  [[nodiscard]] bool empty() const { return waiting_.empty() && ranges_.empty(); }
  // What waits here, in memory.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Within a transaction of the caller, who calls clear() once it is committed. The oldest whole records go beyond `limit` bytes;
  // their number.
  base::Result<std::uint64_t> write(sqlite::Database& database, std::uint64_t limit);
  void clear();

 private:
  struct Waiting {
    base::Timestamp time;
    std::string consumer;
    BlockPlace place;
    int status;
    std::string reason, url, tenant, record;
  };
  static base::Result<void> write_range(sqlite::Database& database, const RangeRow& range);

  std::vector<Waiting> waiting_;
  std::vector<RangeRow> ranges_;
  std::size_t bytes_ = 0;
};

// Within a transaction: deletes the oldest whole records until `bytes` are free or none is left, and counts them in `meta`.
struct RejectedEvicted {
  std::uint64_t records = 0, bytes = 0;
};
base::Result<RejectedEvicted> evict_rejected(sqlite::Database& database, std::uint64_t bytes);
// Adds to what `meta` counts of rejected records that left the spool undelivered.
base::Result<void> count_evicted_rejected(sqlite::Database& database, std::uint64_t records);
// Bytes of whole records in the store.
base::Result<std::uint64_t> rejected_bytes(sqlite::Database& database);

// A record that stays in its block has no row of its own: the number by which a second delivery names it tells its place.
[[nodiscard]] std::uint64_t number_of_place(BlockPlace place);
[[nodiscard]] std::optional<BlockPlace> place_of_number(std::uint64_t number);

// A second delivery of rejected records (`replay --rejected | push`): one at a time for a spool, beside whatever else works on it.
// Not thread safe.
class RejectedRedelivery {
 public:
  // `spool` is the identity that the records came with. Waits up to `wait` for another one. Errors: busy (names the holder), usage
  // (no spool, another identity or owner), version, corrupt, io.
  static base::Result<std::unique_ptr<RejectedRedelivery>> open(const std::string& path, std::uint64_t spool, base::Duration wait,
                                                                const base::Clock& clock, const base::Stop* stop);
  ~RejectedRedelivery();

  // The record of this row, or at the place that the number tells, was delivered: it leaves the store.
  void delivered(std::uint64_t row);
  // It was refused again: it stays as it was, with the new reason; one in its block with the reason of its range. Its `rejected`
  // object is `rejected`; the rejection's record is not used.
  void rejected(std::uint64_t row, const Rejection& rejection, std::string_view rejected);

  // How many records have changed and are not stored yet: so many are delivered again after a kill.
  [[nodiscard]] std::size_t waiting() const;

  // Stores all of it in one transaction. Errors (io, full, busy) leave it to the next commit.
  base::Result<void> commit();

 private:
  struct State;
  explicit RejectedRedelivery(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
