#include "monitor/service_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace weir::monitor {

using base::Result;

Result<ServiceSocket> ServiceSocket::open(std::string name) {
  if (name.size() < 2 || (name[0] != '/' && name[0] != '@') || name.size() >= sizeof(sockaddr_un::sun_path))
    return base::fail(base::Code::config, "cannot use NOTIFY_SOCKET '{}': it is neither a path nor @NAME", name);
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::io_error(errno, "create a socket to tell systemd");
  const timeval patience = {.tv_sec = 2, .tv_usec = 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return base::io_error(errno, "create a socket to tell systemd");
  return ServiceSocket(std::move(name), std::move(fd));
}

Result<void> ServiceSocket::send(std::string_view text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name_.copy(address.sun_path, sizeof address.sun_path - 1);
  if (name_[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size() + (name_[0] == '@' ? 0 : 1));
  ssize_t sent = -1;
  do {
    sent = ::sendto(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return base::io_error(errno, fmt::format("tell systemd at '{}'", name_));
  return {};
}

}  // namespace weir::monitor
