// The exit codes of every command (EXIT STATUS of each man page).
#pragma once

#include "base/result.h"

namespace weir::cli {

enum class Exit : int {
  ok = 0,
  negative = 1,      // nothing matched, an expectation was not met
  usage = 2,         // usage or configuration
  incomplete = 3,    // finished, but some records were rejected, lost or invalid, or some files could not be read
  failed = 4,        // cannot go on: I/O, remote
  interrupted = 130,
  terminated = 143,
};

[[nodiscard]] Exit exit_of(base::Code code);

}  // namespace weir::cli
