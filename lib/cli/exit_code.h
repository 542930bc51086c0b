// The exit codes of every command (EXIT STATUS of each man page).
#pragma once

#include "base/result.h"

#include <string_view>

namespace weir::cli {

enum class Exit : int {
  ok = 0,
  negative = 1,    // nothing matched, an expectation was not met
  usage = 2,       // usage or configuration
  incomplete = 3,  // finished, but some records were rejected, lost or invalid, or some files could not be read
  failed = 4,      // cannot go on: I/O, remote
  hung_up = 129,
  interrupted = 130,
  terminated = 143,
};

// What a process that ends with this error exits with. Code::interrupted is Exit::failed: whether a signal was the cause is known
// to exit_of_signal() only.
[[nodiscard]] Exit exit_of(base::Code code);

// 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, otherwise `none`.
[[nodiscard]] Exit exit_of_signal(int signal_number, Exit none);

// What --exit-zero-on-term makes of it: 0 for 143. A service manager takes SIGTERM as the normal way to end. Everything else
// stays: losses (3) and errors (4) come before the signal. So does 143 of an error, where records were not delivered and no
// positions are kept.
[[nodiscard]] constexpr Exit zero_on_term(Exit exit) { return exit == Exit::terminated ? Exit::ok : exit; }

// The sentence of EXIT STATUS, lower case, without a full stop.
[[nodiscard]] std::string_view exit_meaning(Exit exit);

}  // namespace weir::cli
