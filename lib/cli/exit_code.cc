#include "cli/exit_code.h"

#include <csignal>

namespace weir::cli {

Exit exit_of(base::Code code) {
  switch (code) {
    case base::Code::usage:
    case base::Code::config:
    case base::Code::parse: return Exit::usage;
    case base::Code::rejected: return Exit::incomplete;
    case base::Code::io:
    case base::Code::network:
    case base::Code::unreachable:
    case base::Code::busy:
    case base::Code::full:
    case base::Code::forbidden:
    case base::Code::corrupt:
    case base::Code::version:
    case base::Code::interrupted:
    case base::Code::bug: return Exit::failed;
  }
  return Exit::failed;
}

Exit exit_of_signal(int signal_number, Exit none) {
  if (signal_number == SIGINT) return Exit::interrupted;
  if (signal_number == SIGTERM) return Exit::terminated;
  if (signal_number == SIGHUP) return Exit::hung_up;
  return none;
}

std::string_view exit_meaning(Exit exit) {
  switch (exit) {
    case Exit::ok: return "done; also when the reader of the output went away (tracked: 4)";
    case Exit::negative: return "a negative answer: nothing matched, or an expectation was not met";
    case Exit::usage: return "wrong usage or configuration; nothing was done";
    case Exit::incomplete:
      return "finished, but some records were rejected, lost or invalid, or some files could not be read; counts are on stderr";
    case Exit::failed: return "cannot go on: trouble with a file, the disk or a remote";
    case Exit::hung_up: return "hung up (SIGHUP: its terminal went) after draining";
    case Exit::interrupted: return "interrupted (SIGINT) after draining";
    case Exit::terminated: return "terminated (SIGTERM) after draining";
  }
  return {};
}

}  // namespace weir::cli
