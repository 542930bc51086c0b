#include "base/wake.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace weir::base {

Result<void> Wake::open() {
  if (epoll_) return {};
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return io_error(errno, "create a descriptor to wait on");
  bell_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell_) return io_error(errno, "create an event descriptor");
  epoll_ = std::move(epoll);
  if (auto added = watch_event(bell_.get()); !added) {
    epoll_.reset();
    return added;
  }
  return {};
}

void Wake::ring() const {
  if (!bell_) return;
  const int saved = errno;
  const std::uint64_t one = 1;
  // Nobody reads it. A full counter, after 2^64 rings, would be the only thing to fail.
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof one);
  errno = saved;
}

void Wake::hear() {
  // Takes the edges; a descriptor that is still readable stays in the list.
  std::array<epoll_event, 16> events{};
  if (epoll_) static_cast<void>(::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0));
}

Result<void> Wake::add(int fd, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST) return io_error(errno, "wait for a descriptor");
  return {};
}

Result<void> Wake::watch(int fd) {
  if (auto opened = open(); !opened) return opened;
  return add(fd, EPOLLIN);
}

Result<void> Wake::watch_event(int event) {
  if (auto opened = open(); !opened) return opened;
  return add(event, EPOLLIN | EPOLLET);
}

void Wake::forget(int fd) const {
  if (epoll_) static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

}  // namespace weir::base
