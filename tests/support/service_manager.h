// The end of NOTIFY_SOCKET that systemd has.
#pragma once

#include "base/unique_fd.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace weir::test {

class ServiceManager {
 public:
  // `name` as in NOTIFY_SOCKET: a path, or @NAME.
  explicit ServiceManager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) throw std::runtime_error("cannot bind " + name);
  }

  // The next message; "" when none comes for `patience` milliseconds.
  [[nodiscard]] std::string next(int patience = 20'000) const {
    pollfd one = {fd_.get(), POLLIN, 0};
    if (::poll(&one, 1, patience) <= 0) return {};
    std::array<char, 4096> text{};
    const ssize_t size = ::recv(fd_.get(), text.data(), text.size(), 0);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  base::UniqueFd fd_;
};

}  // namespace weir::test
