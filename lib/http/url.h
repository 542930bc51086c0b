// URLs as users write them and as requests need them. RFC 3986: https://www.rfc-editor.org/rfc/rfc3986
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

// "a=1&b=x%20y" in the given order.
[[nodiscard]] std::string query_string(const std::vector<std::pair<std::string, std::string>>& parameters);

// The address of a server, with what its users added: `http://host:3100/loki-prefix?extra=1`.
struct Url {
  std::string origin;  // "http://host:3100"; scheme and host in lower case
  std::string path;    // "" or "/…", without a slash at its end
  std::string query;   // without "?"
  std::string user;    // from http://user:password@host, percent-decoded; never printed
  std::string password;

  // For messages and logs: without user, password and query.
  [[nodiscard]] std::string display() const { return origin + path; }
};

// Whether the host is this machine by its own word: localhost, 127.0.0.0/8 or ::1. Asks no DNS.
[[nodiscard]] bool is_loopback(const Url& url);

// Accepts http and https. `host:3100` without a scheme means http. Errors: Code::usage.
base::Result<Url> parse_url(std::string_view text);

// The URL of `path` (begins with "/") under `base`. When `base` ends with `path` already, `path` is not added again, because a
// base may be the full push URL. `query` and the query of the base are joined by "&".
[[nodiscard]] std::string join(const Url& base, std::string_view path, std::string_view query = {});

}  // namespace weir::http
