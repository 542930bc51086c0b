#include "pipeline/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <limits.h>
#include <algorithm>
#include <cerrno>

namespace weir::pipeline {
namespace {

using base::Code;

constexpr base::Duration kCheckEvery = base::kSecond;  // how often a blocked write checks whether it is still wanted
constexpr base::Duration kCheckEveryStopped = 100 * base::kMillisecond;  // and once it was asked to end: for the second signal

}  // namespace

Output::Output(int fd, const Context& context) : fd_(fd), context_(context) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return;  // the first write reports it
  socket_ = S_ISSOCK(status.st_mode);
  terminal_ = ::isatty(fd) == 1;
  has_reader_ = socket_ || terminal_ || S_ISFIFO(status.st_mode);
  // O_NONBLOCK belongs to what was opened, which others share with us: the next program in a terminal, say.
  if (S_ISFIFO(status.st_mode)) own_.reset(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

bool Output::reader_left() const {
  pollfd reader = {fd_, 0, 0};
  return has_reader_ && ::poll(&reader, 1, 0) > 0;
}

ssize_t Output::write_some(std::string_view text) const {
  if (own_) return ::write(own_.get(), text.data(), text.size());
  if (socket_) return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (!has_reader_) return ::write(fd_, text.data(), text.size());
  // A terminal, or a pipe of another user's: there is room for this much when poll says that there is any.
  pollfd writable = {fd_, POLLOUT, 0};
  if (::poll(&writable, 1, 0) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
}

Result<void> Output::wait() {
  const Monotonic now = context_.clock->monotonic();
  const bool stopped = context_.stop != nullptr && context_.stop->stopped();
  const Monotonic deadline = context_.stop == nullptr ? base::kNever : context_.stop->deadline(now);
  if (now >= deadline) {
    if (stopped) return base::fail(Code::interrupted, "stopped while the output was blocked: its reader takes nothing");
    return base::fail(Code::interrupted,
                      "cannot write the output: its reader takes nothing, and the process in front of this one died")
        .with_hint("nothing is lost: what was not passed on is read again at the next start");
  }
  pollfd fds[2] = {{fd_, POLLOUT, 0}, {stopped || context_.stop == nullptr ? -1 : context_.stop->fd(), POLLIN, 0}};
  const Monotonic until = std::min(deadline, base::after(now, stopped ? kCheckEveryStopped : kCheckEvery));
  const metrics::Wait waits(context_.driver, metrics::On::output);
  if (::poll(fds, 2, base::poll_timeout(now, until)) < 0 && errno != EINTR)
    return base::io_error(errno, "wait for room in the output");
  return {};
}

Result<Flow> Output::write(std::string_view text) {
  if (terminal_ && !text.empty() && context_.diagnostics != nullptr) context_.diagnostics->make_way();
  // Where it is a file: its disk may be slow.
  const metrics::Wait waits(has_reader_ || text.empty() ? nullptr : context_.driver, metrics::On::disk, metrics::kLongRead);
  while (!text.empty()) {
    const ssize_t written = write_some(text);
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE || (errno == EIO && terminal_)) {  // the latter: the terminal was closed
      return Flow::done;
    } else if (errno == EAGAIN) {
      if (auto room = wait(); !room) return std::move(room).error();
    } else if (errno != EINTR) {
      return base::io_error(errno, "write the output");
    }
  }
  return Flow::more;
}

}  // namespace weir::pipeline
