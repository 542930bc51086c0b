#include "http/credentials.h"

#include "http/client.h"

#include "base/unique_fd.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string_view>

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

namespace {

constexpr std::size_t kMostPem = 8 << 20;  // more than all certificate authorities of a system

base::Result<void> check_pem(const std::string& path, std::string_view what, std::string_view marks) {
  if (path.empty()) return {};
  const auto wrong = [&](std::string_view cause) {
    return base::fail(base::Code::config, "cannot use the {} in {}: {}", what, path, cause);
  };
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return wrong(::strerrordesc_np(errno));
  std::string text;
  std::string block(64 << 10, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return wrong(::strerrordesc_np(errno));
    if (got == 0 || text.size() > kMostPem) break;
    text.append(block, 0, static_cast<std::size_t>(got));
  }
  if (text.find(marks) == std::string::npos) return wrong(text.empty() ? "the file is empty" : "it is not in PEM form");
  return {};
}

base::Result<void> check_secret(const std::string& path) {
  if (path.empty()) return {};
  auto read = SecretFile(path).read();
  if (read) return {};
  base::Error error = std::move(read).error();
  error.code = base::Code::config;
  return error;
}

}  // namespace

base::Result<void> check_files(const ClientConfig& config) {
  if (auto ok = check_secret(config.password_file); !ok) return ok;
  if (auto ok = check_secret(config.bearer_token_file); !ok) return ok;
  if (auto ok = check_pem(config.ca_file, "certificates", "-----BEGIN "); !ok) return ok;
  if (auto ok = check_pem(config.cert_file, "certificate", "CERTIFICATE-----"); !ok) return ok;
  return check_pem(config.key_file, "key", "PRIVATE KEY-----");
}

}  // namespace weir::http
