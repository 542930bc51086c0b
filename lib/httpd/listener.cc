#include "httpd/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace weir::httpd {
namespace {

using base::Code;
using base::Result;

// An address as the system takes it.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SystemAddress unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  SystemAddress all;
  all.size = sizeof address;
  std::memcpy(&all.storage, &address, sizeof address);
  return all;
}

Result<SystemAddress> resolve(const Address& address) {
  if (!address.socket_path.empty()) return unix_address(address.socket_path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (is_ip_address(address.host) ? AI_NUMERICHOST : 0);
  // As everybody means it, whatever /etc/hosts puts first.
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found); error != 0)
    return base::cannot(Code::io, fmt::format("listen on '{}'", address.text()), ::gai_strerror(error));
  SystemAddress first;
  first.size = found->ai_addrlen;
  std::memcpy(&first.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return first;
}

// 0, or why nobody can connect to a Unix socket: ECONNREFUSED when a dead process left it behind.
int try_to_connect(const SystemAddress& address) {
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return errno;
  return ::connect(probe.get(), address.get(), address.size) == 0 ? 0 : errno;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISLNK(mode)) return "a symbolic link";
  return S_ISFIFO(mode) ? "a FIFO" : "a device";
}

// Removes a socket that a dead process left behind. Nothing else that stands at the path is touched.
Result<void> make_way_for(const Address& address, const SystemAddress& resolved) {
  const std::string what = fmt::format("listen on '{}'", address.text());
  const char* const path = address.socket_path.c_str();
  const auto taken = [&](std::string_view cause) { return base::cannot(Code::io, what, cause).with_hint("choose another path"); };
  struct stat status {};
  if (::lstat(path, &status) != 0) return {};  // bind() says what else is wrong with the path
  if (!S_ISSOCK(status.st_mode)) return taken(fmt::format("it is {}, not a socket", kind_of(status.st_mode)));
  const int error = try_to_connect(resolved);
  if (error == 0 || error == EAGAIN) return taken("another process listens there");  // EAGAIN: its queue is full
  if (error != ECONNREFUSED && error != ENOENT) return base::io_error(error, what).with_hint("choose another path");
  if (::unlink(path) != 0 && errno != ENOENT) return base::io_error(errno, what);
  return {};
}

}  // namespace

Result<base::UniqueFd> listen_on(Address& address, std::size_t backlog) {
  const auto failed = [&](int error) { return base::io_error(error, fmt::format("listen on '{}'", address.text())); };
  auto resolved = resolve(address);
  if (!resolved) return std::move(resolved).error();
  base::UniqueFd fd(::socket(resolved->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed(errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!address.socket_path.empty()) {
    if (auto free = make_way_for(address, *resolved); !free) return std::move(free).error();
  }
  if (::bind(fd.get(), resolved->get(), resolved->size) != 0) {
    const int error = errno;
    auto refused = failed(error);
    if (error == EADDRINUSE && address.socket_path.empty())
      return std::move(refused).with_hint("another process listens there; choose another port");
    if (error == EACCES && address.socket_path.empty())
      return std::move(refused).with_hint("ports below 1024 are for root; choose another port");
    if (error == EADDRNOTAVAIL) return std::move(refused).with_hint("this machine has no such address");
    return refused;
  }
  // Before listen(), nobody can connect.
  if (!address.socket_path.empty() && ::chmod(address.socket_path.c_str(), 0600) != 0) return failed(errno);
  if (::listen(fd.get(), static_cast<int>(std::min<std::size_t>(backlog, INT_MAX))) != 0) return failed(errno);
  SystemAddress bound;
  bound.size = sizeof bound.storage;
  if (address.port == 0 && address.socket_path.empty() &&
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) == 0) {
    const auto* any = &bound.storage;
    address.port = ntohs(any->ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(any)->sin6_port
                                                    : reinterpret_cast<const sockaddr_in*>(any)->sin_port);
  }
  return fd;
}

bool is_here(const sockaddr_storage& peer) {
  const auto is_loopback = [](std::uint32_t ipv4) { return ntohl(ipv4) >> 24 == 127; };
  if (peer.ss_family == AF_INET) return is_loopback(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr);
  if (peer.ss_family != AF_INET6) return false;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
  std::uint32_t ipv4 = 0;
  std::memcpy(&ipv4, address.s6_addr + 12, sizeof ipv4);
  return IN6_IS_ADDR_V4MAPPED(&address) && is_loopback(ipv4);
}

}  // namespace weir::httpd
