// How many records match a log query, and how many bytes their lines have, by a key of each record and by the time: sums without
// the records, made in the threads that read blocks.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "logql/ast.h"
#include "record/record.h"
#include "scan/block_search.h"
#include "scan/damage.h"
#include "scan/limits.h"
#include "scan/ordered_scan.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace weir::scan {

// The time around this one between two multiples of `length`, cut off at the ends of all time; without a length, all of it.
[[nodiscard]] base::TimeRange cell_around(base::Timestamp time, base::Duration length);

struct RecordCounts {
  base::TimeRange range = {};
  base::Duration cell = 0;  // sums are told apart by cells of this length, which begin at its multiples; 0: they are not
  WantedTenant tenant = {};
  Limits limits = {};
  Watch watch = {};                                          // may be null; false ends the reading
  std::function<bool(const spool::BlockInfo&)> blocks = {};  // leaves out blocks; may be null
};

// The key of a record as the query shows it (its source, extra and tenant are not set). One thread asks it.
using RecordKey = std::function<record::LabelSetRef(record::Record& record, record::Batch& batch)>;

struct RecordCount {
  const record::LabelSet* key;  // held during the call that gets it
  base::Timestamp time;         // one in the cell
  std::uint64_t records, bytes;
};

// Calls `each` for parts of the sums: one key and cell may come again. `make_key` makes a key function for each thread. Rejected
// records do not count. `damage` is told what cannot be read. Errors: those of LogQuery::compile() and
// of SpoolScan.
base::Result<void> count_records(std::span<const std::string> paths, const logql::LogExpr& query, const RecordCounts& counts,
                                 const std::function<RecordKey()>& make_key, Damage damage,
                                 const std::function<void(const RecordCount&)>& each);

}  // namespace weir::scan
