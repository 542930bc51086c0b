// Records out of a spool, oldest first, as if they came in now: to be pushed again, to be looked at, to test rules with.
#pragma once

#include "pipeline/stage.h"
#include "spool/block_info.h"

#include <memory>
#include <string>

namespace weir::stages {

struct ReplaySpec {
  std::string spool;
  std::string query = {};          // LogQL that selects; the selector may be left out
  spool::TimeRange range = {};
  // Which states; with none of them, delivered and undelivered records.
  bool undelivered = false;
  bool held = false;
  bool rejected = false;
  double speed = 0;           // how many times as fast as they were written; 0: as fast as they are taken
  bool retime = false;        // now as timestamp, the old one in metadata weir_original_timestamp
};

// Ordered by time over all blocks, in memory that does not grow with the spool; rejected records follow, in the order of their
// refusal. `held` is taken off, no source is given, so nothing in the spool changes; but rejected records come behind a marker and with their
// row, so that a push of them takes them out of the store. Errors at once: a query that does not compile (config), a spool that cannot
// be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_replay(const ReplaySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
