#include "base/text_file.h"

#include "base/diagnostics.h"
#include "base/own_file.h"
#include "base/path.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace weir::base {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return io_error(errno, fmt::format("write '{}'", path));
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

Result<std::string> read_text(int fd, std::string_view name, std::size_t most) {
  std::string text;
  while (true) {
    constexpr std::size_t kBlock = 16 << 10;
    const std::size_t size = text.size();
    text.resize(size + kBlock);
    const ssize_t got = ::read(fd, text.data() + size, kBlock);
    const int cause = errno;
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && cause == EINTR) continue;
    if (got < 0) return io_error(cause, fmt::format("read {}", name));
    if (got == 0) return text;
    if (text.size() > most) return fail(Code::config, "cannot read {}: it is larger than {} MiB", name, most >> 20);
  }
}

Result<std::string> read_text_file(const std::string& path, std::string_view name) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return io_error(errno, fmt::format("read {}", name));
  return read_text(file.get(), name);
}

Result<std::string> read_own_file(const std::string& path, std::string_view name) {
  auto file = open_own(path, O_RDONLY, fmt::format("read {}", name));
  if (!file) return std::move(file).error();
  return read_text(file->get(), name);
}

Result<void> replace_text_file(const std::string& named, std::string_view text) {
  const auto target = replaceable(named, fmt::format("replace '{}'", escape_control(named)));
  if (!target) return target.error();
  const std::string& path = *target;
  std::string fresh = path + ".XXXXXX";
  const UniqueFd file(::mkostemp(fresh.data(), O_CLOEXEC));
  if (!file) return io_error(errno, fmt::format("make a file beside '{}'", path));
  auto written = write_all(file.get(), text, fresh);
  if (written && ::fsync(file.get()) != 0) written = io_error(errno, fmt::format("write '{}'", fresh));
  if (written && ::rename(fresh.c_str(), path.c_str()) != 0) written = io_error(errno, fmt::format("replace '{}'", path));
  if (!written) {
    ::unlink(fresh.c_str());
    return written;
  }
  const UniqueFd folder(::open(std::string(folder_of(path)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) static_cast<void>(::fsync(folder.get()));
  return {};
}

}  // namespace weir::base
