// What `weir spool forget` and `weir spool compact` do to a spool that others may be using.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// The consumer is gone for good: nothing is kept back for it any more. Errors: usage (nobody registered the name; the names are
// listed, or no spool), busy (a process acknowledges under the name right now), version, io, full.
base::Result<void> forget_consumer(const std::string& path, const std::string& name, const base::Clock& clock);

struct Compacted {
  std::uint64_t before = 0, after = 0;  // bytes of the file and its write-ahead log
  bool by_writer = false;               // the process that writes the spool did it
};

// Gives unused space back to the file system: by itself when no process writes the spool, else by asking the writer and waiting for
// it, up to `wait`. Errors: busy (the writer did not come to it in time; the request stays), usage, version, io, full.
base::Result<Compacted> compact(const std::string& path, base::Duration wait, const base::Clock& clock);

}  // namespace weir::spool
