#include "base/stop.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>

namespace weir::base {
namespace {

// A signal handler has no argument: the one mutable global of the program.
std::atomic<Stop*> signalled{nullptr};

void on_signal(int number) {
  const int saved = errno;
  if (Stop* stop = signalled.load(std::memory_order_acquire); stop != nullptr) {
    if (number == SIGHUP) {
      stop->request_reload();
    } else {
      stop->request(number);
    }
  }
  errno = saved;
}

}  // namespace

Result<std::unique_ptr<Stop>> Stop::create() {
  std::unique_ptr<Stop> stop(new Stop);
  stop->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop->event_) return io_error(errno, "create an event descriptor");
  return stop;
}

Result<void> Stop::handle_signals(Stop& stop) {
  signalled.store(&stop, std::memory_order_release);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocking read or write returns EINTR and its caller looks at level().
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    if (number == SIGINT && ::sigaction(number, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN) continue;
    if (::sigaction(number, &action, nullptr) != 0) return io_error(errno, "handle signals");
  }
  action.sa_handler = SIG_IGN;
  if (::sigaction(SIGPIPE, &action, nullptr) != 0) return io_error(errno, "ignore SIGPIPE");
  // Then a write beyond the limit of a file's size fails with EFBIG, which says what it was.
  if (::sigaction(SIGXFSZ, &action, nullptr) != 0) return io_error(errno, "ignore SIGXFSZ");
  return {};
}

void Stop::request(int signal_number) {
  int none = 0;
  signal_.compare_exchange_strong(none, signal_number, std::memory_order_acq_rel);
  int level = level_.load(std::memory_order_acquire);
  while (level < leave && !level_.compare_exchange_weak(level, level + 1, std::memory_order_acq_rel)) {
  }
  const std::uint64_t one = 1;
  // A full counter is as readable as we want it.
  [[maybe_unused]] const ssize_t ignored = ::write(event_.get(), &one, sizeof one);
}

void Stop::allow(Duration patience) {
  if (patience > patience_.load(std::memory_order_acquire)) patience_.store(patience, std::memory_order_release);
}

// The earliest one counts.
void Stop::settle(Monotonic deadline) const {
  Monotonic current = deadline_.load(std::memory_order_acquire);
  while (deadline < current && !deadline_.compare_exchange_weak(current, deadline, std::memory_order_acq_rel)) {
  }
}

Monotonic Stop::deadline(Monotonic now) const {
  if (level() == leave) return now;
  if (deadline_.load(std::memory_order_acquire) == kNever) {
    if (stopped()) {
      settle(after(now, patience_.load(std::memory_order_acquire)));
    } else {
      const std::lock_guard lock(feed_mutex_);
      if (feed_ != nullptr && feed_->died()) feed_died(now);
    }
  }
  return deadline_.load(std::memory_order_acquire);
}

void Stop::feed_died(Monotonic now) const {
  feed_has_died_.store(true, std::memory_order_release);
  settle(after(now, kAfterDeath));
}

void Stop::watch(Feed* feed) {
  const std::lock_guard lock(feed_mutex_);
  feed_ = feed;
}

}  // namespace weir::base
