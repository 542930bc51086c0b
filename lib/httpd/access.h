// Who may ask a server: users and tokens of files, and which Host and Origin a request may have.
//
// A page in somebody's browser may send requests to this machine: by a name of its own that leads here (DNS rebinding), or from a
// foreign page. So a request must name a host that is an IP address, localhost, where the server listens, or one of `hosts`; and an
// Origin header must name the host that the request names. Others are answered 403.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/message.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::httpd {

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
  // `hosts`: further names by which clients may call this server. Errors: a file that cannot be read, or has a line that is none
  // (config; the message names file and line, never a password).
  static base::Result<std::unique_ptr<Access>> create(const AccessFiles& files, std::vector<std::string> hosts,
                                                      base::Diagnostics& diagnostics);
  virtual ~Access() = default;

  // nullopt: the request may pass, and request.user is set. Otherwise the refusal: 401 with WWW-Authenticate, or 403. Compares
  // secrets in a time that does not depend on them.
  [[nodiscard]] virtual std::optional<Response> check(Request& request, const std::string& listens_on) = 0;
};

}  // namespace weir::httpd
