#include "http/credentials.h"

#include "base/unique_fd.h"

#include <fcntl.h>

#include <cerrno>

namespace weir::http {

base::Result<std::string> SecretFile::read() {
  struct ::stat now {};
  if (::stat(path_.c_str(), &now) != 0) return base::io_error(errno, fmt::format("read the secret in {}", path_));
  if (loaded_ && now.st_ino == seen_.st_ino && now.st_size == seen_.st_size && now.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec)
    return value_;
  const base::UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return base::io_error(errno, fmt::format("read the secret in {}", path_));
  std::string value(64 << 10, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(file.get(), value.data() + size, value.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::io_error(errno, fmt::format("read the secret in {}", path_));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size == value.size()) return base::fail(base::Code::config, "cannot use the secret in {}: it is longer than 64 KiB", path_);
  }
  value.resize(size);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.pop_back();
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
    return base::fail(base::Code::config, "cannot use the secret in {}: it has more than one line", path_);
  if (value.empty()) return base::fail(base::Code::config, "cannot use the secret in {}: the file is empty", path_);
  value_ = std::move(value);
  seen_ = now;
  loaded_ = true;
  return value_;
}

}  // namespace weir::http
