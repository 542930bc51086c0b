#include "cli/terminal.h"

#include "cli/paragraph.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

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

std::size_t terminal_lines(int fd) {
  constexpr std::size_t usual = 24;
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : usual;
}

// Line by line, each to its end: the terminal shows no empty moment.
std::string in_place(std::string_view text) {
  std::string out = "\x1b[H";
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    out.append(line).append("\x1b[K\r\n");
  }
  return out + "\x1b[J";
}

struct Screen::Mode {
  termios settings{};
};

Screen::Screen() {
  sigset_t window;
  ::sigemptyset(&window);
  ::sigaddset(&window, SIGWINCH);
  if (::pthread_sigmask(SIG_BLOCK, &window, nullptr) == 0) size_.reset(::signalfd(-1, &window, SFD_CLOEXEC | SFD_NONBLOCK));
  auto mode = std::make_unique<Mode>();
  // In the background, the change would stop the process.
  if (!is_terminal(STDIN_FILENO) || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return;
  if (::tcgetattr(STDIN_FILENO, &mode->settings) != 0) return;
  termios keys = mode->settings;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  keys.c_cc[VMIN] = 1;
  keys.c_cc[VTIME] = 0;
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &keys) != 0) return;
  keys_ = STDIN_FILENO;
  before_ = std::move(mode);
}

Screen::~Screen() {
  if (before_) static_cast<void>(::tcsetattr(STDIN_FILENO, TCSANOW, &before_->settings));
}

std::optional<char> Screen::key() const {
  pollfd ready{keys_, POLLIN, 0};
  if (keys_ < 0 || ::poll(&ready, 1, 0) <= 0) return std::nullopt;
  char key = 0;
  const ssize_t got = ::read(keys_, &key, 1);
  if (got == 1) return key;
  return got == 0 || (errno != EINTR && errno != EAGAIN) ? std::optional('q') : std::nullopt;
}

bool Screen::resized() const {
  bool resized = false;
  signalfd_siginfo info{};
  while (size_ && ::read(size_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) resized = true;
  return resized;
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
