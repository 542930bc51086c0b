#include "cli/terminal.h"

#include "cli/paragraph.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace weir::cli {

void reserve_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free descriptor is `fd`, since those below it are open. The wrong direction makes its use fail.
    static_cast<void>(::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY));
  }
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::size_t terminal_width(int fd, const char* columns_variable) {
  constexpr std::size_t least = 40;
  if (columns_variable != nullptr) {
    std::size_t value = 0;
    const auto* end = columns_variable + std::strlen(columns_variable);
    const auto [rest, error] = std::from_chars(columns_variable, end, value);
    if (error == std::errc() && rest == end && value >= least) return value;
  }
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= least) return size.ws_col;
  return kPlainWidth;
}

base::Result<bool> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {  // somebody who shares the terminal made it non-blocking
      pollfd ready{fd, POLLOUT, 0};
      static_cast<void>(::poll(&ready, 1, -1));
      continue;
    }
    if (written < 0 && errno == EPIPE) return false;
    if (written < 0) return base::io_error(errno, "write to standard output");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace weir::cli
