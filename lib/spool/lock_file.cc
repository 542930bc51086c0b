#include "spool/lock_file.h"

#include "base/private_file.h"
#include "spool/checksum.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

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

// Descriptors of spools that are open and not in use. Closing one would drop the POSIX locks that SQLite holds on the file for its
// connections in this process, so they are kept and used again. A process has few spools.
class Spare {
 public:
  // One for the file at `path`, -1 and errno otherwise. One that is kept is used before another is opened, so that there are never
  // more than were in use at once.
  int take(const std::string& path, int flags) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) return -1;
    {
      const std::lock_guard lock(mutex_);
      if (owner_ != ::getpid()) all_.clear();  // those of the process that we were forked from, and shared with it
      owner_ = ::getpid();
      const auto found = std::ranges::find_if(all_, [&](const One& one) {
        return one.device == status.st_dev && one.inode == status.st_ino && one.writes == ((flags & O_ACCMODE) == O_RDWR);
      });
      if (found != all_.end()) {
        const int spare = found->fd;
        all_.erase(found);
        return spare;
      }
    }
    return ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK);
  }

  void give(int fd) {
    struct stat status = {};
    if (fd < 0 || ::fstat(fd, &status) != 0) return;
    const bool writes = (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
    const std::lock_guard lock(mutex_);
    if (owner_ == ::getpid()) all_.push_back({fd, status.st_dev, status.st_ino, writes});
  }

 private:
  struct One {
    int fd;
    dev_t device;
    ino_t inode;
    bool writes;
  };
  std::mutex mutex_;
  pid_t owner_ = 0;
  std::vector<One> all_;
};

Spare& spare() {
  static auto* const one = new Spare;  // stays until the process ends, as its descriptors do
  return *one;
}

// Where in the file the locks of names lie: behind all that SQLite locks.
constexpr std::int64_t kNames = std::int64_t{1} << 62;
constexpr std::int64_t kNamesEnd = kNames + (std::int64_t{1} << 60);

// The same for all ways to one folder.
std::int64_t place_of(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
  struct stat status = {};
  static_cast<void>(::stat(folder.c_str(), &status));
  const std::string where = fmt::format("{} {} {}", status.st_dev, status.st_ino, whole.filename().string());
  return kNames + static_cast<std::int64_t>(xxh64(where, 0) % static_cast<std::uint64_t>(kNamesEnd - kNames));
}

bool is_any_locked(int fd, std::int64_t from, std::int64_t to) {
  if (from >= to) return false;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = from;
  lock.l_len = to - from;
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool set_shared(int fd, std::int64_t place, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = place;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

base::Result<void> check_names(int fd, const std::string& path, std::int64_t place) {
  if (!is_any_locked(fd, kNames, place) && !is_any_locked(fd, place + 1, kNamesEnd)) return {};
  return base::fail(
             base::Code::busy,
             "cannot use spool '{}': the same file is in use under another name, and its write-ahead log is beside that name", path)
      .with_hint(fmt::format("use that name: a hard link, or a mount, which `find / -samefile '{}'` finds", path));
}

}  // namespace

base::Result<LockFile> LockFile::take(const std::string& path, const std::string& what, base::Duration wait,
                                      const base::Clock& clock, const base::Stop* stop) {
  base::UniqueFd fd = base::open_private(path);
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
    if (stop != nullptr && stop->stopped())
      return base::fail(base::Code::interrupted, "cannot use {}: stopped while waiting for it", what);
    wait_a_little(std::min(kAskAgain, deadline - now), stop);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    // Only the name in somebody's error message is lost.
  }
  return LockFile(std::move(fd));
}

base::Result<NameHold> NameHold::take(const std::string& path) {
  const std::int64_t place = place_of(path);
  NameHold hold;
  hold.fd_ = spare().take(path, O_RDWR);
  if (hold.fd_ < 0) return base::io_error(errno, fmt::format("open spool '{}'", path));
  // First taken, then looked: of two who come at once by different names one at least sees the other.
  if (!set_shared(hold.fd_, place, F_RDLCK)) return base::io_error(errno, fmt::format("lock spool '{}'", path));
  if (auto free = check_names(hold.fd_, path, place); !free) return std::move(free).error();
  return hold;
}

base::Result<void> NameHold::check(const std::string& path) {
  const int fd = spare().take(path, O_RDONLY);
  if (fd < 0) return {};
  auto free = check_names(fd, path, place_of(path));
  spare().give(fd);
  return free;
}

NameHold::NameHold(NameHold&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
NameHold& NameHold::operator=(NameHold&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
NameHold::~NameHold() {
  if (fd_ < 0) return;
  struct flock all = {};
  all.l_type = F_UNLCK;
  all.l_whence = SEEK_SET;
  static_cast<void>(::fcntl(fd_, F_OFD_SETLK, &all));
  spare().give(fd_);
}

bool is_locked(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return fd && ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::uint64_t latest_holder(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const std::string pid = fd ? holder_of(fd.get()) : std::string();
  std::uint64_t number = 0;
  static_cast<void>(std::from_chars(pid.data(), pid.data() + pid.size(), number));
  return number;
}

std::string writer_lock_path(const std::string& spool) { return spool + "-lock"; }
std::string consumer_lock_path(const std::string& spool, const std::string& name) { return spool + "-lock-" + name; }
std::string rejected_lock_path(const std::string& spool) { return spool + "-lock.rejected"; }

}  // namespace weir::spool
