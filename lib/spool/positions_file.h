// Reads the positions that a keeper stored in a spool file, for tail, which only starts from them.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "record/positions.h"

#include <string>

namespace weir::spool {

// Reads the positions in `path`, also those of the last logs that are gone, in one short transaction. Never writes. Only a file
// that does not exist or is empty means 'no positions'. Waits for a busy file up to `wait`, or until `stop` (may be null) is
// raised. Errors: usage (no spool), version (a newer format), busy, corrupt, io.
base::Result<record::Positions> read_positions(const std::string& path, base::Duration wait = 30 * base::kSecond,
                                               const base::Stop* stop = nullptr);

}  // namespace weir::spool
