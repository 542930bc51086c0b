// What is known of a block without opening its body.
#pragma once

#include "base/clock.h"
#include "base/time_range.h"
#include "record/label_set.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::spool {

using base::TimeRange;

// Blocks that hold records, by number.
struct BlockRange {
  TimeRange time = {};      // those that have a record in it
  std::uint64_t after = 0;  // with a higher number
  std::size_t limit = std::numeric_limits<std::size_t>::max();
};

struct BlockInfo {
  std::uint64_t id = 0;
  base::Timestamp min_timestamp = 0, max_timestamp = 0;  // of its records
  base::Timestamp stored = 0;                            // wall clock of the commit
  std::uint32_t records = 0;
  std::uint32_t held = 0;
  std::uint64_t line_bytes = 0;  // decoded lines
  std::uint64_t body_bytes = 0;  // compressed
};

// All records of a block with equal labels and tenant.
struct StreamInfo {
  record::LabelSetRef labels;
  std::string tenant;
  base::Timestamp min_timestamp = 0, max_timestamp = 0;
  std::uint32_t records = 0;
  std::uint64_t line_bytes = 0;
};

}  // namespace weir::spool
