#include "base/stop.h"

#include "base/last_words.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

namespace weir::base {
namespace {

// A signal handler has no argument: the only mutable globals of the program.
std::atomic<Stop*> signalled{nullptr};
std::atomic<bool> hangup_ends{false};

constexpr Duration kSilent = kSecond;  // how long a drain may take before it is announced

void request(Stop& stop, int number) {
  stop.request(number);
  if (stop.level() == Stop::drain && stop.longest_patience() > kSilent) ::alarm(kSilent / kSecond);
}

void on_signal(int number) {
  const int saved = errno;
  if (Stop* stop = signalled.load(std::memory_order_acquire); stop != nullptr) {
    if (number != SIGHUP) {
      request(*stop, number);
    } else if (!hangup_ends.load(std::memory_order_acquire)) {
      stop->request_reload();
    } else if (!stop->stopped()) {  // the system and the shell each send one: the second asks for no haste
      request(*stop, number);
    }
  }
  errno = saved;
}

void on_alarm(int) {
  const int saved = errno;
  const Stop* stop = signalled.load(std::memory_order_acquire);
  if (stop != nullptr && stop->level() == Stop::drain) {
    std::array<char, 20> digits{};
    const auto seconds = (stop->longest_patience() - kSilent) / kSecond;
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), seconds).ptr;
    say_in_signal_handler({"still draining: it ends in at most ",
                           {digits.data(), static_cast<std::size_t>(end - digits.data())},
                           "s; a second signal ends it at once"});
  }
  errno = saved;
}

bool has_terminal() { return bool(UniqueFd(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC))); }

}  // namespace

Result<std::unique_ptr<Stop>> Stop::create() {
  std::unique_ptr<Stop> stop(new Stop);
  stop->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  stop->reload_event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop->event_ || !stop->reload_event_) return io_error(errno, "create an event descriptor");
  return stop;
}

Result<std::unique_ptr<Stop>> Stop::create_child(const Stop& parent) {
  std::unique_ptr<Stop> stop(new Stop);
  stop->parent_ = &parent;
  stop->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  stop->either_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!stop->event_ || !stop->either_) return io_error(errno, "create an event descriptor");
  for (const int fd : {parent.fd(), stop->event_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(stop->either_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return io_error(errno, "wait for an event descriptor");
  }
  return stop;
}

void Stop::hold_back_hangup() {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &hangup, nullptr);
}

Result<void> Stop::handle_signals(Stop& stop) {
  signalled.store(&stop, std::memory_order_release);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocking read or write returns EINTR and its caller looks at level().
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    const bool ignored = ::sigaction(number, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
    if (number == SIGINT && ignored) continue;
    if (number == SIGHUP) hangup_ends.store(!ignored && has_terminal(), std::memory_order_release);
    if (::sigaction(number, &action, nullptr) != 0) return io_error(errno, "handle signals");
  }
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  if (::sigaction(SIGALRM, &action, nullptr) != 0) return io_error(errno, "handle signals");
  action.sa_flags = 0;
  sigset_t held_back;
  sigemptyset(&held_back);
  sigaddset(&held_back, SIGHUP);
  ::pthread_sigmask(SIG_UNBLOCK, &held_back, nullptr);
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

void Stop::request_reload() {
  reloads_.fetch_add(1, std::memory_order_acq_rel);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(reload_event_.get(), &one, sizeof one);
}

void Stop::allow(Duration patience) {
  if (patience > patience_.load(std::memory_order_acquire)) patience_.store(patience, std::memory_order_release);
  for (const Stop* one = this; one != nullptr; one = one->parent_) {
    if (patience > one->longest_patience()) one->longest_patience_.store(patience, std::memory_order_release);
  }
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
