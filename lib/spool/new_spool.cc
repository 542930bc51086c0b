#include "spool/new_spool.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

bool is_there(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

// What readers of a spool leave beside it: when it is removed by hand, nothing of it is in there.
bool is_empty_log(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0;
}

std::string making(const std::string& to) { return to + "-making"; }

Result<void> sync_at(const std::string& path, int flags) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file || ::fsync(file.get()) != 0) return base::io_error(errno, fmt::format("sync '{}'", path));
  return {};
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

NewSpool::NewSpool(std::string to, std::string what, LockFile lock)
    : to_(std::move(to)), what_(std::move(what)), partial_(to_ + "-partial"), lock_(std::move(lock)) {}

NewSpool::NewSpool(NewSpool&& other) noexcept
    : to_(std::exchange(other.to_, {})),
      what_(std::move(other.what_)),
      partial_(std::move(other.partial_)),
      lock_(std::move(other.lock_)) {}

NewSpool::~NewSpool() {
  if (to_.empty()) return;
  discard();
  ::unlink(making(to_).c_str());
}

base::Error NewSpool::taken(const std::string& path) const {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return base::fail(Code::usage, "cannot {} '{}': it is a folder", what_, path).with_hint("name a new file in it");
  }
  return base::fail(Code::usage, "cannot {} '{}': that file exists already", what_, path).with_hint("name a new file");
}

Result<NewSpool> NewSpool::begin(const std::string& to, std::string_view what, const base::Clock& clock) {
  const std::string folder = folder_of(to);
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) {
    return base::fail(Code::io, "cannot {} '{}': the folder '{}' does not exist", what, to, folder)
        .with_hint("make the folder first, or name another place");
  }
  NewSpool made(to, std::string(what), LockFile());
  for (const char* suffix : {"", "-wal"}) {
    if (is_there(to + suffix) && !(*suffix != '\0' && is_empty_log(to + suffix))) {
      base::Error error = made.taken(to + suffix);
      made.to_.clear();  // nothing of it is ours
      return error;
    }
  }
  auto lock = LockFile::take(making(to), fmt::format("'{}'", to), 0, clock, nullptr);
  if (!lock) {
    made.to_.clear();
    base::Error error = std::move(lock).error();
    if (error.code == Code::busy) return std::move(error).with_hint("another process makes this file");
    if (error.system == 0) return error;
    return base::io_error(error.system, fmt::format("{} '{}'", what, to))
        .with_hint(fmt::format("weir writes files beside it first, so that it must be able to write the folder '{}'", folder));
  }
  made.lock_ = std::move(*lock);
  if (is_empty_log(to + "-wal")) {
    for (const char* suffix : {"-wal", "-shm"}) ::unlink((to + suffix).c_str());
  }
  made.discard();
  return made;
}

void NewSpool::discard() const {
  for (const char* suffix : {"", "-wal", "-shm", "-lock", "-reserve", "-recent"}) ::unlink((partial_ + suffix).c_str());
}

Result<void> NewSpool::finish() {
  // A writer leaves its log beside the file where the disk has no room to copy it. It is removed with partial(), and records with
  // it.
  struct stat log = {};
  if (::stat((partial_ + "-wal").c_str(), &log) == 0 && log.st_size > 0) {
    return base::fail(Code::full, "cannot {} '{}': there is no room on that disk", what_, to_)
        .with_hint("name a place on another disk");
  }
  if (auto synced = sync_at(partial_, 0); !synced) return synced;
  // Two names for a moment, so that nothing that came meanwhile is replaced; not every file system has them.
  if (::link(partial_.c_str(), to_.c_str()) != 0) {
    if (errno == EEXIST || is_there(to_)) return taken(to_);
    if (::rename(partial_.c_str(), to_.c_str()) != 0) return base::io_error(errno, fmt::format("{} '{}'", what_, to_));
  }
  // Some file systems do not sync folders; then nobody can.
  static_cast<void>(sync_at(folder_of(to_), O_DIRECTORY));
  return {};
}

}  // namespace weir::spool
