// What `weir spool forget` and `weir spool compact` do to a spool that others may be using.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/watch.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// Removes a consumer that will not come back: the spool keeps no records for it any more. Errors: usage (no spool, or no consumer
// of this name; the error lists the names), busy (a process acknowledges under the name right now), version, io, full.
base::Result<void> forget_consumer(const std::string& path, const std::string& name, const base::Clock& clock);

struct Compacted {
  std::uint64_t before = 0, after = 0;  // bytes of the file and its write-ahead log
  bool by_writer = false;               // the process that writes the spool did it
};

// Gives unused space of the file back to the file system. When a process writes the spool, it asks that process to do so and waits
// up to `wait`. `watch` counts the bytes that are given back; when it ends the work, what is done stays done. Errors: busy (the
// writer did not finish in time; the request stays), interrupted, usage, version, io, full.
base::Result<Compacted> compact(const std::string& path, base::Duration wait, const base::Clock& clock, const Watch& watch = {});

}  // namespace weir::spool
