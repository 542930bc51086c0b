// Which rejected records are kept whole in the rejected store, with everything that was to be sent.
//
// A few rejections are an exception that somebody wants to look at, so the records are kept whole. Many rejections are a rule:
// then the place of a record and the reason are enough. Records that Loki refuses for their time are never kept whole.
#pragma once

#include "base/clock.h"
#include "loki/pusher.h"

#include <string>
#include <string_view>

namespace weir::delivery {

// A bucket of bytes: 1 MiB, filled with 16 KiB a second. Not thread safe.
class RejectionBudget {
 public:
  // Whether this record is kept whole. Takes its cost from the bucket.
  [[nodiscard]] bool admits(const loki::RejectedRecord& rejected, base::Monotonic now);

 private:
  static constexpr double kBurst = 1 << 20;
  double credit_ = kBurst;
  base::Monotonic filled_ = 0;
};

// The record as a JSON line with the member `rejected`. `object` is the value of that member.
[[nodiscard]] std::string whole_record(const loki::RejectedRecord& rejected, std::string_view object);

// The part of the reason that is true of many records: without the record's own time or stream.
[[nodiscard]] std::string common_reason(const loki::RejectedRecord& rejected);

}  // namespace weir::delivery
