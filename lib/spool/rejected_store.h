// The rejected store of a spool: writing into it, for all who refuse records, and taking out what was delivered after all.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/place.h"
#include "spool/rejection.h"
#include "sqlite/database.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// Rejections that wait for the next commit. Not thread safe.
class RejectedStore {
 public:
  void add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection);
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  // Within a transaction of the caller, who calls clear() once it is committed.
  base::Result<void> write(sqlite::Database& database);
  void clear() { waiting_.clear(); }

 private:
  struct Waiting {
    base::Timestamp time;
    std::string consumer;
    BlockPlace place;
    int status;
    std::string reason, url, tenant, record;
  };
  std::vector<Waiting> waiting_;
};

// A second delivery of rejected records (`replay --rejected | push`): one at a time for a spool, beside whatever else works on it. Not
// thread safe.
class RejectedRedelivery {
 public:
  // `spool` is the identity that the records came with. Waits up to `wait` for another one. Errors: busy (names the holder), usage (no
  // spool, another identity or owner), version, corrupt, io.
  static base::Result<std::unique_ptr<RejectedRedelivery>> open(const std::string& path, std::uint64_t spool, base::Duration wait,
                                                                const base::Clock& clock, const base::Stop* stop);
  ~RejectedRedelivery();

  // The record of this row was delivered: it leaves the store.
  void delivered(std::uint64_t row);
  // It was refused again: it stays as it was, with the new reason. Its `rejected` object is `rejected`; the rejection's record is not used.
  void rejected(std::uint64_t row, const Rejection& rejection, std::string_view rejected);

  // Stores all of it in one transaction. Errors (io, full, busy) leave it to the next commit.
  base::Result<void> commit();

 private:
  struct State;
  explicit RejectedRedelivery(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
