#include "httpd/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace weir::httpd {
namespace {

using base::Code;
using base::Result;

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kLoopback = "127.0.0.1";
constexpr const char* kForms = "use for example :9123 for 127.0.0.1:9123, 0.0.0.0:9123, [::1]:9123 or unix:/run/weir/metrics.sock";

bool is_ipv6(std::string_view host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1;
}

bool is_name(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool read_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string Address::text() const {
  if (!socket_path.empty()) return std::string(kUnix) + socket_path;
  return fmt::format(fmt::runtime(host.find(':') == std::string::npos ? "{}:{}" : "[{}]:{}"), host, port);
}

Result<Address> parse_address(std::string_view text) {
  const auto wrong = [](std::string_view cause) { return base::fail(Code::usage, "{}", cause).with_hint(kForms); };
  Address address;
  if (text.starts_with(kUnix)) {
    address.socket_path = text.substr(kUnix.size());
    if (address.socket_path.empty()) return wrong("it has no path");
    if (address.socket_path.size() >= sizeof(sockaddr_un::sun_path)) return wrong("its path is longer than 107 bytes");
    return address;
  }
  if (text.find("://") != std::string_view::npos) return wrong("it is a URL, and no address to listen on");
  if (text.find('/') != std::string_view::npos) return wrong("an address has no path");
  const bool has_bracket = text.starts_with('[');
  if (has_bracket && text.find(']') == std::string_view::npos) return wrong("the bracket is not closed");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) return wrong("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!has_bracket && host.find(':') != std::string_view::npos)
    return wrong(is_ipv6(host) ? "an IPv6 address stands in brackets" : is_ipv6(text) ? "it has no port" : "it has several ports");
  if (!read_port(port, address.port)) return wrong("its port is no number from 0 to 65535");
  if (host.empty()) {
    host = kLoopback;
  } else if (has_bracket && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return wrong("what stands in brackets is no IPv6 address");
  } else if (has_bracket && host.find("]:") != std::string_view::npos) {
    return wrong("it has several ports");
  } else if (!is_name(host)) {
    return wrong("its host is neither a name nor an IP address");
  }
  address.host = host;
  return address;
}

std::optional<std::string_view> host_of(std::string_view authority) {
  const bool has_bracket = authority.starts_with('[');
  const std::size_t end = has_bracket ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view host = authority.substr(has_bracket ? 1 : 0, has_bracket ? end - 1 : end);
  if (!(has_bracket ? is_ipv6(host) : is_name(host))) return std::nullopt;
  const std::string_view rest = authority.substr(has_bracket ? end + 1 : end);
  std::uint16_t port = 0;
  // RFC 3986 allows a colon without a port.
  if (rest.empty() || rest == ":" || (rest.starts_with(':') && read_port(rest.substr(1), port))) return host;
  return std::nullopt;
}

bool is_ip_address(std::string_view host) {
  in_addr address{};
  return ::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1 || is_ipv6(host);
}

}  // namespace weir::httpd
