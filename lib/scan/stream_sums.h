// How much the streams of spools have in a time: records, and bytes of their lines.
//
// A block that lies in the time whole is counted by its list of streams, without being unpacked. Of the blocks at the ends of the
// time the records are read. In a list count also records that a target refused.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "logql/ast.h"
#include "record/label_set.h"
#include "scan/block_search.h"
#include "scan/damage.h"
#include "scan/limits.h"
#include "scan/ordered_scan.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace weir::scan {

struct StreamSums {
  base::TimeRange range = {};
  // Above 0, sums are told apart by the time: cells of this length that begin at its multiples. A block counts by its list when it
  // lies in one cell.
  base::Duration cell = 0;
  WantedTenant tenant = {};
  Limits limits = {};
  Watch watch = {};  // may be null; false ends the reading
};

struct StreamSum {
  const record::LabelSet* labels;  // held during the call that gets it
  base::Timestamp time;            // one in the cell
  std::uint64_t records, bytes;
};

// Calls `each` for parts of the sums, in no particular order: one stream and cell comes again and again. Gives the number of blocks
// that have records of the selector's streams in the range. `damage` is told what cannot be read. Errors: those
// of spool::Reader and of SpoolScan.
base::Result<std::uint64_t> sum_streams(std::span<const std::string> paths, const logql::LogExpr& selector, const StreamSums& sums,
                                        Damage damage, const std::function<void(const StreamSum&)>& each);

}  // namespace weir::scan
