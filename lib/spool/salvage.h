// Saving what can be read of a damaged spool.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/report.h"

#include <string>

namespace weir::spool {

// Replaces the damaged file by a new one of the same identity. The new file gets every block whose checksum is right, and
// positions, consumers, released and rejected records as far as they can be read. The damaged file and its write-ahead log stay as
// `SPOOL.damaged-TIME-file`; nothing is deleted. `cause` is the error that showed the damage. Only the process that holds the
// writer's lock may call this. It needs disk space for a second copy. Errors: `cause` itself when the file may not be a spool;
// full, io.
base::Result<Report> salvage(const std::string& path, const base::Error& cause, const base::Clock& clock);

}  // namespace weir::spool
