#include "spool/lock_file.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace weir::spool {
namespace {

constexpr base::Duration kAskAgain = 50 * base::kMillisecond;

bool try_lock(int fd) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// The process id that the holder wrote, "" when there is none.
std::string holder_of(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  std::string pid(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  pid.erase(std::ranges::find_if(pid, [](char c) { return c < '0' || c > '9'; }), pid.end());
  return pid;
}

void wait_a_little(base::Duration wait, const base::Stop* stop) {
  struct pollfd input = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
  ::poll(&input, 1, static_cast<int>(wait / base::kMillisecond) + 1);
}

}  // namespace

base::Result<LockFile> LockFile::take(const std::string& path, const std::string& what, base::Duration wait, const base::Clock& clock,
                                      const base::Stop* stop) {
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    const int cause = errno;
    base::Error error = base::io_error(cause, fmt::format("open the lock file '{}'", path));
    if (cause == ENOENT) error.hint = "make its folder first, or name another one";
    if (cause == EROFS || cause == EACCES) error.hint = "a spool needs a folder that can be written";
    return error;
  }
  const base::Monotonic deadline = base::after(clock.monotonic(), wait);
  while (!try_lock(fd.get())) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return base::io_error(errno, fmt::format("lock '{}'", path));
    const base::Monotonic now = clock.monotonic();
    if (now >= deadline) {
      const std::string pid = holder_of(fd.get());
      return base::fail(base::Code::busy, "cannot use {}: {} holds it", what, pid.empty() ? "another process" : "process " + pid)
          .with_hint("wait longer with --wait, or end that process");
    }
    if (stop != nullptr && stop->stopped()) return base::fail(base::Code::interrupted, "cannot use {}: stopped while waiting for it", what);
    wait_a_little(std::min(kAskAgain, deadline - now), stop);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    // Only the name in somebody's error message is lost.
  }
  return LockFile(std::move(fd));
}

bool is_locked(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return fd && ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::string writer_lock_path(const std::string& spool) { return spool + "-lock"; }
std::string consumer_lock_path(const std::string& spool, const std::string& name) { return spool + "-lock-" + name; }
std::string rejected_lock_path(const std::string& spool) { return spool + "-lock.rejected"; }

}  // namespace weir::spool
