// Who may ask a server: users and tokens of files, and which Host and Origin a request may have.
//
// A page in somebody's browser may send requests to this machine: by a name of its own that leads here (DNS rebinding), or from a
// foreign page. So a request must name a host that is an IP address, localhost, where the server listens, or one of `hosts`; and an
// Origin header must name the host and port that the Host header names. Others are answered 403.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/message.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::httpd {

// No DNS server of somebody else can make a browser name this host when it means another one. `listens_on`: the host of the address
// that the server listens on; "" for a Unix socket, to which no browser comes.
[[nodiscard]] bool is_own_host(std::string_view host, std::string_view listens_on, std::span<const std::string> hosts = {});

// The request has no Origin header, or one that names what its Host header names (RFC 6454).
[[nodiscard]] bool is_own_origin(const Request& request);

struct AccessFiles {
  // Lines "NAME:PASSWORD", the password as it is, or as a SHA-256: "NAME:{SHA256}BASE64". Empty lines and lines with # are skipped.
  std::string users;
  std::string tokens;  // one bearer token a line
  [[nodiscard]] bool any() const { return !users.empty() || !tokens.empty(); }
};

// Not thread safe: for the server's thread. Files are read again when they changed; a new text that cannot be read keeps what was
// read before, and says so once.
class Access {
 public:
  // `hosts`: further names by which clients may call this server. `diagnostics` outlives it. Errors: a file that cannot be read, or
  // has a line that is none, or nothing else than comments (config; the message names file and line, never a password).
  static base::Result<std::unique_ptr<Access>> create(const AccessFiles& files, std::vector<std::string> hosts,
                                                      base::Diagnostics& diagnostics);
  virtual ~Access() = default;

  // nullopt: the request may pass, and request.user is set where there are files: the name, or "token" with a bearer token.
  // Otherwise the refusal: 401 with WWW-Authenticate, or 403. Compares secrets in a time that does not depend on them.
  [[nodiscard]] virtual std::optional<Response> check(Request& request, const std::string& listens_on) = 0;
};

}  // namespace weir::httpd
