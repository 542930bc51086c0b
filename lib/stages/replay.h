// Emits records from a spool, oldest first, as if they came in at this moment. For pushing them again, reading them, or testing
// rules.
#pragma once

#include "pipeline/stage.h"
#include "spool/block_info.h"

#include <memory>
#include <string>

namespace weir::stages {

struct ReplaySpec {
  std::string spool;
  std::string query = {};  // the LogQL query that selects; it may have no selector
  spool::TimeRange range = {};
  // The wanted states. When none is set: delivered and undelivered records.
  bool delivered = false;
  bool undelivered = false;
  bool held = false;
  bool rejected = false;
  double speed = 0;     // speed relative to the original times; 0: as fast as the chain takes them
  bool gaps = false;    // gap records whose labels the selector takes come whatever the rest of the query says
  bool retime = false;  // the timestamp becomes the current time, the old one goes into metadata weir_original_timestamp
};

// Sorted by time over all blocks, in memory that does not grow with the spool. Rejected records follow, in the order of their
// refusal. The mark `held` is removed and no source is given, so nothing in the spool changes. The exception: rejected records
// come after a marker and with their row as source, so that pushing them removes them from the store. Errors at once: a query
// that does not compile (config), a spool that cannot be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_replay(const ReplaySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
