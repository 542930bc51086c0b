// The positions that a keeper left in a spool file, for those who only start from them (tail).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "record/positions.h"

#include <string>

namespace weir::spool {

// Reads the positions of `path`, with those of the last logs that are gone, in one short transaction and never writes. Only an
// absent (or still empty) file means 'none'. A file that is busy is waited for, up to `wait` or until `stop` is raised (may be
// null). Errors: usage (no spool), version (a newer format), busy, corrupt, io.
base::Result<record::Positions> read_positions(const std::string& path, base::Duration wait = 30 * base::kSecond,
                                               const base::Stop* stop = nullptr);

}  // namespace weir::spool
