// Saving what can be read of a damaged spool.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/news.h"

#include <string>

namespace weir::spool {

// Puts a new file of the same identity in the place of the damaged one, with every block whose checksum is right, positions,
// consumers, released and rejected records as far as they can be read. The damaged file stays, with its write-ahead log, as
// `SPOOL.damaged-TIME-file`: nothing is deleted. `cause` is what was found wrong. For the one process that holds the writer's lock;
// it takes room for a second copy meanwhile. Errors: `cause` itself when the file may be somebody else's; full, io.
base::Result<News> salvage(const std::string& path, const base::Error& cause, const base::Clock& clock);

}  // namespace weir::spool
