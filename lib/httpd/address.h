// Addresses to listen on, as people write them:
//
//   127.0.0.1:9123  [::1]:9123  localhost:9123  :9123  0.0.0.0:9123  unix:/run/weir/metrics.sock
//
// Without a host it is 127.0.0.1: whoever wants to be reached from elsewhere says so (0.0.0.0, [::], the name of the host).
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::httpd {

struct Address {
  std::string host;         // without brackets; "" with `path`
  std::uint16_t port = 0;   // 0: any that is free
  std::string socket_path;  // of a Unix socket; "" for TCP

  // As an address is written.
  [[nodiscard]] std::string text() const;
};

// Code::usage; the message is the cause alone: "it has no port".
[[nodiscard]] base::Result<Address> parse_address(std::string_view text);

// The host of a Host header or of a URL's authority: "localhost:9123" is "localhost", "[::1]:80" is "::1". None where it is neither
// a name nor an IP address (IPv6 in brackets), or where the port is no number.
[[nodiscard]] std::optional<std::string_view> host_of(std::string_view authority);

// It is an IP address, and no name that somebody's DNS server may turn into any address.
[[nodiscard]] bool is_ip_address(std::string_view host);

}  // namespace weir::httpd
