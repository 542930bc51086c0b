#include "cli/exit_code.h"

#include <csignal>

namespace weir::cli {

Exit exit_of(base::Code code) {
  switch (code) {
    case base::Code::usage:
    case base::Code::config:
    case base::Code::parse:
      return Exit::usage;
    case base::Code::rejected:
      return Exit::incomplete;
    case base::Code::io:
    case base::Code::network:
    case base::Code::unreachable:
    case base::Code::busy:
    case base::Code::full:
    case base::Code::forbidden:
    case base::Code::corrupt:
    case base::Code::version:
    case base::Code::interrupted:
    case base::Code::bug:
      return Exit::failed;
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
    case Exit::ok:
      return "done; also when the reader of the output ended (in a tracked chain: 4)";
    case Exit::negative:
      return "negative answer: nothing matched, or an expectation was not met";
    case Exit::usage:
      return "wrong usage or configuration; nothing was done";
    case Exit::incomplete:
      return "finished with losses: records were rejected, lost or invalid, or files could not be read; standard error has the "
             "numbers";
    case Exit::failed:
      return "cannot go on: a file, the disk or a remote server failed";
    case Exit::hung_up:
      return "the terminal was closed (SIGHUP); records were drained";
    case Exit::interrupted:
      return "interrupted (SIGINT); records were drained";
    case Exit::terminated:
      return "terminated (SIGTERM); records were drained";
  }
  return {};
}

}  // namespace weir::cli
