// Writing into the rejected store, for all who refuse records.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/place.h"
#include "spool/rejection.h"
#include "sqlite/database.h"

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

}  // namespace weir::spool
