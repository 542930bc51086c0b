// The rejected store of a spool: adding records that were refused, and removing those that were delivered later.
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

inline constexpr std::uint64_t kRejectedMax = 100 << 20;  // bytes of whole records, unless a writer has set another limit

// Rejections that wait for the next commit: whole records, and places of records that stay in their block, which cost almost no
// space. Not thread safe.
class RejectedStore {
 public:
  void add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection);
  // The record stays in its block. `kind` is a short name of the reason. All rejections of one block, tenant and kind share one
  // row, with the status, reason and URL of the first.
  void add_in_place(base::Timestamp time, std::string_view consumer, BlockPlace place, std::string_view kind,
                    const Rejection& rejection);
  [[nodiscard]] bool empty() const { return waiting_.empty() && ranges_.empty(); }
  // Bytes of memory that the rejections take.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Stores the rejections in the caller's transaction; call clear() when it is committed. Evicts the oldest whole records beyond
  // `limit` bytes. Returns how many.
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

// Deletes the oldest whole records, in the caller's transaction, until `bytes` are free or none is left, and counts them in `meta`.
struct RejectedEvicted {
  std::uint64_t records = 0, bytes = 0;
};
base::Result<RejectedEvicted> evict_rejected(sqlite::Database& database, std::uint64_t bytes);
// Adds to the count in `meta` of rejected records that were evicted.
base::Result<void> count_evicted_rejected(sqlite::Database& database, std::uint64_t records);
// Bytes of whole records in the store.
base::Result<std::uint64_t> rejected_bytes(sqlite::Database& database);

// A record that stays in its block has no row of its own. This number stands for its place when it is delivered again.
[[nodiscard]] std::uint64_t number_of_place(BlockPlace place);
[[nodiscard]] std::optional<BlockPlace> place_of_number(std::uint64_t number);

// Delivers rejected records again (`replay --rejected | push`). One process at a time does this for a spool, while others may write
// and read it. Not thread safe.
class RejectedRedelivery {
 public:
  // `spool` is the identity of the spool that the records came from. Waits up to `wait` while another process does the same.
  // Errors: busy (names the holder), usage (no spool, another identity or owner), version, corrupt, io.
  static base::Result<std::unique_ptr<RejectedRedelivery>> open(const std::string& path, std::uint64_t spool, base::Duration wait,
                                                                const base::Clock& clock, const base::Stop* stop);
  ~RejectedRedelivery();

  // The record of this row, or at the place that this number stands for, was delivered: removes it from the store.
  void delivered(std::uint64_t row);
  // The record was refused again: it stays in the store with the new reason. One that stays in its block keeps the reason of its
  // range. `rejected` is its new `rejected` object; `rejection.record` is not used.
  void rejected(std::uint64_t row, const Rejection& rejection, std::string_view rejected);

  // How many changes wait for commit(). After a kill, that many records are delivered again.
  [[nodiscard]] std::size_t waiting() const;

  // Stores all changes in one transaction. After an error (io, full, busy) the next commit tries again.
  base::Result<void> commit();

 private:
  struct State;
  explicit RejectedRedelivery(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
