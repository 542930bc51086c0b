// HTTP by hand, for tests of servers: what is sent is sent byte for byte.
#pragma once

#include "base/unique_fd.h"
#include "httpd/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::test {

class RawHttp {
 public:
  explicit RawHttp(const httpd::Address& address) {
    if (address.socket_path.empty()) {
      fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(address.port);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      connect(reinterpret_cast<const sockaddr*>(&to), sizeof to);
    } else {
      fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      address.socket_path.copy(to.sun_path, sizeof to.sun_path - 1);
      connect(reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  }

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has closed, which the test reads
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // One whole answer, with its head; "" when the server closes, or says nothing for `patience` milliseconds.
  std::string answer(int patience = 20'000, bool head_only = false) {
    while (true) {
      const std::size_t end = read_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t length = read_.find("Content-Length: ");
        const std::size_t body = head_only || length > end ? 0 : std::stoul(read_.substr(length + 16));
        if (read_.size() >= end + 4 + body) {
          std::string one = read_.substr(0, end + 4 + body);
          read_.erase(0, one.size());
          return one;
        }
      }
      if (!more(patience)) return {};
    }
  }

  // The next `count` bytes, fewer when the server closes, or says nothing for `patience` milliseconds.
  std::string bytes(std::size_t count, int patience = 20'000) {
    while (read_.size() < count && more(patience)) {
    }
    std::string some = read_.substr(0, count);
    read_.erase(0, some.size());
    return some;
  }

  // The size of all that comes until the server closes; npos when it does not, or says nothing for `patience` milliseconds.
  // `text`, where it is given, gets it.
  std::size_t rest(int patience = 20'000, std::string* text = nullptr) {
    while (more(patience)) {
    }
    if (text != nullptr) *text = read_;
    return closed_ ? read_.size() : std::string::npos;
  }

  // Says that nothing follows.
  void end() const { ::shutdown(fd_.get(), SHUT_WR); }

  // The server closes the connection, and sends nothing before.
  bool is_closed(int patience = 20'000) { return !more(patience) && closed_; }

 private:
  void connect(const sockaddr* to, socklen_t size) const {
    if (::connect(fd_.get(), to, size) != 0) throw std::runtime_error("cannot connect");
  }
  bool more(int patience) {
    pollfd one = {fd_.get(), POLLIN, 0};
    if (::poll(&one, 1, patience) <= 0) return false;
    std::array<char, 4096> piece{};
    const ssize_t size = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (size <= 0) closed_ = true;
    if (size <= 0) return false;
    read_.append(piece.data(), static_cast<std::size_t>(size));
    return true;
  }

  base::UniqueFd fd_;
  std::string read_;
  bool closed_ = false;
};

inline std::string http_get(const httpd::Address& address, std::string_view path) {
  RawHttp http(address);
  http.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return http.answer();
}

}  // namespace weir::test
