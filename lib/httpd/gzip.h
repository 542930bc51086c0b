// Answers compressed with gzip (RFC 9110, 8.4.1), for clients that take it (12.5.3) and are not on this machine, where compressing
// costs more than sending.
#pragma once

#include "httpd/message.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::httpd {

// Whether an answer to `request` is to be compressed.
[[nodiscard]] bool wants_gzip(const Request& request, const Response& response);

// One answer, in one or in several pieces. It takes 256 KiB while it is there.
class Gzip {
 public:
  // Null: no memory.
  static std::unique_ptr<Gzip> create();
  virtual ~Gzip() = default;

  // What is to be sent for `piece`: all of it, so that the client gets it now.
  virtual std::string add(std::string_view piece) = 0;
  // What ends the answer, with `piece` before it.
  virtual std::string end(std::string_view piece) = 0;
};

}  // namespace weir::httpd
