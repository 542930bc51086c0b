#include "monitor/metrics_file.h"

#include "base/access.h"
#include "base/own_file.h"
#include "base/path.h"
#include "base/thread.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

namespace weir::monitor {

using base::Result;

Result<void> MetricsFile::rehearse(const std::string& path) {
  const std::string what = fmt::format("write metrics to '{}'", path);
  auto target = base::replaceable(path, what);
  if (!target && target.error().system != ENOTDIR) return std::move(target).error();
  const std::string folder(base::folder_of(target ? *target : path));
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0)
    return base::io_error(errno, what).with_hint(fmt::format("make the folder first: mkdir -p '{}'", folder));
  if (!S_ISDIR(status.st_mode)) return base::io_error(ENOTDIR, what);
  if (!base::may_access(folder, W_OK | X_OK)) return base::io_error(errno, what);
  return {};
}

MetricsFile::MetricsFile(std::string path, std::function<std::string()> text, base::Diagnostics& diagnostics, base::Duration every)
    : path_(std::move(path)), text_(std::move(text)), diagnostics_(diagnostics), every_(every) {}

Result<std::unique_ptr<MetricsFile>> MetricsFile::start(std::string path, std::function<std::string()> text,
                                                        base::Diagnostics& diagnostics, base::Duration every) {
  if (auto possible = rehearse(path); !possible) return std::move(possible).error();
  std::unique_ptr<MetricsFile> file(new MetricsFile(std::move(path), std::move(text), diagnostics, every));
  if (auto written = file->write(); !written) return std::move(written).error();
  auto thread = base::start_thread("write metrics to a file", [one = file.get()] { one->run(); });
  if (!thread) return std::move(thread).error();
  file->thread_ = *std::move(thread);
  return file;
}

MetricsFile::~MetricsFile() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
  write_or_warn();
}

void MetricsFile::begun() {
  {
    const std::lock_guard lock(mutex_);
    begun_ = true;
  }
  changed_.notify_all();
}

void MetricsFile::run() {
  using Clock = std::chrono::steady_clock;
  const auto in = [](base::Duration time) { return Clock::now() + std::chrono::nanoseconds(time); };
  Clock::time_point next = in(every_);
  bool knows_begun = false;
  std::unique_lock lock(mutex_);
  while (true) {
    const bool is_told = changed_.wait_until(lock, next, [&] { return ends_ || begun_ != knows_begun; });
    if (ends_) return;
    if (is_told) {
      knows_begun = begun_;
      next = std::min(next, in(kAfterBegun));
      continue;
    }
    lock.unlock();
    write_or_warn();
    next = in(every_);
    lock.lock();
  }
}

void MetricsFile::write_or_warn() {
  auto written = write();
  std::string trouble = written ? std::string() : std::move(written).error().message;
  if (trouble == trouble_) return;
  if (trouble.empty()) {
    diagnostics_.say(fmt::format("the metrics are written to '{}' again", path_));
  } else {
    diagnostics_.warn("metrics file: " + trouble, trouble);
  }
  trouble_ = std::move(trouble);
}

// Not synced: after a loss of power the file is old anyway. For everybody to read, because node_exporter is another user.
Result<void> MetricsFile::write() const {
  const std::string text = text_();
  const std::string what = fmt::format("write metrics to '{}'", path_);
  const auto target = base::replaceable(path_, what);
  if (!target) return target.error();
  const std::string fresh = fmt::format("{}.{}", *target, ::getpid());
  const auto failed = [&](int error) {
    ::unlink(fresh.c_str());
    return base::io_error(error, what);
  };
  // A process of the same number may have left one.
  if (auto left = base::replaceable(fresh, what); !left) return std::move(left).error();
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return base::io_error(errno, what);
  base::UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return base::io_error(errno, what);
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t wrote = ::write(file.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed(errno);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::close(file.release()) != 0) return failed(errno);
  if (::rename(fresh.c_str(), target->c_str()) != 0) return failed(errno);
  return {};
}

}  // namespace weir::monitor
