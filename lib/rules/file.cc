#include "rules/file.h"

#include "base/access.h"
#include "base/path.h"
#include "base/text_file.h"
#include "base/unique_fd.h"
#include "rules/parser.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

namespace weir::rules {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::UniqueFd;

constexpr int kMostAttempts = 20;  // at a file that others change while it is edited

Error cannot_edit(int error, const std::string& path) {
  Error out = base::io_error(error, fmt::format("edit rules '{}'", path));
  switch (error) {
    case ENOENT:
      out.hint = fmt::format("to create a file of rules: echo '# rules' > {}", path);
      break;
    case EROFS:
      out.hint = "it is mounted read-only: edit it where it comes from, for a ConfigMap with kubectl edit configmap";
      break;
    case EBUSY:
      out.hint = "it is mounted as a single file: edit the file that is mounted";
      break;
    case EACCES:
    case EPERM:
      out.hint = "edit it as its owner or as root (sudo); both the file and its folder must be writable";
      break;
    default:
      break;
  }
  return out;
}

Result<std::string> read_all(int fd, const std::string& path) {
  auto text = base::read_text(fd, fmt::format("rules '{}'", path));
  if (!text && text.error().system == EISDIR) text.error().hint = "name the files in it, one by one";
  if (!text && text.error().code == Code::config) text.error().hint = "divide it into several files";
  return text;
}

// The file that `path` leads to, without symbolic links.
Result<std::string> resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (real == nullptr) return cannot_edit(errno, path);
  return std::string(real.get());
}

// A kubelet puts the files of a ConfigMap or Secret into a folder of the form `..2026_11_29_12_00_00.123456` and exchanges that.
bool is_mounted_by_kubelet(const std::string& real) { return base::base_name(base::folder_of(real)).starts_with(".."); }

Result<UniqueFd> lock_folder(const std::string& folder, const std::string& path, base::Duration patience) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return cannot_edit(errno, path);
  const base::Monotonic deadline = base::after(base::Clock::system().monotonic(), patience);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return base::io_error(errno, fmt::format("lock the folder of '{}'", path));
    if (base::Clock::system().monotonic() >= deadline) {
      return base::cannot(Code::busy, fmt::format("edit rules '{}'", path), "another process has held the lock on its folder")
          .with_hint(fmt::format("try again; `fuser -v {}` shows who it is", folder));
    }
    const timespec pause = {.tv_sec = 0, .tv_nsec = 5 * base::kMillisecond};
    ::nanosleep(&pause, nullptr);
  }
  return fd;
}

// The new text beside the file, which is removed unless it was put in its place.
class NewFile {
 public:
  explicit NewFile(const std::string& real)
      : name_(fmt::format("{}/.{}.weir-XXXXXX", base::folder_of(real), base::base_name(real))),
        fd_(::mkostemp(name_.data(), O_CLOEXEC)) {}
  ~NewFile() {
    if (fd_) ::unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // Each returns the number of the error, 0 for none.
  int write(std::string_view text, const struct stat& like) {
    if (!fd_) return errno;
    // The owner first: a change of it takes special bits of the mode away.
    struct stat mine = {};
    if (::fstat(fd_.get(), &mine) != 0) return errno;
    if ((mine.st_uid != like.st_uid || mine.st_gid != like.st_gid) && ::fchown(fd_.get(), like.st_uid, like.st_gid) != 0)
      return errno;
    if (::fchmod(fd_.get(), like.st_mode & 07777) != 0) return errno;
    while (!text.empty()) {
      const ssize_t wrote = ::write(fd_.get(), text.data(), text.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno;
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return ::fsync(fd_.get()) == 0 ? 0 : errno;
  }
  int put_in_place_of(const std::string& real) {
    if (::rename(name_.c_str(), real.c_str()) != 0) return errno;
    fd_.reset();
    return 0;
  }

 private:
  std::string name_;
  UniqueFd fd_;
};

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// One attempt under the lock; false when the file changed meanwhile.
Result<bool> try_edit(const std::string& real, const std::string& path, const Edit& edit, int folder) {
  const UniqueFd file(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat before = {};
  if (!file || ::fstat(file.get(), &before) != 0) return cannot_edit(errno, path);
  if (!S_ISREG(before.st_mode)) {
    return base::cannot(Code::io, fmt::format("edit rules '{}'", path), "it is not a regular file");
  }
  const auto text = read_all(file.get(), path);
  if (!text) return text.error();
  const auto wanted = edit(*text);
  if (!wanted) return wanted.error();
  if (*wanted == *text) return true;
  // rename() would replace a file that may not be written.
  if (!base::may_access(real, W_OK)) return cannot_edit(errno, path);
  NewFile fresh(real);
  if (const int error = fresh.write(*wanted, before); error != 0) return cannot_edit(error, path);
  struct stat now = {};
  if (::stat(real.c_str(), &now) != 0 || !same_version(before, now)) return false;
  if (const int error = fresh.put_in_place_of(real); error != 0) return cannot_edit(error, path);
  if (::fsync(folder) != 0 && errno != EINVAL) return cannot_edit(errno, path);
  return true;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const int error = errno;
    return base::io_error(error, fmt::format("read rules '{}'", path));
  }
  return read_all(file.get(), path);
}

bool looks_swapped(const std::string& file, const std::string& rule) {
  const auto exists = [](const std::string& path) { return base::may_access(path, F_OK); };
  const auto is_rule = [](const std::string& text) { return parse_typed(text, base::Clock::system().wall()).ok(); };
  return !exists(file) && (is_rule(file) || (exists(rule) && !is_rule(rule)));
}

Result<void> edit_file(const std::string& path, const Edit& edit, base::Duration patience) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const auto real = resolved(path);
    if (!real) return real.error();
    if (is_mounted_by_kubelet(*real)) {
      return base::cannot(Code::io, fmt::format("edit rules '{}'", path), "it is a mounted ConfigMap or Secret")
          .with_hint("edit the object itself, for example with kubectl edit configmap; the kubelet then updates the file");
    }
    const auto lock = lock_folder(std::string(base::folder_of(*real)), path, patience);
    if (!lock) return lock.error();
    // The link may have been turned while this waited.
    const auto again = resolved(path);
    if (!again) return again.error();
    if (*again != *real) continue;
    const auto done = try_edit(*real, path, edit, lock->get());
    if (!done) return done.error();
    if (*done) return {};
  }
  return base::cannot(Code::busy, fmt::format("edit rules '{}'", path), "other processes keep changing the file")
      .with_hint("try again");
}

}  // namespace weir::rules
