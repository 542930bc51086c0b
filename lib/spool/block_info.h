// What the list of blocks says about a block, without its body.
#pragma once

#include "base/clock.h"
#include "base/time_range.h"
#include "record/label_set.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::spool {

using base::TimeRange;

// Selects blocks that hold records. They come in the order of their numbers.
struct BlockRange {
  TimeRange time = {};      // only blocks with a record in this range
  std::uint64_t after = 0;  // only blocks with a higher number
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  bool deliverable = false;  // only those with a record that is not held
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
